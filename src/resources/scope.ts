/** What the kernel holds of one stack: its directories, their labels, and the namespaces it pinned. */
import { CAP_SYS_ADMIN, hasCapability, MAX_DIRECTORIES, type KernelReader } from '../kernel/reader.ts';
import { parseRunState, type RunState } from '../kernel/run-state.ts';
import { TsboxError } from '../errors.ts';
import {
  ADOPTED_XATTR,
  decodeLabel,
  LABEL_XATTR,
  NAMESPACE_XATTR,
  RUN_XATTR,
  STACK_XATTR,
  type Label,
} from './label.ts';
import { belongsTo, labelOn } from './ownership.ts';

/** Directory of the supervisors and keepers in a stack; names from a stack never begin with '_'. */
export const SUPERVISORS = '_supervisors';

/** Directory that remembers which cgroups elsewhere a stack has taken over. */
export const ADOPTED = '_adopted';

/** Leaf of our root for processes that were in it: names of stacks never begin with '_'. */
export const EVACUATED = '_leaf';

export interface ScopeEntry {
  /** Path below the stack's directory, '' for itself. */
  readonly path: string;
  readonly ino: number;
  /** Our label when it is sound, names this inode, and is of this stack and installation. */
  readonly label: Label | undefined;
  readonly run: RunState | undefined;
}

export interface ForeignEntry {
  readonly path: string;
  readonly label: Label;
}

export interface StackScope {
  readonly stack: string;
  /** The stack's directory in the primary hierarchy. */
  readonly directory: string;
  readonly exists: boolean;
  readonly entries: ReadonlyMap<string, ScopeEntry>;
  readonly byAddress: ReadonlyMap<string, ScopeEntry>;
  readonly namespaces: ReadonlyMap<string, Label>;
  /** What has the label of another stack or installation, and stands among what is ours. */
  readonly foreign: readonly ForeignEntry[];
  /** Addresses of the last completed apply. */
  readonly known: ReadonlySet<string>;
  /** Directories of earlier generations that an interrupted apply left, by address. */
  readonly deposed?: ReadonlyMap<string, readonly string[]>;
  /** Moved resources: their address, and the one before. */
  readonly moves?: ReadonlyMap<string, string>;
  /** Addresses whose label names something that is moved, or is moved itself. */
  readonly rewritten?: ReadonlySet<string>;
  /** Labels cannot be seen: trusted xattrs hide from whoever lacks CAP_SYS_ADMIN, as if there were none. */
  readonly blind: boolean;
  /** Reasons why something could not be read, for a plan without privileges. */
  readonly unreadable: readonly string[];
}

/** Path of a stack's (or a resource's) directory in one hierarchy; below its root where no mount is given. */
export function directoryIn(mount: string, cgroupRoot: string, stack: string, path = ''): string {
  // An adopted cgroup stands elsewhere: its path is absolute.
  return path.startsWith('/') ? `${mount}${path}` : `${mount}${cgroupRoot}/${stack}${path === '' ? '' : `/${path}`}`;
}

/**
 * Reads everything below the stack's directory in one pass, and what it has taken over elsewhere.
 * @param adopted paths that the stack file wants to take over
 */
