/** From paths as people give them to the directories and names that are copied. */
import { closeSync, constants, fstatSync, lstatSync, openSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { TsboxError } from '../../errors.ts';
import { O_PATH, type ContainerRoot } from '../../kernel/container-root.ts';
import { at, copyEntries, copyTree, type Copied, type CopyRules, type Spot } from './tree.ts';

export const { O_DIRECTORY } = constants;

/** How one side opens a path: the container within its root, we as anybody. Undefined where there is nothing. */
export type Open = (path: string, flags: number) => number | undefined;

export function openIn(root: ContainerRoot): Open {
  return (path, flags) => root.open(path, flags);
}

export const openHere: Open = (path, flags) => {
  try {
    return openSync(path, flags);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      return undefined;
    }
    throw new TsboxError('TSB3001', `open ${path}: ${code ?? ''}`, { errnoCode: code, subject: path, cause: error });
  }
};

/** Whether a path says that the contents of a directory are meant, not the directory: `.`, `dir/.` and `/`. */
export function meansContents(path: string): boolean {
  return /(^|\/)\.?$/.test(path) && (path === '/' || !path.endsWith('/') || path.replace(/\/+$/, '') === '');
}

/**
 * Copies `source` to `target`: into it, where it is a directory; under its name, where there is nothing; in the place
 * of it, where it is a file. Links on the way are followed as their side sees them, a link at the end is copied.
 */
export function copy(openSource: Open, source: string, openTarget: Open, target: string, rules: CopyRules): Copied {
  const copied: Copied = { files: 0, skipped: [] };
  const contents = meansContents(source);
  const from = contents
    ? { dir: mustOpen(openSource, source, O_DIRECTORY | O_PATH), name: Buffer.from('.') }
    : spot(openSource, source);
  try {
    const stat = lstatSync(at(from), { throwIfNoEntry: false });
    if (stat === undefined) {
      throw new TsboxError('TSB2003', `${source} does not exist`, { subject: source });
    }
    const into = openTarget(target, O_PATH);
    try {
      const isDirectory = into !== undefined && fstatSync(into).isDirectory();
      if (contents && isDirectory) {
        copyEntries(from.dir, into, rules, copied);
      } else if (isDirectory) {
        copyTree(from, { dir: into, name: from.name }, rules, copied);
      } else if (stat.isDirectory() && into !== undefined) {
        throw new TsboxError('TSB2001', `${target} is no directory, so the directory ${source} cannot be copied to it`);
      } else if (target.endsWith('/') && !stat.isDirectory()) {
        throw new TsboxError('TSB2003', `${target} does not exist`, { hint: 'without the / at its end it is made' });
      } else {
        const to = spot(openTarget, target);
        try {
          copyTree(from, to, rules, copied);
        } finally {
          closeSync(to.dir);
        }
      }
    } finally {
      if (into !== undefined) {
        closeSync(into);
      }
    }
  } finally {
    closeSync(from.dir);
  }
  return copied;
}

/** The last name of a path, below the directory that the rest of it leads to. */
export function spot(open: Open, path: string): Spot {
  const name = basename(path);
  if (name === '' || name === '.' || name === '..') {
    throw new TsboxError('TSB2001', `${path} does not end in a name`);
  }
  return { dir: mustOpen(open, dirname(path), O_DIRECTORY | O_PATH), name: Buffer.from(name) };
}

export function mustOpen(open: Open, path: string, flags: number): number {
  const fd = open(path, flags);
  if (fd === undefined) {
    throw new TsboxError('TSB2003', `${path} does not exist`, { subject: path });
  }
  return fd;
}

/** An absolute path in the container: relative ones start at its root, as Docker has it. */
export function containerPath(path: string): string {
  return path.startsWith('/') ? path : join('/', path) + (path.endsWith('/.') || path === '.' ? '/.' : '');
}
