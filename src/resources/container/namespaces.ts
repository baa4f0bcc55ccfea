/** Finding the namespace that a use names: its file, and the inode behind it. */
import { TsboxError, type SourceSpan } from '../../errors.ts';
import type { NamespaceType } from '../../kernel/init-spec.ts';
import { namespaceInode } from '../../kernel/proc.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import type { Address, Problem } from '../kind.ts';
import { namespaceAddress, pinPath } from '../namespace/index.ts';
import { isAlive, readStats } from '../processes.ts';
import { readScope, type StackScope } from '../scope.ts';

export interface NamespaceFile {
  readonly path: string;
  /** Start time of the process whose /proc it is, '' for a pin or a plain path. */
  readonly startTime: string;
}

/**
 * The file of the namespace that `use` (as the plan writes it: namespace/front, container/db, pid:1, path:/x) stands
 * for now; undefined when there is none.
 */
export function namespaceFile(
  reader: KernelReader,
  scope: StackScope,
  use: string,
  type: NamespaceType,
): NamespaceFile | undefined {
  if (use.startsWith('pid:')) {
    const pid = Number(use.slice(4));
    const stat = readStats(reader, [pid])[0];
    return stat === undefined ? undefined : { path: `/proc/${pid}/ns/${type}`, startTime: stat.startTime };
  }
  if (use.startsWith('path:')) {
    return { path: use.slice(5), startTime: '' };
  }
  if (use.startsWith('namespace/')) {
    const name = use.slice(namespaceAddress('').length);
    const pinned = scope.moves?.get(use)?.slice(namespaceAddress('').length) ?? name;
    const pin = pinPath(reader.settings.runDir, scope.stack, pinned);
    const label = scope.namespaces.get(name);
    const stat = reader.stats([pin])[0];
    if (label !== undefined && typeof stat === 'object' && stat.ino === label.ino) {
      return { path: pin, startTime: '' };
    }
    return label === undefined ? undefined : memberFile(reader, scope, type, String(label.ino));
  }
  if (use.startsWith('container/')) {
    const [first = '', second] = use.slice('container/'.length).split(':');
    const other = second === undefined ? scope : readScope(reader, first);
    const entry = other.byAddress.get(`container/${second ?? first}`);
    const run = entry?.run;
    if (run === undefined || run.pid === 0 || !isAlive(readStats(reader, [run.pid])[0], run.startTime)) {
      return undefined;
    }
    return { path: `/proc/${run.pid}/ns/${type}`, startTime: run.startTime };
  }
  return undefined;
}

/** Refuses a path that is not a namespace of the type: the container that runs is not ended for one that cannot start. */
export function checkNamespacePath(
  reader: Pick<KernelReader, 'namespaceTypes'>,
  path: string,
  type: NamespaceType,
  { address, at }: { readonly address: Address; readonly at: SourceSpan | undefined },
  report: (problem: Problem) => void,
): void {
  const found = reader.namespaceTypes([path])[0];
  if (found !== type) {
    const what =
      typeof found === 'string' && found !== '' ? `a namespace of type ${found}` : 'no namespace that can be opened';
    report({
      severity: 'error',
      error: new TsboxError('TSB1009', `${address}: ${path} is ${what}, not one of type ${type}`, {
        at,
        address,
        hint: `path: takes a file such as /proc/PID/ns/${type}`,
      }),
    });
  }
}

/** A live container of the stack whose label says that it is in the namespace with this inode. */
export function memberFile(
  reader: KernelReader,
  scope: StackScope,
  type: NamespaceType,
  inode: string,
  except = '',
): NamespaceFile | undefined {
  for (const [address, entry] of scope.byAddress) {
    const run = entry.run;
    if (address === except || run === undefined || run.pid === 0 || entry.label?.namespaces?.[type] !== inode) {
      continue;
    }
    if (isAlive(readStats(reader, [run.pid])[0], run.startTime)) {
      return { path: `/proc/${run.pid}/ns/${type}`, startTime: run.startTime };
    }
  }
  return undefined;
}

/** Inode of the namespace a use stands for. */
export function targetInode(
  reader: KernelReader,
  scope: StackScope,
  use: string,
  type: NamespaceType,
): string | undefined {
  const file = namespaceFile(reader, scope, use, type);
  if (file === undefined) {
    return undefined;
  }
  if (file.path.startsWith('/proc/')) {
    const link = reader.readLinks([file.path])[0];
    return typeof link === 'string' ? namespaceInode(link) : undefined;
  }
  const stat = reader.stats([file.path])[0];
  return typeof stat === 'object' ? String(stat.ino) : undefined;
}
