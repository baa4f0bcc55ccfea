/** docs/traps.md names tests that exist; and those traps that need no kernel. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { launchHint } from '../../src/kernel/launch-hints.ts';
import { repository } from '../support/sandbox.ts';

const read = (path: string): string => readFileSync(join(repository(), path), 'utf8');

test('every trap names tests, and each of them exists', () => {
  const rows = read('docs/traps.md')
    .split('\n')
    .filter((line) => /^\| (?!trap |---)/.test(line))
    .map((line) => line.slice(2, -2).split(' | '));
  assert.ok(rows.length > 35);
  for (const [trap = '', does = '', tests = '', ...more] of rows) {
    assert.equal(more, [], `${trap}: a column too many`);
    assert.ok(does.length > 5, trap);
    for (const named of tests.split('; ')) {
      const [file = '', ...words] = named.split(': ');
      const text = read(`test/${file}.test.ts`);
      const name = words.join(': ');
      // Of a file that is named alone, all of them; duplicate-key is a stack of bad-stacks, which its test reads from the directory.
      const there =
        file === 'unit/bad-stacks'
          ? readdirSync(join(repository(), 'test/bad-stacks')).includes(`${name}.yaml`)
          : words.length === 0 ||
            new RegExp(`\\b(?:test|trap|scenario)\\(\\s*['"\`]${name.replace(/[.*+?^$()|[\]\\{}]/g, '\\$&')}`).test(
              text,
            );
      assert.ok(there, `${trap}: no test '${named}'`);
    }
  }
});

test('the addon enters no namespace: its process has many threads, and those of a pool among them', () => {
  const sources = readdirSync(join(repository(), 'native')).filter((f) => f.endsWith('.cc'));
  assert.ok(sources.length > 15);
  for (const source of sources) {
    assert.not.match(read(`native/${source}`), /\b(?:setns|unshare|SYS_setns|SYS_unshare)\s*[(,]/, source);
  }
});

test('a root that cannot be moved away from: the error says so, and how else', () => {
  const hint = launchHint('pivot_root', 'EINVAL', '/', () => 'rootfs') ?? '';
  assert.match(hint, /cannot be moved away from.*pivot: false/);
});

test.run();
