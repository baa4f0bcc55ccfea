/** What differs between two directory trees: what a container wrote into the private layer of its root. */
import { lstatSync, readdirSync, readlinkSync, rmSync, type BigIntStats } from 'node:fs';

export interface TreeDifference {
  /** Paths without a leading slash, parents first: new or changed. */
  readonly changed: readonly string[];
  /** Gone; what lay below is not listed. */
  readonly removed: readonly string[];
}

function look(path: string): BigIntStats | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false });
}

function isSame(a: BigIntStats, b: BigIntStats, pathA: string, pathB: string): boolean {
  if (a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid || a.rdev !== b.rdev) {
    return false;
  }
  if (a.isDirectory()) {
    return true;
  }
  if (a.isSymbolicLink()) {
    return readlinkSync(pathA) === readlinkSync(pathB);
  }
  return a.size === b.size && a.mtimeNs === b.mtimeNs;
}

/**
 * Compares `after` with `before` without following a symbolic link.
 * @param skip paths (with a leading slash) whose subtrees are of other file systems
 */
export function compareTrees(before: string, after: string, skip: ReadonlySet<string>): TreeDifference {
  const changed: string[] = [];
  const removed: string[] = [];
  const walk = (path: string): void => {
    const old = look(before + path)?.isDirectory() === true ? readdirSync(before + path) : [];
    const names = new Set(readdirSync(after + path));
    removed.push(...old.filter((n) => !names.has(n)).map((n) => `${path}/${n}`.slice(1)));
    for (const name of [...names].sort()) {
      const child = `${path}/${name}`;
      const now = look(after + child);
      if (now === undefined || skip.has(child)) {
        continue;
      }
      const then = look(before + child);
      if (then === undefined || !isSame(now, then, after + child, before + child)) {
        changed.push(child.slice(1));
      }
      if (now.isDirectory()) {
        walk(child);
      }
    }
  };
  walk('');
  return { changed, removed };
}

/** Whether every directory on the way to `path` below `root` is one, and no symbolic link that leads elsewhere. */
export function isBeneath(root: string, path: string): boolean {
  const parents = path.split('/').slice(0, -1);
  return (
    !path.startsWith('/') &&
    !path.split('/').includes('..') &&
    parents.every((_, i) => {
      const stat = look(`${root}/${parents.slice(0, i + 1).join('/')}`);
      return stat === undefined || stat.isDirectory();
    })
  );
}

/** Removes a path that isBeneath(root) and what lies below it. */
export function removeBeneath(root: string, path: string): void {
  rmSync(`${root}/${path}`, { recursive: true, force: true });
}

/** Whether two paths lead to the same file, symbolic links in their last part not followed. */
export function isSameFile(a: string, b: string): boolean {
  try {
    const [x, y] = [look(a), look(b)];
    return x !== undefined && y !== undefined && x.dev === y.dev && x.ino === y.ino;
  } catch {
    return false;
  }
}
