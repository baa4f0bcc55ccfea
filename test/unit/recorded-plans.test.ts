/** Plans of realistic machines, from recorded kernels, against what is kept in test/golden/kernels; UPDATE=1 writes it anew. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CLI, repository } from '../support/sandbox.ts';

const KERNELS = join(repository(), 'test', 'kernels');
const GOLDEN = join(repository(), 'test', 'golden', 'kernels');

const MACHINES = readdirSync(KERNELS)
  .filter((f) => f.endsWith('.kernel'))
  .map((f) => f.replace('.kernel', ''));

/** The program as it stands in dist, in the directory of the stack, with nothing of this machine's settings. */
function tsbox(...args: string[]): string {
  const env = { PATH: process.env['PATH'], NO_COLOR: '1' };
  return execFileSync(process.execPath, [CLI, ...args], { cwd: KERNELS, env, encoding: 'utf8', stdio: 'pipe' });
}

function golden(name: string, text: string): void {
  const path = join(GOLDEN, name);
  if (process.env['UPDATE'] === '1' || !existsSync(path)) {
    assert.is(process.env['UPDATE'], '1', `${name} is missing: UPDATE=1 writes it`);
    writeFileSync(path, text);
  }
  assert.fixture(text, readFileSync(path, 'utf8'));
}

/** What differs from run to run, and from version to version. */
function settled(text: string): string {
  return text
    .replace(/("@?timestamp": ?)"[^"]+"/g, '$1"TIME"')
    .replace(/("(?:tsbox|version)": ?)"\d+\.\d+\.\d+[^"]*"/g, '$1"VERSION"')
    .replace(/("@message": ?"tsbox )[\d.]+/g, '$1VERSION');
}

for (const machine of MACHINES) {
  const plan = (...args: string[]): string =>
    tsbox('plan', '-f', 'shop.yaml', '--kernel', `${machine}.kernel`, '-q', ...args);

  test(`${machine}: drift, a change, a removal`, () => {
    golden(`${machine}-drift.txt`, plan());
    golden(`${machine}-changed.md`, plan('--var', 'processes=20', '--format', 'markdown'));
    golden(`${machine}-changed.json`, settled(plan('--var', 'processes=20', '--format', 'json')));
    golden(`${machine}-destroy.txt`, plan('--destroy'));
    golden(`${machine}-replace.jsonl`, settled(plan('--replace', 'container/db', '--json')));
  });
}

test('no golden plan and no recording holds the secret', () => {
  for (const machine of MACHINES) {
    const files = [
      join(KERNELS, `${machine}.kernel`),
      ...['drift.txt', 'changed.md', 'changed.json', 'destroy.txt', 'replace.jsonl'].map((f) =>
        join(GOLDEN, `${machine}-${f}`),
      ),
    ];
    files.forEach((f) => assert.not.match(readFileSync(f, 'utf8'), 'not-a-real-token', f));
  }
});

test('tests against a recorded kernel', () => {
  assert.match(tsbox('test'), /\nSuccess! 4 passed, 0 failed\.\n$/);
});

test.run();
