/** The generic drift test of what is set on a container's process, apart from drift.test.ts for its length. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { PROCESS_EDITS } from '../support/process-edits.ts';
import { layout, sandbox, startTime } from '../support/sandbox.ts';

const STACK = 'edits';
const YAML = `
tsbox: 1
name: ${STACK}
containers:
  app:
    command: [sleep, infinity]
    stop_grace_period: 0s
    rlimits: { nofile: { soft: 400, hard: 500 } }
    env: { GREETING: hello }
`;

test('each edit by hand is shown exactly, healed in place, gone', async () => {
  const before = await snapshot();
  const box = await sandbox('edits');
  try {
    const file = box.write('stack.yaml', YAML);
    const applied = await box.tsbox('apply', '-f', file, '-y');
    assert.is(applied.code, 0, applied.stderr + applied.stdout);
    const leaf = box.cgroupDir(layout() === 'v1' ? 'freezer' : 'unified', `${STACK}/app`);
    const pid = Number(readFileSync(`${leaf}/cgroup.procs`, 'utf8').trim());
    const began = startTime(pid);
    for (const [name, edit] of Object.entries(PROCESS_EDITS)) {
      if (typeof edit === 'string') {
        continue;
      }
      edit({ pid: () => pid });
      const drift = await box.tsbox('drift', '-f', file, '--format', 'json');
      assert.is(drift.code, 2, `${name}: ${drift.stdout}${drift.stderr}`);
      const { items } = JSON.parse(drift.stdout) as { items: Array<{ address: string; attribute: string }> };
      assert.equal(
        items.map((i) => [i.address, i.attribute]),
        [['container/app', name]],
        drift.stdout,
      );
      const healed = await box.tsbox('apply', '-f', file, '-y');
      assert.is(healed.code, 0, healed.stderr + healed.stdout);
      assert.is(startTime(pid), began, `healing ${name} did not restart it`);
    }
    const plan = await box.tsbox('plan', '-f', file, '--detailed-exitcode');
    assert.is(plan.code, 0, plan.stdout);
    assert.is((await box.tsbox('destroy', '-f', file, '-y')).code, 0);
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
});

test.run();
