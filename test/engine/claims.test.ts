/** A field that an autoscaler owns: left alone where the stack says so, taken back where it does not. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openReader } from '../../src/kernel/reader.ts';
import { CLAIMS_XATTR } from '../../src/resources/claims.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { sandbox } from '../support/sandbox.ts';

const stack = (limit: number, lifecycle = ''): string =>
  `tsbox: 1\nname: s\ncgroups:\n  a: { pids: { max: ${limit} }${lifecycle} }\n  b: { pids: { max: 9 } }\n`;
const YIELDS = ', lifecycle: { ignore_changes: [{ manager: auto* }] }';

test('claimed, in conflict, taken back, and left alone', async () => {
  const before = await snapshot();
  const box = await sandbox('claims');
  try {
    const file = box.write('s.yaml', stack(50));
    const pids = join(box.cgroupDir('pids', 's/a'), 'pids.max');
    const read = (): string => readFileSync(pids, 'utf8').trim();
    const claims = (): string | number | undefined =>
      openReader(box.env).getXattrs([box.cgroupDir('unified', 's/a')], CLAIMS_XATTR)[0];
    const ts = async (...args: string[]) => {
      const run = await box.tsbox(...args);
      return { ...run, text: run.stdout + run.stderr };
    };
    assert.is((await ts('apply', '-f', file, '-y')).code, 0);
    const wrong = await ts('own', 'cgroup/a', 'pids.maxx', '--as', 'autoscaler');
    assert.is(wrong.code, 1);
    assert.match(wrong.text, 'did you mean "pids.max"?');
    const claimed = await ts('own', 'cgroup/a', 'pids.max', '--as', 'autoscaler');
    assert.match(claimed.text, /^cgroup\/a {2}pids\.max +autoscaler\n$/);
    assert.is(claims(), '{"pids.max":"autoscaler"}');
    assert.match((await ts('own', 'cgroup/a', 'pids.max', '--as', 'another')).text, 'claimed by autoscaler already');
    assert.match(
      (await ts('own', 'cgroup/a', 'pids.max.x', '--as', 'another')).text,
      'pids.max is claimed by autoscaler already',
    );

    const both = await ts('own', 'cgroup/a', 'pids.max', '--release', '--as', 'autoscaler');
    assert.match(both.text, '--as claims and --release gives up');
    const typo = await ts('own', 'cgroup/a', 'pids.maxx', '--release');
    assert.is(typo.code, 1, 'a wrong name is not given up');
    assert.match(typo.text, 'did you mean "pids.max"?');
    assert.is((await ts('own', 'cgroup/a', 'memory.max', '--release')).code, 0, 'not claimed: nothing to do');
    assert.is(claims(), '{"pids.max":"autoscaler"}');

    writeFileSync(pids, '70');
    writeFileSync(join(box.cgroupDir('pids', 's/b'), 'pids.max'), '10');
    const plan = await ts('plan', '-f', file);
    assert.match(plan.text, /pids\.max +70 -> 50 .*drift: changed since the last apply; conflict: owned by autoscaler/);
    assert.match((await ts('drift', '-f', file)).text, /pids\.max: 50 -> 70\n[^]* {15}owned by autoscaler\n/);
    assert.match((await ts('drift', '--stack', 's')).text, 'owned by autoscaler');
    assert.match((await ts('apply', '-f', file, '-y', '--on-drift', 'fail')).text, 'TSB3012');
    assert.is(read(), '70');

    // The stack yields: what the manager owns stays with the claim on it, the rest is healed.
    box.write('s.yaml', stack(50, YIELDS));
    const yielding = await ts('plan', '-f', file);
    assert.match(yielding.text, /= pids\.max +70 -> 50 .*owned by autoscaler; ignored/);
    assert.match(yielding.text, 'Plan: 0 to add, 1 to change, 0 to destroy.');
    assert.is((await ts('apply', '-f', file, '-y')).code, 0);
    assert.is(read(), '70');
    assert.is(claims(), '{"pids.max":"autoscaler"}');
    writeFileSync(pids, '80');
    assert.is((await ts('drift', '-f', file)).code, 0);
    assert.match((await ts('show', 'cgroup/a', '-f', file)).text, /pids\.max +80 {3}# owned by autoscaler/);

    // It does not any more: the file's value is back, and the claim is gone.
    box.write('s.yaml', stack(50));
    assert.is((await ts('apply', '-f', file, '-y')).code, 0);
    assert.is(read(), '50');
    assert.type(claims(), 'number');
    assert.is((await ts('plan', '-f', file, '--detailed-exitcode')).code, 0);
    assert.is((await ts('destroy', '-f', file, '-y')).code, 0);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test.run();
