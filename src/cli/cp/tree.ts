/**
 * Copying files from directory to directory, each held by a descriptor: names are single steps below one of them and
 * never links, so nobody who renames things meanwhile can lead the copy elsewhere (CVE-2018-15664).
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  futimesSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  symlinkSync,
  unlinkSync,
  writeSync,
  type Stats,
} from 'node:fs';
import { errnoOf, TsboxError } from '../../errors.ts';

/** A name below an open directory. */
export interface Spot {
  readonly dir: number;
  readonly name: Buffer;
}

export interface CopyRules {
  /** The owner that a file of this owner gets on the other side. */
  readonly owner: (uid: number, gid: number) => { readonly uid: number; readonly gid: number };
  /** Whether set-user-id and set-group-id bits go along. */
  readonly setid: boolean;
}

export interface Copied {
  files: number;
  /** What cannot be copied, with the reason. */
  readonly skipped: string[];
}

/** Levels of directories; a tree that goes deeper was made to. */
export const DEPTH = 512;

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/** A path by which the kernel takes one step from the descriptor: proc_pid_fd(5). */
export function at({ dir, name }: Spot): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${dir}/`), name]);
}

/** Copies a file, a link or a directory with what is in it, in the place of what is there. */
export function copyTree(from: Spot, to: Spot, rules: CopyRules, copied: Copied, depth = 0): void {
  try {
    copyOne(from, to, rules, copied, depth);
  } catch (error) {
    const { code, syscall = 'copy' } = error as NodeJS.ErrnoException;
    if (error instanceof TsboxError || code === undefined) {
      throw error;
    }
    // The path it names is one of ours to a descriptor, which tells nobody anything.
    throw new TsboxError('TSB3001', `${syscall} ${from.name.toString()}: ${code}`, { syscall, errnoCode: code });
  }
}

function copyOne(from: Spot, to: Spot, rules: CopyRules, copied: Copied, depth: number): void {
  const stat = lstatSync(at(from));
  if (depth > DEPTH) {
    throw new TsboxError('TSB3001', `directories are more than ${DEPTH} levels deep`);
  }
  if (stat.isSymbolicLink()) {
    const target = readlinkSync(at(from), { encoding: 'buffer' });
    replacing(to, () => symlinkSync(target, at(to)));
    const { uid, gid } = rules.owner(stat.uid, stat.gid);
    lchownSync(at(to), uid, gid);
    copied.files++;
  } else if (stat.isDirectory()) {
    copyDirectory(from, to, rules, copied, depth);
  } else if (stat.isFile()) {
    copyFile(from, to, rules);
    copied.files++;
  } else {
    copied.skipped.push(`${from.name.toString()}: neither a file, a directory nor a link`);
  }
}

function copyDirectory(from: Spot, to: Spot, rules: CopyRules, copied: Copied, depth: number): void {
  const source = openSync(at(from), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    let made = true;
    try {
      mkdirSync(at(to), 0o700);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') {
        throw error;
      }
      made = false;
    }
    const target = openSync(at(to), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
      copyEntries(source, target, rules, copied, depth + 1);
      if (made) {
        attributes(target, fstatSync(source), rules);
      }
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}

/** What is in one directory into another. */
export function copyEntries(source: number, target: number, rules: CopyRules, copied: Copied, depth = 0): void {
  for (const name of readdirSync(`/proc/self/fd/${source}`, { encoding: 'buffer' })) {
    copyTree({ dir: source, name }, { dir: target, name }, rules, copied, depth);
  }
}

function copyFile(from: Spot, to: Spot, rules: CopyRules): void {
  // Not blocking: what was a file a moment ago may be a pipe by now.
  const source = openSync(at(from), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const stat = fstatSync(source);
    if (!stat.isFile()) {
      throw new TsboxError('TSB3001', `${from.name.toString()} was changed while it was copied`);
    }
    const target = replacing(to, () => openSync(at(to), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600));
    try {
      copyBytes(source, target);
      attributes(target, stat, rules);
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}

const CHUNK = 1 << 20;

/** Everything from one descriptor to the other. */
export function copyBytes(source: number, target: number): void {
  const buffer = Buffer.allocUnsafe(CHUNK);
  for (let n = readSync(source, buffer); n > 0; n = readSync(source, buffer)) {
    for (let done = 0; done < n;) {
      done += writeSync(target, buffer, done, n - done);
    }
  }
}

/** Makes something under a name, once more after what has it is gone. A directory is not replaced. */
export function replacing<T>(to: Spot, make: () => T): T {
  for (let attempt = 0; ; attempt++) {
    try {
      return make();
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST' || attempt === 3) {
        throw error;
      }
    }
    if (lstatSync(at(to), { throwIfNoEntry: false })?.isDirectory() === true) {
      throw new TsboxError(
        'TSB3001',
        `${to.name.toString()} is a directory there, and nothing else is put in its place`,
      );
    }
    try {
      unlinkSync(at(to));
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') {
        throw error;
      }
    }
  }
}

/** Owner, mode and time, in this order: a change of owner takes set-id bits away. */
function attributes(fd: number, stat: Stats, rules: CopyRules): void {
  const { uid, gid } = rules.owner(stat.uid, stat.gid);
  fchownSync(fd, uid, gid);
  fchmodSync(fd, stat.mode & (rules.setid ? 0o7777 : 0o1777));
  futimesSync(fd, stat.atime, stat.mtime);
}
