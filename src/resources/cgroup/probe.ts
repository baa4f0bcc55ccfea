/** Whether this kernel has an optional file: found out from cgroups that exist, since a plan makes none to look. */
import type { Hierarchy } from '../../kernel/layout.ts';
import type { KernelReader } from '../../kernel/reader.ts';

/** A file that every non-root cgroup has while the controller is on: without it, absence of another says nothing. */
const WITNESS: Readonly<Record<string, string>> = {
  '': 'cgroup.events',
  cpu: 'cpu.max',
  cpuset: 'cpuset.cpus',
  memory: 'memory.max',
  io: 'io.max',
  pids: 'pids.max',
};

const WITNESS_V1: Readonly<Record<string, string>> = {
  cpu: 'cpu.shares',
  memory: 'memory.limit_in_bytes',
  blkio: 'blkio.reset_stats',
};

/** Cgroups looked at; the tree's first ones serve as well as any. */
const SAMPLE = 200;

/** True when a cgroup that would have the file does not; false when one has it or there is none to tell by. */
export function fileMissing(
  reader: Pick<KernelReader, 'walkDirs' | 'stats'>,
  hierarchy: Hierarchy,
  controller: string,
  file: string,
): boolean {
  const witness = (hierarchy.version === 2 ? WITNESS : WITNESS_V1)[controller];
  const walked = reader.walkDirs(hierarchy.mount, SAMPLE);
  if (witness === undefined || typeof walked === 'number') {
    return false;
  }
  const dirs = walked.filter((d) => d.path !== '').map((d) => `${hierarchy.mount}/${d.path}`);
  const stats = reader.stats(dirs.flatMap((dir) => [`${dir}/${witness}`, `${dir}/${file}`]));
  const present = dirs.map((_, i) => [typeof stats[2 * i] === 'object', typeof stats[2 * i + 1] === 'object'] as const);
  return present.some(([on]) => on) && !present.some(([, has]) => has);
}
