/** What observing containers asks the kernel for first, and for most of: it can be begun before anything else is known. */
import { NAMESPACE_TYPES } from '../../kernel/init-spec.ts';
import type { LiveReader } from '../../kernel/reader.ts';
import { presenceFiles } from '../cgroup/observe.ts';
import type { ScopeEntry, StackScope } from '../scope.ts';
import { PREFIX } from './declare.ts';
import { IDENTITY_FILES } from './process/identity.ts';
import { SETTINGS_FILES } from './process/settings.ts';

/** Files of /proc/PID that are read of every container that runs. */
export const PROC_FILES = [
  'status',
  'cgroup',
  'mountinfo',
  'uid_map',
  'gid_map',
  'setgroups',
  'timens_offsets',
  ...SETTINGS_FILES,
  ...IDENTITY_FILES,
] as const;

export function procFiles(pids: readonly number[]): string[] {
  return pids.flatMap((pid) => PROC_FILES.map((f) => `/proc/${pid}/${f}`));
}

/** Our own namespaces, then those of each process, in the order of NAMESPACE_TYPES. */
export function namespaceLinks(pids: readonly number[]): string[] {
  return ['self', ...pids].flatMap((pid) => NAMESPACE_TYPES.map((t) => `/proc/${pid}/ns/${t}`));
}

export function ownedContainers(scope: StackScope): Array<[address: string, entry: ScopeEntry]> {
  return [...scope.byAddress].filter(([a]) => a.startsWith(PREFIX));
}

/**
 * Begins to read it, of the containers that run as far as the scope tells. Whether one has ended since is found out when
 * it is observed, after these reads.
 */
export function readContainersAhead(reader: LiveReader, scope: StackScope): void {
  const entries = ownedContainers(scope).map(([, entry]) => entry);
  const pids = entries.flatMap(({ run }) => (run === undefined || run.pid === 0 ? [] : [run.pid]));
  const paths = entries.map((e) => e.path);
  reader.readAhead([
    { call: 'readFiles', paths: procFiles(pids) },
    { call: 'readLinks', paths: namespaceLinks(pids) },
    { call: 'readFiles', paths: presenceFiles(reader, scope.stack, paths) },
  ]);
}
