/**
 * The entries of a tar archive as files beneath a directory of a container. The archive is nobody's friend: a name that
 * climbs, or a hard link to one, is refused, and the kernel keeps every step beneath the directory (openat2(2)).
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  ftruncateSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { errnoOf, TsboxError } from '../../errors.ts';
import { O_PATH } from '../../kernel/container-root.ts';
import { printable } from '../../kernel/layer-writer.ts';
import type { TarEntry, TarSink } from '../../kernel/tar/parser.ts';
import { at, replacing, type Copied, type CopyRules, type Spot } from './tree.ts';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

/** No file is longer on any file system that is not made to be; holes cost an archive nothing. */
const LONGEST = 16 * 2 ** 40;
const ID_MOST = 0xfffffffe;

/** A directory that the archive has made, and what it gets when everything in it is there. */
interface Directory {
  readonly entry: TarEntry;
  readonly ino: number;
}

/** Opens a directory beneath the target; undefined where there is none. */
export type OpenBelow = (path: string, flags: number) => number | undefined;

export class TarIn implements TarSink {
  readonly copied: Copied = { files: 0, skipped: [] };
  readonly #open: OpenBelow;
  readonly #rules: CopyRules;
  readonly #directories = new Map<string, Directory>();
  #parent: { readonly path: string; readonly fd: number } | undefined;
  #entry: TarEntry | undefined;
  #file: number | undefined;

  constructor(open: OpenBelow, rules: CopyRules) {
    this.#open = open;
    this.#rules = rules;
  }

  entry(entry: TarEntry): void {
    this.#entry = entry;
    this.#telling(() => this.#make(entry));
  }

