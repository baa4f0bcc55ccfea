/** Options of plan and apply on the real kernel. */
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { sandbox } from '../support/sandbox.ts';

const head = 'tsbox: 1\nname: moves\n';

test('exclude, refresh-only, variables from a file and from the environment', async () => {
  const box = await sandbox('options');
  try {
    const file = box.write(
      'stack.yaml',
      `${head}variables: { most: { type: integer }, least: { type: integer } }
cgroups: { a: { pids: { max: "\${most}" } }, b: { pids: { max: "\${least}" } } }
`,
    );
    const vars = box.write('values.yaml', 'most: 50 # as measured\n');
    const run = (...args: string[]) =>
      box.run(process.execPath, [`${process.cwd()}/dist/tsbox`, ...args, '-f', file, '--var-file', vars], {
        TSBOX_VAR_least: '40',
      });
    const partly = await run('apply', '--exclude', 'cgroup/b', '--auto-approve');
    assert.is(partly.code, 0, partly.stderr);
    assert.match(partly.stdout, 'Resource targeting is in effect');
    assert.match(partly.stdout, 'Plan: 1 to add, 0 to change, 0 to destroy.');
    assert.is((await run('apply', '--auto-approve')).code, 0);
    const limit = `${box.cgroupDir('pids', 'moves/b')}/pids.max`;
    assert.is(readFileSync(limit, 'utf8').trim(), '40');
    writeFileSync(limit, '45');
    const left = await run('apply', '--on-drift', 'fail', '--auto-approve');
    assert.is(left.code, 5, left.stdout);
    assert.match(left.stderr, /TSB3012.*1 thing in 1 resource changed outside since the last apply/);
    assert.is(readFileSync(limit, 'utf8').trim(), '45', 'nothing was written');
    assert.is((await run('apply', '--on-drift', 'maybe', '--auto-approve')).code, 1);
    const accepted = await run('apply', '--on-drift', 'fail', '--refresh-only', '--auto-approve');
    assert.is(accepted.code, 0, accepted.stderr + accepted.stdout);
    assert.match(accepted.stdout, /pids\.max\s+40 -> 45/);
    assert.is(readFileSync(limit, 'utf8').trim(), '45', 'nothing was written to the kernel');
    const config = await run('plan', '--json');
    assert.match(config.stdout, '"last_applied":"45","cause":"config"');
    const compact = await run('plan', '--compact');
    assert.not.match(compact.stdout, 'pids.max');
    assert.is((await run('destroy', '--auto-approve')).code, 0);
  } finally {
    await box.cleanup();
  }
});

test.run();
