/**
 * What a live process shows of what it was started with.
 *
 * A process may give up privileges, change its user where it has the right to, execute another program and rewrite its
 * title. None of that is drift: the value it was started with stands for it. What it cannot have done itself shows.
 */
import { normaliseIdMap, parseStat, type ProcStatus } from '../../../kernel/proc.ts';
import type { RunState } from '../../../kernel/run-state.ts';
import { entriesOf, isList, type Value } from '../../attribute.ts';
import type { Label } from '../../label.ts';
import { capabilityNames, INNER_SETS, setName } from './sets.ts';
import { personalityText, START_DEFAULTS } from './start.ts';

export const IDENTITY_FILES = ['stat', 'cmdline', 'environ', 'personality'] as const;

type Files = ReadonlyMap<string, string | undefined>;

const STATUS_SETS = { permitted: 'CapPrm', effective: 'CapEff', inheritable: 'CapInh', ambient: 'CapAmb' } as const;

/** Where the arguments and the environment of the running program lie: another exec has them elsewhere. */
export function imageOf(stat: string): string {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // arg_start and env_start, fields 48 and 50 of proc_pid_stat(5).
  return `${fields[45]}:${fields[47]}`;
}

/** How many system call filters a process is under, where the kernel tells (Linux 5.9). */
export function filtersOf(status: string): { filters?: number } {
  const count = /^Seccomp_filters:\s*(\d+)/m.exec(status)?.[1];
  return count === undefined ? {} : { filters: Number(count) };
}

export function liveIdentity(files: Files, status: ProcStatus, label: Label, run: RunState): Record<string, Value> {
  const applied = label.applied ?? {};
  const bounding = mask(status, 'CapBnd');
  const live: Record<string, Value> = { capabilities: within(applied['capabilities'], capabilityNames(bounding)) };
  for (const set of INNER_SETS) {
    const names = capabilityNames(mask(status, STATUS_SETS[set]));
    const before = applied[setName(set)];
    // Without no_new_privs a program with file capabilities gains what the bounding set allows.
    const gains = status.get('NoNewPrivs') === '0' && set !== 'inheritable' && set !== 'ambient';
    live[setName(set)] = gains && before !== undefined ? before : within(before, names);
  }
  const privileged = status.get('NoNewPrivs') === '0';
  live['no_new_privs'] = privileged ? 'false' : String(applied['no_new_privs'] ?? 'true');
  live['seccomp'] = liveFilter(status, label, run);
  const account = accountText(status, files);
  if (account !== undefined) {
    const declared = applied['capabilities'];
    const may = declared !== undefined && isList(declared) ? declared : capabilityNames(bounding);
    const free = privileged || may.includes('SETUID') || may.includes('SETGID');
    const before = applied['user'];
    live['user'] = typeof before === 'string' && (free || sameAccount(before, account)) ? before : account;
  }
  return { ...live, ...liveProgram(files, label, run) };
}

function mask(status: ProcStatus, key: string): bigint {
  return BigInt(`0x${status.get(key) ?? '0'}`);
}

/** The names applied while the live ones lie within them. */
function within(applied: Value | undefined, live: readonly string[]): Value {
  return applied !== undefined && isList(applied) && live.every((name) => applied.includes(name)) ? applied : live;
}

/** The filter cannot be read back, but how many there are: none of them can be taken off (seccomp(2)). */
function liveFilter(status: ProcStatus, label: Label, run: RunState): Value {
  const applied = label.applied?.['seccomp'] ?? 'default';
  const recorded = label.process?.startTime === run.startTime ? label.process.filters : undefined;
  const count = status.get('Seccomp_filters');
  const fewer = recorded !== undefined && count !== undefined && Number(count) < recorded;
  const present = applied === 'unconfined' || (status.get('Seccomp') === '2' && !fewer);
  return present ? applied : 'unconfined';
}

/** 'uid:gid,group…' as seen inside. */
function accountText(status: ProcStatus, files: Files): string | undefined {
  const uid = inside(status.get('Uid'), files.get('uid_map'));
  const gid = inside(status.get('Gid'), files.get('gid_map'));
  const groups = (status.get('Groups') ?? '').split(/\s+/).filter((g) => g !== '');
  const mapped = groups.map((g) => inside(g, files.get('gid_map')));
  return uid === undefined || gid === undefined ? undefined : [`${uid}:${gid}`, ...mapped].join(',');
}

/** Real, effective, saved and file system id; one where they are the same. */
function inside(ids: string | undefined, map: string | undefined): string | undefined {
  if (ids === undefined || map === undefined) {
    return undefined;
  }
  const rows = normaliseIdMap(map)
    .split('\n')
    .map((line) => line.split(' ').map(Number));
  const mapped = ids.split(/\s+/).map((id) => {
    const row = rows.find(([, from = 0, count = 0]) => Number(id) >= from && Number(id) < from + count);
    return row === undefined ? `unmapped-${id}` : String(Number(id) - (row[1] ?? 0) + (row[0] ?? 0));
  });
  return [...new Set(mapped)].join('/');
}

/** The kernel sorts groups, and the group itself may be among them. */
function sameAccount(a: string, b: string): boolean {
  const [first, ...groups] = a.split(',');
  const [other, ...others] = b.split(',');
  return first === other && groups.sort().join() === others.sort().join();
}

/** Command, environment and personality, as far as they can be told. */
function liveProgram(files: Files, label: Label, run: RunState): Record<string, Value> {
  const live: Record<string, Value> = {};
  const stat = files.get('stat');
  const argv = (files.get('cmdline') ?? '').split('\0').slice(0, -1);
  const started = label.process;
  if (stat === undefined || started === undefined) {
    return live;
  }
  if (started.startTime !== run.startTime) {
    // A restart made it: then its parent is the supervisor. Else the record of the run names a stranger.
    const stranger = run.restarts === 0 && parseStat(stat)?.ppid !== run.supervisor;
    return stranger ? { command: argv } : live;
  }
  if (started.image !== imageOf(stat)) {
    return live;
  }
  const personality = files.get('personality');
  if (personality !== undefined) {
    live['personality'] = personalityText(personality);
  }
  const command = label.applied?.['command'];
  const env = entriesOf(label.applied?.['env']);
  // A title written over the arguments may reach into the environment.
  if (command !== undefined && isList(command) && argv.join('\0') === command.join('\0')) {
    const found = environment(files.get('environ') ?? '');
    live['env'] = Object.fromEntries(Object.keys(env).flatMap((k) => (found.has(k) ? [[k, found.get(k) ?? '']] : [])));
  }
  return live;
}

function environment(text: string): Map<string, string> {
  return new Map(
    text.split('\0').flatMap((line): Array<[string, string]> => {
      const at = line.indexOf('=');
      return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
    }),
  );
}

/** Values of a label from before an attribute was known: it was started with the default. */
export const IDENTITY_DEFAULTS: Readonly<Record<string, Value>> = START_DEFAULTS;