  data(bytes: Buffer, offset: number): void {
    const fd = this.#file;
    if (fd !== undefined) {
      this.#telling(() => {
        for (let done = 0; done < bytes.length;) {
          done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
        }
      });
    }
  }

  end(): void {
    const [fd, entry] = [this.#file, this.#entry];
    if (fd !== undefined && entry !== undefined) {
      this.#telling(() => {
        ftruncateSync(fd, entry.size);
        this.#attributes(fd, entry);
        this.close();
      });
      this.copied.files++;
    }
  }

  /** Directories get their times and modes when all is in them: those that are still the ones that were made. */
  finish(): void {
    for (const [path, { entry, ino }] of [...this.#directories].reverse()) {
      this.#entry = entry;
      this.#telling(() => {
        const fd = this.#open(path, O_DIRECTORY | O_NOFOLLOW);
        if (fd !== undefined) {
          try {
            if (fstatSync(fd).ino === ino) {
              this.#attributes(fd, entry);
            }
          } finally {
            closeSync(fd);
          }
        }
      });
    }
  }

  /** Lets go of what is open, whatever came of it. */
  close(): void {
    if (this.#file !== undefined) {
      closeSync(this.#file);
      this.#file = undefined;
    }
  }

  closeAll(): void {
    this.close();
    if (this.#parent !== undefined) {
      closeSync(this.#parent.fd);
      this.#parent = undefined;
    }
  }

  #make(entry: TarEntry): void {
    const path = clean(entry, entry.path, 'its name');
    if (path === '') {
      // The directory itself is there already, and keeps what it has.
      return;
    }
    if (entry.type === 'char' || entry.type === 'block' || entry.type === 'fifo') {
      this.copied.skipped.push(`${printable(entry.path)}: neither a file, a directory nor a link`);
      return;
    }
    const to = this.#spot(path);
    switch (entry.type) {
      case 'dir':
        return this.#directory(to, path, entry);
      case 'symlink': {
        const { uid, gid } = this.#owner(entry);
        replacing(to, () => symlinkSync(bytesOf(entry.link), at(to)));
        lchownSync(at(to), uid, gid);
        const time = seconds(entry);
        lutimesSync(at(to), time, time);
        this.copied.files++;
        return;
      }
      case 'link': {
        const target = clean(entry, entry.link, 'what it links to');
        const slash = target.lastIndexOf('/');
        const fd = this.#below(target.slice(0, Math.max(0, slash)), false);
        try {
          replacing(to, () => linkSync(at({ dir: fd, name: bytesOf(target.slice(slash + 1)) }), at(to)));
        } finally {
          closeSync(fd);
        }
        this.copied.files++;
        return;
      }
      case 'file':
        if (entry.size > LONGEST) {
          throw refused(entry, `it claims ${entry.size} bytes`);
        }
        this.#owner(entry);
        this.#file = replacing(to, () => openSync(at(to), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600));
    }
  }

  #directory(to: Spot, path: string, entry: TarEntry): void {
    this.#owner(entry);
    try {
      mkdirSync(at(to), 0o700);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') {
        throw error;
      }
      // What is there stays as it is; a link to a directory is one for what comes below it, too.
      const fd = this.#open(text(entry, path), O_PATH | O_DIRECTORY);
      if (fd === undefined) {
        throw refused(entry, 'something that is no directory is in its place');
      }
      closeSync(fd);
      return;
    }
    this.#directories.set(text(entry, path), { entry, ino: lstatSync(at(to)).ino });
  }

  /** The place of a name; directories on the way that the archive leaves out are made. */
  #spot(path: string): Spot {
    const slash = path.lastIndexOf('/');
    const parent = path.slice(0, Math.max(0, slash));
    if (this.#parent?.path !== parent) {
      const fd = this.#below(parent, true);
      if (this.#parent !== undefined) {
        closeSync(this.#parent.fd);
      }
      this.#parent = { path: parent, fd };
    }
    return { dir: this.#parent.fd, name: bytesOf(path.slice(slash + 1)) };
  }

  #below(path: string, make: boolean): number {
    const entry = this.#entry as TarEntry;
    const name = text(entry, path === '' ? '.' : path);
    const fd = this.#open(name, O_PATH | O_DIRECTORY);
    if (fd !== undefined) {
      return fd;
    }
    if (!make || path === '') {
      throw refused(entry, `${printable(path)} is not there`);
    }
    const slash = path.lastIndexOf('/');
    const above = this.#below(path.slice(0, Math.max(0, slash)), true);
    try {
      mkdirSync(at({ dir: above, name: bytesOf(path.slice(slash + 1)) }), 0o755);
      const { uid, gid } = this.#rules.owner(0, 0);
      lchownSync(at({ dir: above, name: bytesOf(path.slice(slash + 1)) }), uid, gid);
    } finally {
      closeSync(above);
    }
    const made = this.#open(name, O_PATH | O_DIRECTORY);
    if (made === undefined) {
      throw refused(entry, `${printable(path)} on its way leads nowhere`);
    }
    return made;
  }

  #owner(entry: TarEntry): { readonly uid: number; readonly gid: number } {
    if (entry.uid < 0 || entry.gid < 0 || entry.uid > ID_MOST || entry.gid > ID_MOST) {
      throw refused(entry, 'its owner is not an id');
    }
    return this.#rules.owner(entry.uid, entry.gid);
  }

  /** Owner, mode and time, in this order: a change of owner takes set-id bits away. */
  #attributes(fd: number, entry: TarEntry): void {
    const { uid, gid } = this.#owner(entry);
    fchownSync(fd, uid, gid);
    fchmodSync(fd, entry.mode);
    futimesSync(fd, seconds(entry), seconds(entry));
  }

  /** What goes wrong names the entry; the path of the call is one of ours to a descriptor. */
  #telling(body: () => void): void {
    try {
      body();
    } catch (error) {
      const { code, syscall = 'copy' } = error as NodeJS.ErrnoException;
      if (error instanceof TsboxError || code === undefined) {
        throw error;
      }
      const name = printable(this.#entry?.path ?? '');
      throw new TsboxError('TSB3001', `${syscall} ${name}: ${code}`, { syscall, errnoCode: code });
    }
  }
}

function seconds({ time }: TarEntry): number {
  return time.sec + time.nsec / 1e9;
}

function bytesOf(path: string): Buffer {
  return Buffer.from(path, 'latin1');
}

/** As a path to be resolved, which is text. */
function text(entry: TarEntry, path: string): string {
  const utf8 = bytesOf(path).toString();
  if (!Buffer.from(utf8).equals(bytesOf(path))) {
    throw refused(entry, 'a directory on its way has a name that is not UTF-8');
  }
  return utf8;
}

/** A path without '.', empty parts and slashes at its ends; '' is the directory itself. */
function clean(entry: TarEntry, path: string, what: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  const why = path.includes('\0')
    ? 'has a NUL byte'
    : path.startsWith('/')
      ? 'is absolute'
      : parts.includes('..')
        ? "goes up by '..'"
        : parts.length === 0 && entry.type !== 'dir'
          ? 'is empty'
          : undefined;
  if (why !== undefined) {
    throw refused(entry, `${what} ${why}`);
  }
  return parts.join('/');
}

function refused(entry: TarEntry, why: string): TsboxError {
  return new TsboxError('TSB3010', `entry ${printable(entry.path)} is refused: ${why}`, { subject: entry.path });
}
