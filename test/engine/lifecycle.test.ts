/** `lifecycle:` on the real kernel: protection that outlives the file, what is ignored, what replaces what. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { sandbox } from '../support/sandbox.ts';

async function pidOf(box: Awaited<ReturnType<typeof sandbox>>, name = 'db'): Promise<number> {
  const { stdout } = await box.tsbox('ps', '--stack', 'life', '--json');
  return (JSON.parse(stdout) as Array<{ name: string; pid: number }>).find((r) => r.name === name)?.pid ?? 0;
}

const head = 'tsbox: 1\nname: life\n';

const protectedStack = (flag: string): string => `${head}
cgroups:
  vault: { pids: { max: 50 }, lifecycle: { prevent_destroy: ${flag} } }
  other: { pids: { max: 60 } }
namespaces:
  front: { type: net, lifecycle: { prevent_destroy: ${flag} } }
containers:
  db:
    cgroup: vault
    command: [/usr/bin/sleep, infinity]
    env: { A: "1" }
    lifecycle: { prevent_destroy: ${flag} }
`;

test('what is protected stays, whatever the file says, until an apply lifts it', async () => {
  const before = await snapshot();
  const box = await sandbox('protect');
  try {
    const file = box.write('stack.yaml', protectedStack('true'));
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 0, applied.stderr + applied.stdout);
    const pid = await pidOf(box);

    box.write('stack.yaml', `${head}\ncgroups:\n  other: { pids: { max: 61 } }\n`);
    const planned = await box.tsbox('plan', '-f', file);
    assert.is(planned.code, 5, planned.stderr + planned.stdout);
    assert.match(planned.stdout, /^ {2}x container\/db\s+not destroyed/m);
    assert.match(planned.stdout, /^Plan: 0 to add, 1 to change, 0 to destroy\.$/m);
    assert.match(planned.stdout, / Blocked: 3\.$/m);
    for (const address of ['cgroup/vault', 'namespace/front', 'container/db']) {
      assert.match(planned.stderr, `error[TSB3012]: ${address} is protected and would be removed`);
    }
    const partly = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(partly.code, 5, partly.stderr + partly.stdout);
    assert.match(partly.stdout, 'Resources: 0 added, 1 changed, 0 destroyed.');
    const destroyed = await box.tsbox('destroy', '--stack', 'life', '--auto-approve');
    assert.is(destroyed.code, 5, destroyed.stderr + destroyed.stdout);
    assert.is(await pidOf(box), pid, 'the same process still runs');

    // A replacement is a removal; the rest of the file's changes are made.
    box.write('stack.yaml', protectedStack('true').replace('A: "1"', 'A: "2"').replace('max: 60', 'max: 62'));
    const replaced = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(replaced.code, 5, replaced.stderr + replaced.stdout);
    assert.match(replaced.stderr, 'container/db is protected and would be replaced');
    assert.match(replaced.stderr, 'stack.yaml:10:');
    assert.is(await pidOf(box), pid);

    box.write('stack.yaml', protectedStack('false'));
    const lifted = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(lifted.code, 0, lifted.stderr + lifted.stdout);
    const gone = await box.tsbox('destroy', '--stack', 'life', '--auto-approve');
    assert.is(gone.code, 0, gone.stderr + gone.stdout);
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
});

test('ignored changes are left and shown, triggers replace', async () => {
  const box = await sandbox('ignore');
  const stack = (limit: number, debug: string, release: string): string => `${head}
cgroups:
  tuned: { pids: { max: ${limit} }, lifecycle: { ignore_changes: [pids] } }
containers:
  app:
    command: [/usr/bin/sleep, infinity]
    env: { DEBUG: "${debug}", KEEP: "1" }
    rlimits: { nofile: ${release === 'a' ? 512 : 500}, core: 100 }
    nice: 1
    scheduler: ${release === 'a' ? 'other' : 'batch'}
    lifecycle: { ignore_changes: [env.DEBUG, rlimits.core, nice] }
  config:
    command: [/usr/bin/sleep, infinity]
    env: { RELEASE: "${release}" }
  proxy:
    command: [/usr/bin/sleep, infinity]
    lifecycle: { replace_triggered_by: [container/config.env] }
`;
  try {
    const file = box.write('stack.yaml', stack(50, 'no', 'a'));
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 0, applied.stderr + applied.stdout);
    const limit = `${box.cgroupDir('pids', 'life/tuned')}/pids.max`;
    writeFileSync(limit, '70');
    // What is left alone is on the object: without the file, too.
    const recorded = await box.tsbox('drift', '--stack', 'life');
    assert.is(recorded.code, 0, recorded.stdout);
    const told = stack(50, 'no', 'a').replace('lifecycle: { ignore_changes: [pids] }', '');
    const untold = box.write('other.yaml', told);
    writeFileSync(limit, '50');
    assert.is((await box.tsbox('apply', '-f', untold, '--auto-approve')).code, 0);
    writeFileSync(limit, '70');
    const shown = await box.tsbox('drift', '--stack', 'life');
    assert.is(shown.code, 2, 'an apply without the rule takes it off the object');
    assert.match(shown.stdout, 'pids.max');
    writeFileSync(limit, '50');
    assert.is((await box.tsbox('apply', '-f', file, '--auto-approve')).code, 0);
    writeFileSync(limit, '70');
    assert.is((await box.tsbox('drift', '--stack', 'life')).code, 0, 'and one with it puts it back');
    const app = String(await pidOf(box, 'app'));
    assert.is(spawnSync('prlimit', ['--pid', app, '--core=50:100']).status, 0);
    assert.is(spawnSync('renice', ['-n', '5', '-p', app]).status, 0);
    box.write('stack.yaml', stack(80, 'yes', 'a'));
    const same = await box.tsbox('plan', '-f', file, '--detailed-exitcode');
    assert.is(same.code, 0, same.stderr + same.stdout);
    assert.match(same.stdout, /^ {2}= cgroup\/tuned .*left as it is$/m);
    assert.match(same.stdout, /^ {6}= pids\.max\s+70 -> 80 {3}# ignored$/m);
    assert.match(same.stdout, /^ {10}~ env\.DEBUG {2}"no" -> "yes"$/m);
    const json = await box.tsbox('plan', '-f', file, '--json');
    assert.match(json.stdout, '"ignored":[{"name":"pids.max","before":"70","after":"80"');

    box.write('stack.yaml', stack(80, 'yes', 'b'));
    const triggered = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(triggered.code, 0, triggered.stderr + triggered.stdout);
    assert.match(triggered.stdout, /^-\/\+ container\/proxy .*# replace_triggered_by: container\/config\.env changes/m);
    assert.is(readFileSync(limit, 'utf8').trim(), '70');
    assert.is(String(await pidOf(box, 'app')), app);
    const limits = readFileSync(`/proc/${app}/limits`, 'utf8');
    assert.match(limits, /^Max open files +500 +500/m, 'what is not ignored is changed');
    assert.match(limits, /^Max core file size +50 +100/m, 'the rest stays');
    assert.match(readFileSync(`/proc/${app}/sched`, 'utf8'), /^prio +: +125$/m);
    const again = await box.tsbox('plan', '-f', file, '--detailed-exitcode');
    assert.is(again.code, 0, again.stdout);
    await box.tsbox('destroy', '-f', file, '--auto-approve');
  } finally {
    await box.cleanup();
  }
});

test.run();
