/** Where runs of drift are remembered: STATE/history/STACK/drift.jsonl. Bounded; losing it costs nothing else. */
import { appendFileSync, closeSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import type { Native } from '../../native/index.d.ts';
import { replaceFile } from './replace-file.ts';

export const MAX_RUNS = 2000;
export const MAX_BYTES = 1024 * 1024;
/** What is left of either bound, so that not every run rewrites the file. */
const KEPT = 0.75;
const EAGAIN = 11;

export function historyDirectory(stateDir: string, stack: string): string {
  return join(stateDir, 'history', stack);
}

const fileIn = (directory: string): string => join(directory, 'drift.jsonl');

/** The text of the file, '' when there is none. */
export function readRunLines(stateDir: string, stack: string): string {
  try {
    return readFileSync(fileIn(historyDirectory(stateDir, stack)), 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(errnoOf(error))) {
      return '';
    }
    throw error;
  }
}

/** Adds a line under a lock of the directory, so that several may record at once and nothing is lost in a rotation. */
export async function appendRunLine(
  native: Pick<Native, 'lockDir'>,
  stateDir: string,
  stack: string,
  line: string,
  timeoutMs = 5000,
): Promise<void> {
  const directory = historyDirectory(stateDir, stack);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const deadline = Date.now() + timeoutMs;
  let fd = native.lockDir(directory);
  while (fd === -EAGAIN && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    fd = native.lockDir(directory);
  }
  try {
    // Whoever cannot have the lock still adds its line: a single write at the end of the file.
    appendFileSync(fileIn(directory), line, { mode: 0o600 });
    if (fd >= 0) {
      rotate(fileIn(directory));
    }
  } finally {
    if (fd >= 0) {
      closeSync(fd);
    }
  }
}

function rotate(file: string): void {
  const { size } = statSync(file);
  // Shorter, it cannot have so many lines.
  const text = size > MAX_RUNS * 8 ? readFileSync(file, 'utf8') : '';
  const lines = text.split('\n').filter((l) => l !== '');
  if (size <= MAX_BYTES && lines.length <= MAX_RUNS) {
    return;
  }
  const kept = lines.slice(-Math.floor(MAX_RUNS * KEPT));
  let bytes = kept.reduce((n, l) => n + Buffer.byteLength(l) + 1, 0);
  while (kept.length > 1 && bytes > MAX_BYTES * KEPT) {
    bytes -= Buffer.byteLength(kept.shift() ?? '') + 1;
  }
  replaceFile(file, `${kept.join('\n')}\n`, { mode: 0o600 });
}
