/** The v1 devices controller itself: transitions are accepted, obeyed and read back as the rules. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { canonicalRules } from '../../src/resources/devices/canonical.ts';
import { DEFAULT_DEVICE_RULES } from '../../src/resources/devices/defaults.ts';
import { parseDeviceRule, type DeviceRule } from '../../src/resources/devices/schema.ts';
import { canonicalFromList, v1Transition } from '../../src/resources/devices/v1.ts';
import { rulesArbitrary } from '../support/device-rules.ts';

const line = readFileSync('/proc/self/mountinfo', 'utf8')
  .split('\n')
  .find((l) => / - cgroup .*\bdevices\b/.test(l));
const mount = line?.split(' ')[4];
const reason =
  mount === undefined ? 'no v1 devices hierarchy is mounted' : process.getuid?.() === 0 ? undefined : 'not root';

const parse = (text: string): DeviceRule => {
  const rule = parseDeviceRule(text.startsWith('allow '), text.replace(/^\w+ /, ''));
  if (typeof rule === 'string') throw new Error(rule);
  return rule;
};

function inCgroup(body: (cgroup: string) => void): void {
  const cgroup = join(mount ?? '', `tsbox-test-${process.pid}-devices`);
  mkdirSync(cgroup);
  try {
    body(cgroup);
  } finally {
    rmdirSync(cgroup);
  }
}

/** Makes the cgroup's list decide as the rules do; false when v1 cannot. */
function apply(cgroup: string, rules: readonly DeviceRule[]): boolean {
  const result = v1Transition(readFileSync(`${cgroup}/devices.list`, 'utf8'), rules);
  if (!result.ok) return false;
  for (const w of result.writes) writeFileSync(`${cgroup}/${w.file}`, w.line);
  assert.equal(canonicalFromList(readFileSync(`${cgroup}/devices.list`, 'utf8')), canonicalRules(rules));
  return true;
}

if (reason !== undefined) {
  console.log(`skipped: test/host/devices-v1: ${reason}`);
} else {
  test('the default rules are obeyed and read back', () => {
    inCgroup((cgroup) => {
      assert.ok(apply(cgroup, DEFAULT_DEVICE_RULES));
      assert.ok(apply(cgroup, ['allow c 1:3 rw', 'allow c 1:5 r'].map(parse)));
      const attempts = ['<>/dev/null', '</dev/zero', '<>/dev/zero', '</dev/full'];
      const script = attempts.map((r) => `(: ${r}) 2>/dev/null && echo ok || echo no`).join('\n');
      const run = spawnSync('/bin/sh', ['-c', `echo $$ > ${cgroup}/cgroup.procs\n${script}`], { encoding: 'utf8' });
      assert.equal(run.stdout.trim().split('\n'), ['ok', 'ok', 'no', 'no']);
    });
  });

  test('from any rules to any rules', () => {
    const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
    console.log(`fast-check seed ${seed}`);
    inCgroup((cgroup) => {
      let applied = 0;
      fc.assert(
        fc.property(rulesArbitrary, (rules) => {
          if (apply(cgroup, rules)) applied++;
        }),
        { seed, numRuns: 200 },
      );
      assert.ok(applied > 10, `only ${applied} were expressible`);
    });
  });
}

test.run();
