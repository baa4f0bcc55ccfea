/** Files only root may read: a checkpoint holds the memory of processes. */
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { errnoOf } from '../errors.ts';

/** An empty directory, whatever was there. */
export function freshDirectory(path: string, mode = 0o700): void {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true, mode });
  chmodSync(path, mode);
}

export function removePath(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

export function writePrivate(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
}

/** The text of a file, undefined when there is none. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error))) {
      return undefined;
    }
    throw error;
  }
}

/** Puts a finished directory in the place of an older one. */
export function replaceDirectory(finished: string, place: string): void {
  rmSync(place, { recursive: true, force: true });
  renameSync(finished, place);
}
