/** Stack files for tests: written to a directory of their own and loaded. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { TsboxErrors } from '../../src/errors.ts';
import type { TsboxError } from '../../src/errors.ts';
import { loadStack } from '../../src/stack/index.ts';
import type { LoadOptions, Stack } from '../../src/stack/index.ts';

export type Files = Readonly<Record<string, string | Uint8Array>>;

/** Calls back with a directory that holds the files, and removes it. */
export function withFiles<T>(files: Files, use: (directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'tsbox-stack-'));
  try {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(directory, name)), { recursive: true });
      writeFileSync(join(directory, name), content);
    }
    return use(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Loads `names` (by default stack.yaml) of the files. */
export function load(
  files: Files | string,
  names: readonly string[] = ['stack.yaml'],
  options: Partial<LoadOptions> = {},
): Stack {
  const all = typeof files === 'string' ? { 'stack.yaml': files } : files;
  return withFiles(all, (directory) =>
    loadStack(
      names.map((n) => join(directory, n)),
      { env: {}, ...options },
    ),
  );
}

/** The errors of a stack that cannot be loaded. */
export function errorsOf(
  files: Files | string,
  names?: readonly string[],
  options?: Partial<LoadOptions>,
): readonly TsboxError[] {
  try {
    load(files, names, options);
  } catch (error) {
    if (error instanceof TsboxErrors) {
      return error.errors;
    }
    throw error;
  }
  throw new Error('the stack has no error');
}

/** A stack with the text after its first two lines. */
export function stack(text: string): string {
  return `tsbox: 1\nname: shop\n${text}`;
}
