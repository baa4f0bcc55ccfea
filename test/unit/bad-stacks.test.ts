/**
 * Every malformed stack in test/bad-stacks with the whole text of its errors in the .txt beside it.
 * UPDATE=1 rewrites the texts; read each of them before committing.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TsboxErrors } from '../../src/errors.ts';
import { loadStack, renderErrors } from '../../src/stack/index.ts';

const home = process.cwd();
const directory = `${home}/test/bad-stacks`;

/** What loading says, with files named relative to their directory. */
function complaint(name: string): string {
  process.chdir(directory);
  try {
    loadStack([name], { env: {} });
    return 'no error\n';
  } catch (error) {
    if (!(error instanceof TsboxErrors)) {
      throw error;
    }
    return `${renderErrors(error.errors)}\n`;
  } finally {
    process.chdir(home);
  }
}

const stacks = readdirSync(directory).filter((name) => name.endsWith('.yaml'));

test('there are at least forty malformed stacks', () => {
  assert.ok(stacks.length >= 40, `${stacks.length} found`);
});

for (const name of stacks) {
  test(name, () => {
    const text = `${directory}/${name.replace(/\.yaml$/, '.txt')}`;
    const found = complaint(name);
    if (process.env['UPDATE'] === '1') {
      writeFileSync(text, found);
    }
    assert.ok(existsSync(text), `${text} is missing: UPDATE=1 writes it`);
    assert.fixture(found, readFileSync(text, 'utf8'));
    assert.not.match(found, /^no error/);
  });
}

test.run();
