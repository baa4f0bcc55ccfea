/** Which processes are in which namespaces, as their /proc/PID/ns links tell. */
import { NAMESPACE_TYPES, type NamespaceType } from '../../kernel/init-spec.ts';
import { namespaceInode, parseProcCgroup } from '../../kernel/proc.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import { readStats } from '../processes.ts';

export type Inodes = Readonly<Partial<Record<NamespaceType, string>>>;

/** Inodes of the namespaces of each process; a type whose link cannot be read is left out. */
export function namespacesOf(reader: KernelReader, pids: readonly (number | 'self')[]): Inodes[] {
  const links = reader.readLinks(pids.flatMap((pid) => NAMESPACE_TYPES.map((t) => `/proc/${pid}/ns/${t}`)));
  return pids.map((_, i) =>
    Object.fromEntries(
      NAMESPACE_TYPES.flatMap((type, j) => {
        const link = links[i * NAMESPACE_TYPES.length + j];
        const inode = typeof link === 'string' ? namespaceInode(link) : undefined;
        return inode === undefined ? [] : [[type, inode]];
      }),
    ),
  );
}

export interface Member {
  readonly pid: number;
  readonly comm: string;
  readonly ppid: number;
  /** Clock ticks since boot. */
  readonly startTime: string;
  readonly namespaces: Inodes;
  /** Its cgroup in the primary hierarchy. */
  readonly cgroup: string;
}

/** Every process of the machine that still has namespaces. */
export function readMembers(reader: KernelReader): Member[] {
  const pids = reader
    .list('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  const namespaces = namespacesOf(reader, pids);
  const stats = readStats(reader, pids);
  const cgroups = reader.readFiles(pids.map((pid) => `/proc/${pid}/cgroup`));
  const primary = reader.layout.primary;
  const key = primary?.version === 1 ? primary.name : '';
  return pids.flatMap((pid, i): Member[] => {
    const stat = stats[i];
    const own = namespaces[i];
    const text = cgroups[i];
    if (stat === undefined || stat.exiting || own === undefined || Object.keys(own).length === 0) {
      return [];
    }
    const cgroup = typeof text === 'string' ? (parseProcCgroup(text).get(key) ?? '') : '';
    const { comm, ppid, startTime } = stat;
    return [{ pid, comm, ppid, startTime, namespaces: own, cgroup }];
  });
}