export function readScope(reader: KernelReader, stack: string, adopted: readonly string[] = []): StackScope {
  const primary = reader.layout.primary;
  if (primary === undefined) {
    throw new TsboxError('TSB1009', 'no cgroup hierarchy is mounted', { hint: 'mount cgroup2 on /sys/fs/cgroup' });
  }
  const directory = directoryIn(primary.mount, reader.settings.cgroupRoot, stack);
  const found = reader.walkDirs(directory, MAX_DIRECTORIES);
  // A stack that only adopts has no directory of its own before its first apply.
  const walked = found === -2 && adopted.length > 0 ? [] : found;
  const entries = new Map<string, ScopeEntry>();
  const byAddress = new Map<string, ScopeEntry>();
  const namespaces = new Map<string, Label>();
  const deposed = new Map<string, readonly string[]>();
  const foreign: ForeignEntry[] = [];
  const owner = { stack, installation: reader.installation };
  const unreadable: string[] = [];
  if (typeof walked === 'number') {
    if (walked !== -2) {
      unreadable.push(`${directory} (errno ${-walked})`);
    }
    return {
      stack,
      directory,
      exists: false,
      entries,
      byAddress,
      namespaces,
      foreign,
      known: new Set(),
      blind: false,
      unreadable,
    };
  }
  const record = reader.getXattrs([`${directory}/${ADOPTED}`], ADOPTED_XATTR)[0];
  for (const path of outermost([...adopted, ...(typeof record === 'string' ? record.split('\n') : [])])) {
    const found = reader.walkDirs(`${primary.mount}${path}`, MAX_DIRECTORIES);
    for (const dir of typeof found === 'number' ? [] : found) {
      walked.push({ ...dir, path: dir.path === '' ? path : `${path}/${dir.path}` });
    }
  }
  const paths = walked.map((d) => directoryIn(primary.mount, reader.settings.cgroupRoot, stack, d.path));
  const labels = reader.getXattrs(paths, LABEL_XATTR);
  const runs = reader.getXattrs(paths, RUN_XATTR);
  const leaves = new Set<string>();
  walked.forEach((dir, i) => {
    // What is below a container is its own, another tsbox's objects included. Parents come before their children.
    const label = isBelow(dir.path, leaves) ? undefined : labelOn(labels[i], dir.ino);
    const sound = label !== undefined && belongsTo(label, owner) ? label : undefined;
    if (label !== undefined && sound === undefined) {
      foreign.push({ path: dir.path, label });
    }
    if (sound?.address.startsWith('container/') === true) {
      leaves.add(dir.path);
    }
    const run = runs[i];
    const entry: ScopeEntry = {
      path: dir.path,
      ino: dir.ino,
      label: sound,
      run: typeof run === 'string' ? parseRunState(run) : undefined,
    };
    entries.set(dir.path, entry);
    const other = sound === undefined ? undefined : byAddress.get(sound.address);
    if (sound?.address.startsWith('container/') === true && other !== undefined) {
      const older = generationOf(other) > generationOf(entry) ? entry : other;
      deposed.set(sound.address, [...(deposed.get(sound.address) ?? []), older.path]);
      byAddress.set(sound.address, older === entry ? other : entry);
    } else if (sound !== undefined) {
      byAddress.set(sound.address, entry);
    }
  });
  const blind = !hasCapability(reader, CAP_SYS_ADMIN);
  if (blind) {
    unreadable.push(`the labels below ${directory} (trusted xattrs need CAP_SYS_ADMIN): what was applied is not known`);
  }
  const names = typeof found === 'number' ? [] : reader.listXattrs(directory);
  if (typeof names === 'number') {
    unreadable.push(`xattrs of ${directory} (errno ${-names})`);
  } else {
    for (const name of names.filter((n) => n.startsWith(NAMESPACE_XATTR))) {
      const text = reader.getXattrs([directory], name)[0];
      const label = typeof text === 'string' ? decodeLabel(text) : undefined;
      const own = name.slice(NAMESPACE_XATTR.length);
      if (label !== undefined && !belongsTo(label, owner)) {
        foreign.push({ path: '', label });
      } else if (label?.address === `namespace/${own}`) {
        namespaces.set(own, label);
      }
    }
  }
  return {
    stack,
    directory,
    exists: typeof found !== 'number',
    entries,
    byAddress,
    namespaces,
    foreign,
    known: readKnown(reader, directory),
    ...(deposed.size === 0 ? {} : { deposed }),
    blind,
    unreadable,
  };
}

/** Whether one of the paths is above. */
export function isBelow(path: string, others: ReadonlySet<string>): boolean {
  for (let slash = path.lastIndexOf('/'); slash > 0 && others.size > 0; slash = path.lastIndexOf('/', slash - 1)) {
    if (others.has(path.slice(0, slash))) {
      return true;
    }
  }
  return false;
}

/** Paths, each once, without those that lie below another of them. */
function outermost(paths: readonly string[]): string[] {
  const all = [...new Set(paths)].filter((p) => p !== '');
  return all.filter((p) => !all.some((other) => p.startsWith(`${other}/`)));
}

/** Which of two directories of one address counts: one that was finished, then the later one. */
function generationOf({ path, label }: ScopeEntry): number {
  return (label?.applied === null ? 0 : 1_000_000) + Number(/~(\d+)$/.exec(path)?.[1] ?? 1);
}

function readKnown(reader: KernelReader, directory: string): Set<string> {
  const text = reader.getXattrs([directory], STACK_XATTR)[0];
  return new Set(typeof text === 'string' && text !== '' ? text.split('\n') : []);
}
