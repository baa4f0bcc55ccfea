/**
 * Rule sets replaced under a process that keeps opening devices: what both refuse never opens, what both allow never
 * fails, however often and by whichever way the set changes.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { executionContext } from '../../src/executor/context.ts';
import { applyDevices } from '../../src/executor/steps/devices.ts';
import { openKernel } from '../../src/kernel/kernel.ts';
import { canonicalRules } from '../../src/resources/devices/canonical.ts';
import { parseDeviceRule, type DeviceRule } from '../../src/resources/devices/schema.ts';
import { buildProbe, hasCompiler } from '../support/device-probe.ts';
import { until } from '../support/init-harness.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { layout, sandbox } from '../support/sandbox.ts';

const reason = process.getuid?.() !== 0 ? 'not root' : hasCompiler ? undefined : 'no C compiler';

const REPLACEMENTS = 1000;
const APPLIES = 4;
/** The probe makes some hundred thousand rounds a second; a tenth of a round per replacement would prove nothing. */
const LEAST_ROUNDS = REPLACEMENTS * 2;

/** 1:7 (full) is in none of them, 1:5 (zero) in all, by different entries; they share little else. */
const SETS: ReadonlyArray<readonly string[]> = [
  ['c 1:3 rw', 'c 1:5 rw', 'c 5:0 rw'],
  ['c 1:0-6 rw', 'c 136:* rw'],
  ['c *:5 rw', 'b 8:0 r', 'c 1:3 rw'],
  ['c 1:5 r', 'c 1:5 w', 'c 10:200 rw', 'c 1:3 rwm'],
];

const rulesOf = (set: readonly string[]): DeviceRule[] =>
  set.map((text) => {
    const rule = parseDeviceRule(true, text);
    if (typeof rule === 'string') throw new Error(rule);
    return rule;
  });

const stack = (root: string, devices: string): string => `
tsbox: 1
name: devices
containers:
  prober:
    rootfs: { dir: ${root} }
    command: [/device-probe, hammer, /dev/full, /dev/zero, /tmp/counts]
    devices: ${devices}
`;

const listed = (set: readonly string[]): string => `[ ${set.map((s) => `{ allow: '${s}' }`).join(', ')} ]`;

interface Counts {
  readonly refusals: number;
  readonly notRefused: number;
  readonly opens: number;
  readonly failed: number;
  readonly errno: number;
}

function countsOf(pid: number): Counts {
  const bytes = readFileSync(`/proc/${pid}/root/tmp/counts`);
  const [refusals, notRefused, opens, failed, errno] = [0, 1, 2, 3, 4].map((i) => Number(bytes.readBigUInt64LE(i * 8)));
  return {
    refusals: refusals ?? 0,
    notRefused: notRefused ?? 0,
    opens: opens ?? 0,
    failed: failed ?? 0,
    errno: errno ?? 0,
  };
}

if (reason !== undefined) {
  console.log(`skipped: test/host/devices-replace: ${reason}`);
} else {
  test('1000 replacements under a process that opens without pause', async () => {
    const before = await snapshot();
    const box = await sandbox('devices-replace');
    try {
      const root = join(box.dir, 'root');
      for (const name of ['dev', 'proc', 'sys', 'tmp']) mkdirSync(join(root, name), { recursive: true });
      buildProbe(root);
      const apply = async (set: readonly string[]): Promise<void> => {
        const file = box.write('stack.yaml', stack(root, listed(set)));
        const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
        assert.is(applied.code, 0, applied.stderr);
      };
      // The nodes are made under a set that allows it, and stay.
      await apply(['c 1:* rwm']);
      const ps = await box.tsbox('ps', '--json', '--stack', 'devices');
      const pid = (JSON.parse(ps.stdout) as Array<{ pid: number }>)[0]?.pid ?? 0;
      await until('the probe to run', () => existsSync(`/proc/${pid}/root/tmp/counts`) && countsOf(pid).opens > 0);
      await apply(SETS[0] ?? []);
      // The probe may be inside an open that began before.
      const settled = countsOf(pid).opens;
      await until('a round under the new rules', () => countsOf(pid).opens > settled + 1);
      const start = countsOf(pid);

      const context = executionContext(openKernel(box.env), 'devices', undefined);
      const steps = SETS.map(rulesOf).map((rules) => ({
        op: 'devices' as const,
        path: 'prober',
        rules,
        canonical: canonicalRules(rules),
      }));
      for (let i = 1; i <= REPLACEMENTS; i++) {
        const step = steps[i % steps.length];
        if (step !== undefined) applyDevices(context, step);
      }
      const driven = countsOf(pid);
      for (let i = 1; i <= APPLIES; i++) await apply(SETS[i % SETS.length] ?? []);
      const end = countsOf(pid);

      console.log(
        `${layout()}: ${driven.refusals - start.refusals} rounds during ${REPLACEMENTS} replacements, ${end.refusals - driven.refusals} during ${APPLIES} applies`,
      );
      assert.is(end.notRefused - start.notRefused, 0, `a refused device opened (errno ${end.errno})`);
      assert.is(end.failed - start.failed, 0, `an allowed device failed (errno ${end.errno})`);
      assert.ok(driven.refusals - start.refusals >= LEAST_ROUNDS, `only ${driven.refusals - start.refusals} rounds`);
      assert.ok(end.opens > driven.opens, 'none during the applies');
      const after = await box.tsbox('ps', '--json', '--stack', 'devices');
      assert.is((JSON.parse(after.stdout) as Array<{ pid: number }>)[0]?.pid, pid, 'the same process throughout');
      assert.is((await box.tsbox('destroy', '--stack', 'devices', '--auto-approve')).code, 0);
    } finally {
      await box.cleanup();
    }
    assertNoLeaks(before, await snapshot());
  });
}

test.run();
