/** Telling a container's own processes from those that were put into its cgroup. */
import { namespaceInode } from '../../kernel/proc.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import type { Extra } from '../kind.ts';
import { readStats } from '../processes.ts';

export interface Membership {
  readonly path: string;
  readonly members: ReadonlyMap<number, readonly string[]>;
  /** The container's process, 0 when it is not running. */
  readonly pid: number;
  readonly supervisor: number;
  readonly sharesHostPids: boolean;
}

/**
 * Members that are not the container's. Inside a pid namespace of its own, everything in that namespace is (exec'd
 * processes too); otherwise only what descends from its process or its supervisor.
 */
export function foreignMembers(reader: KernelReader, m: Membership): Extra[] {
  const others = [...m.members.keys()].filter((pid) => pid !== m.pid);
  if (others.length === 0) {
    return [];
  }
  const own = m.pid === 0 ? undefined : inodes(reader, [m.pid])[0];
  const namespaces = inodes(reader, others);
  const stats = readStats(reader, others);
  return others.flatMap((pid, i): Extra[] => {
    const stat = stats[i];
    if (stat === undefined || stat.exiting) {
      return [];
    }
    const same = own !== undefined && namespaces[i] === own;
    if (same && (!m.sharesHostPids || descends(reader, pid, m))) {
      return [];
    }
    return [
      {
        what: 'process',
        text: `process ${pid} (${stat.comm}) in ${(m.members.get(pid) ?? []).join(', ')}`,
        steps: [{ op: 'evict', path: m.path, pids: [pid] }],
      },
    ];
  });
}

function inodes(reader: KernelReader, pids: readonly number[]): Array<string | undefined> {
  return reader
    .readLinks(pids.map((pid) => `/proc/${pid}/ns/pid`))
    .map((link) => (typeof link === 'string' ? namespaceInode(link) : undefined));
}

/** Bound on the walk to the root of the process tree. */
const MAX_DEPTH = 1000;

function descends(reader: KernelReader, pid: number, m: Membership): boolean {
  let current = pid;
  for (let depth = 0; depth < MAX_DEPTH && current > 1; depth++) {
    if (current === m.pid || current === m.supervisor) {
      return true;
    }
    current = readStats(reader, [current])[0]?.ppid ?? 0;
  }
  return false;
}
