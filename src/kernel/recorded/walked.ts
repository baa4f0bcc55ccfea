/** What directories that were walked say of paths nobody asked for: what is not in them is not there. */
import type { Answer } from './document.ts';

export class Walked {
  /** Of each root the directories below it, '' for itself; none where the root was not there. */
  readonly #roots: ReadonlyMap<string, ReadonlySet<string>>;

  constructor(walks: Readonly<Record<string, Answer<'walks'>>>) {
    const known = Object.entries(walks).filter(([, found]) => typeof found !== 'number' || found === -2);
    this.#roots = new Map(
      known.map(([root, found]) => [root, new Set(typeof found === 'number' ? [] : found.map(([path]) => path))]),
    );
  }

  /**
   * True when the path cannot have been there.
   * @param is what it would be: only directories are walked, so that a file may be in one that was found
   */
  lacks(path: string, is: 'file' | 'directory'): boolean {
    for (const [root, directories] of this.#roots) {
      const below = path === root ? '' : path.startsWith(`${root}/`) ? path.slice(root.length + 1) : undefined;
      if (below === undefined) {
        continue;
      }
      const parent = below === '' ? undefined : below.slice(0, Math.max(0, below.lastIndexOf('/')));
      const holder = is === 'directory' ? below : parent;
      return directories.size === 0 || (holder !== undefined && !directories.has(holder));
    }
    return false;
  }
}
