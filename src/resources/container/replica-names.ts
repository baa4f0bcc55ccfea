/** What the replicas of a container are called: web[0] in the stack and in addresses, web.0 in the file system. */
import { NAME_PATTERN } from '../units.ts';

/** A container's name with the number of a replica: web[0]. */
const REPLICA = /^(.+)\[(0|[1-9]\d{0,3})\]$/;

/** Longest host name of the kernel (__NEW_UTS_LEN). */
const HOSTNAME_LENGTH = 64;

export function replicaName(container: string, index: number): string {
  return `${container}[${index}]`;
}

/** The parts of a replica's name; undefined for a container of its own. */
export function parseReplica(name: string): { readonly container: string; readonly index: number } | undefined {
  const match = REPLICA.exec(name);
  return match?.[1] === undefined ? undefined : { container: match[1], index: Number(match[2]) };
}

/** The container that a name belongs to: web for web and for web[0]. */
export function containerOf(name: string): string {
  return parseReplica(name)?.container ?? name;
}

/** True for a name as the stack file gives it: web, or web[0] where one replica is meant. */
export function isContainerName(name: string): boolean {
  return NAME_PATTERN.test(containerOf(name));
}

/** What its cgroup, its log and its files are called: web.0 for web[0], without characters that a shell expands. */
export function leafName(name: string): string {
  const replica = parseReplica(name);
  return replica === undefined ? name : `${replica.container}.${replica.index}`;
}

/** Its host name unless the stack gives one: web-0 for web[0]. */
export function defaultHostname(name: string): string {
  const replica = parseReplica(name);
  if (replica === undefined) {
    return name;
  }
  const number = `-${replica.index}`;
  return replica.container.slice(0, HOSTNAME_LENGTH - number.length) + number;
}

/** Whether an address is meant by a wanted one: itself, what lies below a cgroup, and each replica of a container. */
export function addressFits(address: string, wanted: string): boolean {
  return address === wanted || address.startsWith(`${wanted}/`) || address.startsWith(`${wanted}[`);
}

/** Names in the order people count in: web[2] before web[10]. */
export function compareNames(a: string, b: string): number {
  const left = parseReplica(a);
  const right = parseReplica(b);
  if (left !== undefined && right !== undefined && left.container === right.container) {
    return left.index - right.index;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}
