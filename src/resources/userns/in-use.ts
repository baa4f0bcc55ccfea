/**
 * Outer ids that something on the machine has: from the labels of every stack below our root, and from the maps of
 * every process, whoever made its namespace. There is no file of allocations.
 */
import type { KernelReader } from '../../kernel/reader.ts';
import type { Value } from '../attribute.ts';
import { IDS_XATTR } from '../label.ts';
import { directoryIn, readScope } from '../scope.ts';
import { outerRanges, type IdRange } from './ranges.ts';

/** What one container or namespace has from the pool: `count` ids from each start. */
export interface Allocation {
  readonly uid: number;
  readonly gid: number;
  readonly count: number;
}
export type Allocations = ReadonlyMap<string, Allocation>;

export interface IdsInUse {
  readonly uids: readonly IdRange[];
  readonly gids: readonly IdRange[];
}

/** What the stack's own record says, by address. */
export function readAllocations(reader: KernelReader, stack: string): Map<string, Allocation> {
  const directory = directoryIn(reader.layout.primary?.mount ?? '', reader.settings.cgroupRoot, stack);
  return decodeAllocations(reader.getXattrs([directory], IDS_XATTR)[0]);
}

export function encodeAllocations(allocations: Allocations): string {
  return [...allocations].map(([address, a]) => `${address} ${a.uid} ${a.gid} ${a.count}`).join('\n');
}

function decodeAllocations(text: string | number | undefined): Map<string, Allocation> {
  const found = new Map<string, Allocation>();
  for (const line of typeof text === 'string' ? text.split('\n') : []) {
    const match = /^(\S+) (\d+) (\d+) (\d+)$/.exec(line);
    if (match !== null) {
      found.set(match[1] ?? '', { uid: Number(match[2]), gid: Number(match[3]), count: Number(match[4]) });
    }
  }
  return found;
}

/** Ids that any stack has recorded or any process is mapped to. */
export function idsInUse(reader: KernelReader): IdsInUse {
  const uids: IdRange[] = [];
  const gids: IdRange[] = [];
  for (const name of stacksOf(reader)) {
    for (const a of readAllocations(reader, name).values()) {
      uids.push({ start: a.uid, count: a.count });
      gids.push({ start: a.gid, count: a.count });
    }
    const { byAddress, namespaces } = readScope(reader, name);
    const labels = [...[...byAddress.values()].map((e) => e.label), ...namespaces.values()];
    uids.push(...labels.flatMap((label) => appliedRanges(label?.applied?.['uid_map'])));
    gids.push(...labels.flatMap((label) => appliedRanges(label?.applied?.['gid_map'])));
  }
  const pids = reader.list('/proc').filter((name) => /^\d+$/.test(name));
  for (const [file, into] of [
    ['uid_map', uids],
    ['gid_map', gids],
  ] as const) {
    const texts = new Set(reader.readFiles(pids.map((pid) => `/proc/${pid}/${file}`)));
    for (const text of texts) {
      into.push(...(typeof text === 'string' ? outerRanges(text).filter((r) => !isInitial(r)) : []));
    }
  }
  return { uids, gids };
}

/** Names of the stacks below our root. */
function stacksOf(reader: KernelReader): string[] {
  const root = `${reader.layout.primary?.mount ?? ''}${reader.settings.cgroupRoot}`;
  const names = reader.list(root).filter((name) => !name.startsWith('_'));
  const stats = reader.stats(names.map((name) => `${root}/${name}`));
  return names.filter((_, i) => {
    const stat = stats[i];
    return typeof stat === 'object' && (stat.mode & 0o170000) === 0o040000;
  });
}

function appliedRanges(value: Value | undefined): IdRange[] {
  return typeof value === 'string' ? outerRanges(value) : [];
}

/** The host's own namespace maps everything. */
function isInitial(range: IdRange): boolean {
  return range.start === 0 && range.count >= 4_294_967_295;
}
