/** Device programs on a real cgroup: loaded, replaced, obeyed by a child, read back as the rules they came from. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Native } from '../../native/index.d.ts';
import { canonicalRules } from '../../src/resources/devices/canonical.ts';
import { compileRules } from '../../src/resources/devices/compile.ts';
import { decodePrograms } from '../../src/resources/devices/decode.ts';
import { DEFAULT_DEVICE_RULES } from '../../src/resources/devices/defaults.ts';
import { parseDeviceRule, type DeviceRule } from '../../src/resources/devices/schema.ts';

const addon = resolve('dist/tsbox.node');
const mount = readFileSync('/proc/self/mountinfo', 'utf8')
  .split('\n')
  .find((l) => / - cgroup2 /.test(l))
  ?.split(' ')[4];
const reason = !existsSync(addon)
  ? `${addon} is not built`
  : mount === undefined
    ? 'no cgroup2 is mounted'
    : process.getuid?.() === 0
      ? undefined
      : 'not root';

const parse = (text: string): DeviceRule => {
  const rule = parseDeviceRule(text.startsWith('allow '), text.replace(/^\w+ /, ''));
  if (typeof rule === 'string') throw new Error(rule);
  return rule;
};

/** Opens each device from a shell inside the cgroup: 'ok' or 'no'. */
function opens(cgroup: string, redirections: readonly string[]): string[] {
  const script = redirections.map((r) => `(: ${r}) 2>/dev/null && echo ok || echo no`).join('\n');
  const run = spawnSync('/bin/sh', ['-c', `echo $$ > ${cgroup}/cgroup.procs\n${script}`], { encoding: 'utf8' });
  return run.stdout.trim().split('\n');
}

/** Runs with a cgroup of its own, which goes away whatever happens. */
function inCgroup(body: (cgroup: string, native: Native) => void): void {
  const native = createRequire(import.meta.url)(addon) as Native;
  const cgroup = join(mount ?? '', `tsbox-test-${process.pid}-devices`);
  mkdirSync(cgroup);
  try {
    body(cgroup, native);
  } finally {
    native.deviceProgramDetach(cgroup);
    rmdirSync(cgroup);
  }
}

const CASES: ReadonlyArray<readonly [name: string, rules: readonly DeviceRule[], opens: readonly string[]]> = [
  ['default rules', DEFAULT_DEVICE_RULES, ['ok', 'ok', 'ok', 'ok']],
  // /dev/null stays writable: the shell sends its errors there.
  ['null and reading zero only', ['allow c 1:3 rw', 'allow c 1:5 r'].map(parse), ['ok', 'ok', 'no', 'no']],
  [
    'read and write by two rules',
    ['allow c 1:3 rw', 'allow c 1:5 r', 'allow c 1:5 w'].map(parse),
    ['ok', 'ok', 'ok', 'no'],
  ],
  ['all but full', ['allow all', 'deny c 1:7 rwm'].map(parse), ['ok', 'ok', 'ok', 'no']],
];
const ATTEMPTS = ['<>/dev/null', '</dev/zero', '<>/dev/zero', '</dev/full'];

if (reason !== undefined) {
  console.log(`skipped: test/host/devices: ${reason}`);
} else {
  test('each rule set is obeyed and reads back as itself, each replacing the one before', () => {
    inCgroup((cgroup, native) => {
      let last = 0;
      for (const [name, rules, expected] of CASES) {
        const id = native.deviceProgramReplace(cgroup, compileRules(rules), 'tsbox_test');
        assert.is.not(id, last, name);
        last = id;
        const [programs] = native.devicePrograms([cgroup]);
        if (!Array.isArray(programs)) throw new Error(`query: errno ${programs}`);
        assert.equal(
          programs.map((p) => p.id),
          [id],
          `${name}: exactly one program`,
        );
        const code = programs.map((p) => p.xlated).filter((x): x is Uint8Array => typeof x !== 'number');
        assert.equal(decodePrograms(code), canonicalRules(rules), name);
        assert.equal(opens(cgroup, ATTEMPTS), expected, name);
      }
      assert.is(native.deviceProgramDetach(cgroup), 1);
      assert.equal(native.devicePrograms([cgroup]), [[]]);
      assert.equal(opens(cgroup, ATTEMPTS), ['ok', 'ok', 'ok', 'ok']);
    });
  });

  test('a replacement is never a moment without a filter', () => {
    inCgroup((cgroup, native) => {
      const [one, two] = [['allow c 1:3 rw'], ['allow c 1:3 rw', 'allow c 1:5 r']].map((r) =>
        compileRules(r.map(parse)),
      );
      if (!one || !two) throw new Error('unreachable');
      for (let i = 0; i < 100; i++) {
        native.deviceProgramReplace(cgroup, i % 2 ? one : two, 'tsbox_test');
        const [programs] = native.devicePrograms([cgroup]);
        assert.is(Array.isArray(programs) && programs.length, 1);
      }
      assert.equal(opens(cgroup, ['</dev/full']), ['no']);
    });
  });
}

test.run();
