/** The runner itself: each way in which uvu stays green though something is wrong. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { repository } from '../support/sandbox.ts';

const UVU = pathToFileURL(join(repository(), 'node_modules/uvu/dist/index.mjs')).href;

interface Judged {
  readonly code: number | null;
  readonly last: string;
  readonly output: string;
}

/** Runs the runner over one file with this body. */
function judge(body: string, ...args: string[]): Judged {
  return judgeFiles('unit', body === '' ? {} : { case: body }, ...args);
}

/** Runs the runner over these files of a suite. */
function judgeFiles(suite: string, bodies: Readonly<Record<string, string>>, ...args: string[]): Judged {
  const dir = mkdtempSync(join(tmpdir(), 'tsbox-runner-'));
  try {
    mkdirSync(join(dir, suite));
    for (const [name, body] of Object.entries(bodies)) {
      writeFileSync(join(dir, suite, `${name}.test.mjs`), `import { test } from '${UVU}';\n${body}`);
    }
    const run = spawnSync(process.execPath, [join(repository(), 'scripts/test.mjs'), suite, ...args], {
      encoding: 'utf8',
      env: { ...process.env, TSBOX_TEST_DIR: dir, TSBOX_TEST_TIMEOUT: '3' },
    });
    return { code: run.status, last: run.stdout.trimEnd().split('\n').at(-1) ?? '', output: run.stdout };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

test('a passing file passes', () => {
  const { code, last } = judge("test('a', () => {}); test.run();");
  assert.is(code, 0);
  assert.is(last, '1 passed, 0 failed, 0 skipped');
});

const BROKEN: Readonly<Record<string, string>> = {
  'a failing test': "test('a', () => { throw new Error('x'); }); test.run();",
  'a throwing before hook': "test.before(() => { throw new Error('x'); }); test('a', () => {}); test.run();",
  'a throwing after.each hook':
    "test.after.each(() => { throw new Error('x'); }); test('a', () => {}); test('b', () => { throw new Error('y'); }); test.run();",
  'a forgotten run()': "test('a', () => {});",
  'a file without tests': 'test.run();',
  'an exit in the middle': "test('a', () => {}); test('b', () => process.exit(0)); test.run();",
  'a hang': "test('a', () => new Promise((r) => setTimeout(r, 60000))); test.run();",
};

for (const [what, body] of Object.entries(BROKEN)) {
  test(`${what} fails`, () => {
    const { code, last, output } = judge(body);
    assert.is(code, 1, output);
    assert.match(last, /^\d+ passed, [1-9]\d* failed, \d+ skipped$/);
  });
}

test('no file at all fails', () => {
  assert.is(judge('').code, 1);
});

// Fails at its first run and passes at the next.
const ONCE = `
  import { existsSync, writeFileSync } from 'node:fs';
  const mark = new URL('mark', import.meta.url);
  test('late', () => { if (!existsSync(mark)) { writeFileSync(mark, ''); throw new Error('too late'); } });
  test.run();`;

test('with --again a file that failed beside another is judged alone, and named', () => {
  const passed = judgeFiles('host', { once: ONCE }, '--again');
  assert.is(passed.code, 0, passed.output);
  assert.is(passed.last, '1 passed, 0 failed, 0 skipped');
  assert.match(passed.output, /^flaky: host\/once\.test\.mjs: "late": too late$/m);
  const twice = judgeFiles('host', { twice: "test('a', () => { throw new Error('x'); }); test.run();" }, '--again');
  assert.is(twice.code, 1);
  assert.is(twice.last, '0 passed, 1 failed, 0 skipped');
  assert.match(twice.output, /^failed: host\/twice\.test\.mjs: "a": x$/m);
});

test('there is one run without --again, for pure logic, and when much fails', () => {
  const plain = judgeFiles('host', { once: ONCE });
  assert.is(plain.code, 1);
  assert.match(plain.output, /^failed: host\/once\.test\.mjs: "late": too late$/m);
  assert.is(judgeFiles('unit', { once: ONCE }, '--again').code, 1);
  const many = Object.fromEntries(
    Array.from({ length: 5 }, (_, i) => [`once${i}`, ONCE.replace("'mark'", `'mark${i}'`)]),
  );
  assert.is(judgeFiles('host', many, '--again').last, '0 passed, 5 failed, 0 skipped');
});

test('files run side by side, and what measures runs alone', () => {
  const meets = (own: string, other: string): string => `
    import { existsSync, writeFileSync } from 'node:fs';
    const here = (name) => new URL(name, import.meta.url);
    test('meets the other', async () => {
      writeFileSync(here('${own}.began'), '');
      while (!existsSync(here('${other}.began'))) await new Promise((r) => setTimeout(r, 10));
      writeFileSync(here('${own}.ended'), '');
    });
    test.run();`;
  const alone = `
    import { existsSync } from 'node:fs';
    test('comes after both', () => {
      for (const name of ['a', 'b']) if (!existsSync(new URL(name + '.ended', import.meta.url))) throw new Error(name);
    });
    test.run();`;
  const { code, output } = judgeFiles('host', { a: meets('a', 'b'), stats: alone, z: meets('b', 'a') });
  assert.is(code, 0, output);
});

test('a skip is counted with its reason, and fails a strict run', () => {
  const body = "console.log('# SKIP a: not here'); test('b', () => {}); test.run();";
  const lenient = judge(body);
  assert.is(lenient.code, 0);
  assert.match(lenient.output, 'skipped: a: not here');
  assert.is(lenient.last, '1 passed, 0 failed, 1 skipped');
  assert.is(judge(body, '--strict').code, 1);
});

test.run();
