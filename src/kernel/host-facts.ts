/** Questions to the host that its own calls of node answer: device nodes, where paths lead, contents of files. */
import { closeSync, constants, fstatSync, openSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { errnoOf, TsboxError, whyOf } from '../errors.ts';
import { errnoName, loadNative } from './native.ts';

const [ENOENT, ENOTDIR, EINVAL] = [2, 20, 22];

export interface DeviceNumbers {
  readonly type: 'b' | 'c';
  readonly major: number;
  readonly minor: number;
}

/** Numbers of the device node at a path of the host, links followed; undefined for anything else. */
export function deviceAt(path: string): DeviceNumbers | undefined {
  let stat;
  try {
    stat = statSync(path);
  } catch {
    return undefined;
  }
  if (!stat.isCharacterDevice() && !stat.isBlockDevice()) {
    return undefined;
  }
  // makedev(3): glibc's 64-bit dev_t layout.
  const dev = BigInt(stat.rdev);
  const major = Number(((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn));
  const minor = Number((dev & 0xffn) | ((dev >> 12n) & ~0xffn));
  return { type: stat.isBlockDevice() ? 'b' : 'c', major, minor };
}

/** Larger ones belong to no container. */
const ACCOUNT_FILE_LIMIT = 4 * 1024 * 1024;

/**
 * /etc/passwd or group file of a root made of these directories, the topmost first; '' when there is none. Links in
 * it lead where they would inside, never to a file of the host.
 */
export function readAccountFile(roots: readonly string[], name: 'passwd' | 'group'): string {
  for (const root of roots) {
    const file = loadNative().readInRoot(root, [`etc/${name}`], ACCOUNT_FILE_LIMIT)[0] ?? -ENOENT;
    if (typeof file === 'object') {
      return Buffer.from(file.content).toString();
    }
    if (file === -EINVAL) {
      // No regular file: a layer hides it.
      return '';
    }
    if (file !== -ENOENT && file !== -ENOTDIR) {
      throw new TsboxError('TSB3001', `read ${root}/etc/${name}: ${errnoName(-file)}`);
    }
  }
  return '';
}

/** open(2)'s O_PATH, which node does not name: the object is named and not opened. */
const O_PATH = 0o10000000;

/** A path without symbolic links; undefined when it leads nowhere. */
export function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

export interface Located {
  /** Without symbolic links. */
  readonly path: string;
  /** Id of the mount it is on, as in mountinfo. */
  readonly mount: number;
  readonly kind: 'dir' | 'file';
}

/** Where a path of the host leads; undefined when it leads nowhere. */
export function locatePath(path: string): Located | undefined {
  let fd: number;
  try {
    fd = openSync(path, O_PATH);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP'].includes(errnoOf(error))) {
      return undefined;
    }
    throw error;
  }
  try {
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
    return {
      path: readlinkSync(`/proc/self/fd/${fd}`),
      mount: Number(/^mnt_id:\s*(\d+)/m.exec(info)?.[1] ?? 0),
      kind: fstatSync(fd).isDirectory() ? 'dir' : 'file',
    };
  } finally {
    closeSync(fd);
  }
}

/** The bytes of a regular file of at most `limit` bytes, or in a word why they cannot be had. */
export function readContent(path: string, limit: number): Buffer | string {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return whyOf(error);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) {
      return 'it is no regular file';
    }
    return stat.size > limit ? `it has ${stat.size} bytes, more than ${limit}` : readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}
