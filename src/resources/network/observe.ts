/** Reading network tags and bandwidth back from the live kernel: attached programs on v2, net_cls and net_prio on v1. */
import type { BpfProgram, Errno, KernelReader } from '../../kernel/reader.ts';
import type { Value } from '../attribute.ts';
import type { Extra } from '../kind.ts';
import { directoryIn } from '../scope.ts';
import {
  burstName,
  DIRECTIONS,
  isNetwork,
  MARK,
  NETWORK_NAMES,
  networkDefault,
  PRIORITY,
  rateName,
} from './attributes.ts';
import { HOOKS, RATES, readSlot, SLOTS, TAG_PACKET, TAG_SOCKET, type Hook, type Tag } from './programs.ts';
import { hex } from './schema.ts';
import { CLASSID, IFPRIOMAP, parsePriorityMap, v1Directory } from './v1.ts';

export interface ObservedNetwork {
  readonly live: Readonly<Record<string, Value | undefined>>;
  /** Programs on our hooks that are not ours. */
  readonly extras: readonly Extra[];
  /** Attributes that these privileges cannot read. */
  readonly unreadable: readonly string[];
}

const NOTHING: ObservedNetwork = { live: {}, extras: [], unreadable: [] };

/** True when a cgroup has anything of the kind: declared now, or applied before. */
export function usesNetwork(...values: ReadonlyArray<Readonly<Record<string, Value>> | null | undefined>): boolean {
  return values.some((v) => Object.keys(v ?? {}).some(isNetwork));
}

/**
 * What is in force on each cgroup itself.
 * @param asked whether the cgroup has a tag or a bandwidth at all; the others are not looked at
 */
export function observeNetwork(
  reader: KernelReader,
  stack: string,
  paths: readonly string[],
  asked: readonly boolean[],
): ObservedNetwork[] {
  const wanted = paths.filter((_, i) => asked[i]);
  const found = wanted.length === 0 ? [] : observeWanted(reader, stack, wanted);
  let next = 0;
  return paths.map((_, i) => (asked[i] === true ? (found[next++] ?? NOTHING) : NOTHING));
}

function observeWanted(reader: KernelReader, stack: string, paths: readonly string[]): ObservedNetwork[] {
  const primary = reader.layout.primary;
  if (primary?.version !== 2) {
    return paths.map((path) => ({ ...NOTHING, live: fromFiles(reader, stack, path) }));
  }
  const directories = paths.map((p) => directoryIn(primary.mount, reader.settings.cgroupRoot, stack, p));
  const hooks = Object.keys(HOOKS) as Hook[];
  const programs = hooks.map((hook) => reader.cgroupPrograms(directories, HOOKS[hook]));
  return paths.map((path, i) => fromPrograms(path, new Map(hooks.map((hook, j) => [hook, programs[j]?.[i]]))));
}

function fromPrograms(
  path: string,
  byHook: ReadonlyMap<Hook, readonly BpfProgram[] | Errno | undefined>,
): ObservedNetwork {
  const lists = new Map<Hook, readonly BpfProgram[]>();
  for (const [hook, list] of byHook) {
    if (typeof list !== 'object' || list.some((p) => typeof p.xlated === 'number')) {
      return { ...NOTHING, unreadable: NETWORK_NAMES };
    }
    lists.set(hook, list);
  }
  const own = new Set<BpfProgram>();
  /** The program of a slot, undefined when there is none; 'changed' when it is not as we made it. */
  const read = <P>(slot: Parameters<typeof readSlot<P>>[0]): { value: P | undefined; id: number } | undefined => {
    const program = lists.get(slot.hook)?.find((p) => p.name === slot.name);
    if (program === undefined || typeof program.xlated === 'number') {
      return undefined;
    }
    own.add(program);
    return { value: readSlot(slot, program.xlated), id: program.id };
  };
  const live: Record<string, Value> = {};
  const socket = read<Tag>(TAG_SOCKET);
  const packet = read<Tag>(TAG_PACKET);
  const tagText = (name: string, text: (tag: Tag) => string): string =>
    inBoth(
      networkDefault(name),
      socket && (socket.value === undefined ? changed(socket.id) : text(socket.value)),
      packet && (packet.value === undefined ? changed(packet.id) : text(packet.value)),
    );
  live[MARK] = tagText(MARK, (tag) => hex(tag.mark));
  live[PRIORITY] = tagText(PRIORITY, (tag) => String(tag.priority));
  for (const direction of DIRECTIONS) {
    const bucket = read(RATES[direction]);
    const [rate, burst] = [rateName(direction), burstName(direction)];
    const { value } = bucket ?? {};
    live[rate] =
      bucket === undefined ? networkDefault(rate) : value === undefined ? changed(bucket.id) : String(value.rate);
    live[burst] = value === undefined ? networkDefault(burst) : String(value.burst);
  }
  const extras = [...lists].flatMap(([hook, list]) =>
    list.filter((p) => !own.has(p)).map((program) => foreign(path, hook, program)),
  );
  return { live, extras, unreadable: [] };
}

const changed = (id: number): string => `program ${id} that is not as tsbox made it`;

/** One value for what two programs hold: new sockets, and packets of those that were there before. */
function inBoth(none: string, sockets: string | undefined, packets: string | undefined): string {
  const [a, b] = [sockets ?? none, packets ?? none];
  return a === b ? a : `${a} on new sockets, ${b} on packets of others`;
}

const HOOK_WORDS: Readonly<Record<Hook, string>> = {
  create: 'the making of sockets',
  egress: 'egress',
  ingress: 'ingress',
};

function foreign(path: string, hook: Hook, program: BpfProgram): Extra {
  const name = program.name === '' ? 'unnamed' : program.name;
  const again = SLOTS.some((s) => s.hook === hook && s.name === program.name);
  return {
    what: 'program',
    text: `program ${program.id} (${name}) at ${HOOK_WORDS[hook]}${again ? ', a second one of that name' : ''}`,
    steps: [{ op: 'network-detach', path, hook, id: program.id }],
  };
}

function fromFiles(reader: KernelReader, stack: string, path: string): Record<string, Value | undefined> {
  const file = (controller: string, name: string): string | undefined => {
    const dir = v1Directory(reader, stack, path, controller);
    const text = dir === undefined ? undefined : reader.readFiles([`${dir}/${name}`])[0];
    return typeof text === 'string' ? text : undefined;
  };
  const classid = file('net_cls', CLASSID);
  const priorities = file('net_prio', IFPRIOMAP);
  return {
    [MARK]: classid === undefined ? undefined : hex(Number(classid.trim())),
    [PRIORITY]: priorities === undefined ? undefined : priorityText(parsePriorityMap(priorities)),
    ...Object.fromEntries(
      DIRECTIONS.flatMap((d) => [rateName(d), burstName(d)]).map((name) => [name, networkDefault(name)]),
    ),
  };
}

/** The priority that all interfaces have, or each with its own. */
function priorityText(map: ReadonlyMap<string, string>): string {
  const values = new Set(map.values());
  const [only = networkDefault(PRIORITY)] = values;
  return values.size <= 1 ? only : [...map].map(([name, value]) => `${name}=${value}`).join(' ');
}
