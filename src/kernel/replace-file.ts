/** Files that are there whole or as they were. */
import { randomBytes } from 'node:crypto';
import { closeSync, fchmodSync, fchownSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

export interface Replacement {
  /** Of a file that was not there, less the umask. */
  readonly mode: number;
  /** Owner and mode of a file whose place it takes. */
  readonly as?: { readonly uid: number; readonly gid: number; readonly mode: number } | undefined;
  /** On the disk before it has the name. */
  readonly durable?: boolean;
}

/** Puts data in a file's place at once. The last part of the path is not followed: a link there is replaced. */
export function replaceFile(path: string, data: string | Uint8Array, { mode, as, durable }: Replacement): void {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  // Exclusive: nothing that somebody put there in the meantime is followed.
  const fd = openSync(temporary, 'wx', as === undefined ? mode : 0o600);
  try {
    writeFileSync(fd, data);
    if (as !== undefined) {
      fchownSync(fd, as.uid, as.gid);
      fchmodSync(fd, as.mode & 0o7777);
    }
    if (durable === true) {
      fsyncSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}
