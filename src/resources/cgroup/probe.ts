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

/** Names of the kernel's functions. */
export const SYMBOLS = '/proc/kallsyms';

/** What it says, read once of each machine: five megabytes, and only when nothing else can tell. */
const symbolsOf = new WeakMap<object, string>();

/**
 * Whether a cgroup with the controller would lack the file.
 * @param symbol the kernel function behind it, '' when none is known
 * @returns false when one has it, or when there is nothing to tell by
 */
export function fileMissing(
  reader: Pick<KernelReader, 'walkDirs' | 'stats' | 'readFiles'>,
  hierarchy: Hierarchy,
  controller: string,
  file: string,
  symbol: string,
): boolean {
  const witness = (hierarchy.version === 2 ? WITNESS : WITNESS_V1)[controller];
  const walked = witness === undefined ? [] : reader.walkDirs(hierarchy.mount, SAMPLE);
  const dirs = Array.isArray(walked)
    ? walked.filter((d) => d.path !== '').map((d) => `${hierarchy.mount}/${d.path}`)
    : [];
  const stats = reader.stats(dirs.flatMap((dir) => [`${dir}/${witness}`, `${dir}/${file}`]));
  const present = dirs.map((_, i) => [typeof stats[2 * i] === 'object', typeof stats[2 * i + 1] === 'object'] as const);
  if (present.some(([, has]) => has)) {
    return false;
  }
  if (present.some(([on]) => on)) {
    return true;
  }
  if (symbol === '') {
    return false;
  }
  let symbols = symbolsOf.get(reader);
  if (symbols === undefined) {
    const [text] = reader.readFiles([SYMBOLS]);
    symbols = typeof text === 'string' ? text : '';
    symbolsOf.set(reader, symbols);
  }
  // Variants (symbol_legacy, symbol.isra.0) tell as much.
  return symbols !== '' && !symbols.includes(` ${symbol}`);
}
