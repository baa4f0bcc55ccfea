/** Files that people keep: written whole or not at all. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { TsboxError } from '../errors.ts';

/**
 * Puts text in a file's place at once. A link stays one: the file it leads to is replaced. Mode and owner of a file that
 * was there are kept.
 * @throws TsboxError TSB1001
 */
export function writeWhole(path: string, text: string): void {
  try {
    const target = resolved(path);
    const before = target.exists ? statSync(target.path) : undefined;
    if (before !== undefined && !before.isFile()) {
      throw new TsboxError('TSB1001', `cannot write '${path}': it is not a regular file`);
    }
    const temporary = join(dirname(target.path), `.${basename(target.path)}.${randomBytes(6).toString('hex')}`);
    // Exclusive: nothing that somebody put there in the meantime is followed.
    const fd = openSync(temporary, 'wx', before === undefined ? 0o666 : 0o600);
    try {
      writeSync(fd, text);
      if (before !== undefined) {
        fchownSync(fd, before.uid, before.gid);
        fchmodSync(fd, before.mode & 0o7777);
      }
      fsyncSync(fd);
      renameSync(temporary, target.path);
    } catch (error) {
      unlinkSync(temporary);
      throw error;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof TsboxError) {
      throw error;
    }
    const code = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw new TsboxError('TSB1001', `cannot write '${path}': ${code}`, { errnoCode: code, cause: error });
  }
}

function resolved(path: string): { readonly path: string; readonly exists: boolean } {
  try {
    return { path: realpathSync(path), exists: true };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw error;
    }
    return { path: join(realpathSync(dirname(path)), basename(path)), exists: false };
  }
}
