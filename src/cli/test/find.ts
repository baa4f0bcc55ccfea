/** Which test files are meant, and reading them: all of them, before any is run. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errorsOf, TsboxError, TsboxErrors } from '../../errors.ts';
import { compiled } from '../../stack/cel.ts';
import { loadTestFile, TEST_SUFFIX, type TestFile } from '../../stack/tests/load.ts';

/** Files as they are given, and of directories the test files in them. @throws TsboxError TSB2001 where there are none */
export function findTestFiles(given: readonly string[]): string[] {
  const names = (given.length === 0 ? ['.'] : given).flatMap((name) => {
    if (statSync(name, { throwIfNoEntry: false })?.isDirectory() !== true) {
      return [name];
    }
    return readdirSync(name)
      .filter((f) => f.endsWith(TEST_SUFFIX))
      .sort()
      .map((f) => join(name, f));
  });
  if (names.length === 0) {
    throw new TsboxError(
      'TSB2001',
      `there is no test file in ${given.length === 0 ? 'this directory' : given.join(', ')}`,
      {
        expected: `files that end in ${TEST_SUFFIX}`,
      },
    );
  }
  return [...new Set(names)];
}

/** @throws TsboxErrors with every error of all files */
export function loadTestFiles(names: readonly string[]): TestFile[] {
  const errors: TsboxError[] = [];
  const files = names.flatMap((name) => {
    try {
      const file = loadTestFile(name);
      compiled(file.runs.flatMap((r) => r.assertions));
      return [file];
    } catch (error) {
      errors.push(...errorsOf(error));
      return [];
    }
  });
  if (errors.length > 0) {
    throw new TsboxErrors(errors);
  }
  return files;
}
