/** Preconditions, checks and policies on the real kernel. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { sandbox } from '../support/sandbox.ts';

/** Where a text stands, as messages tell it. */
const lineOf = (text: string, part: string): number => text.slice(0, text.indexOf(part)).split('\n').length;

test('a policy stops an apply, a precondition its resource, a check warns', async () => {
  const box = await sandbox('policies');
  const example = readFileSync('stacks/policies.yaml', 'utf8');
  try {
    const unbounded = example.replace('    pids: { max: 20 }\n', '');
    const file = box.write('stack.yaml', unbounded);
    const refused = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(refused.code, 5, refused.stdout + refused.stderr);
    assert.match(refused.stderr, 'error[TSB3012]: policy bounded refuses container/worker: every container says');
    assert.match(refused.stderr, `stack.yaml:${lineOf(unbounded, `'"pids.max" in`)}:13\n`);
    assert.is((await box.tsbox('ps', '--stack', 'policies', '--json')).stdout.trim(), '[]', 'nothing was done');

    box.write('stack.yaml', example);
    const partly = await box.tsbox('apply', '-f', file, '--var', 'most=10', '--auto-approve');
    assert.is(partly.code, 5, partly.stdout + partly.stderr);
    assert.match(partly.stdout, /^ {2}x container\/worker\s+not created/m);
    assert.match(partly.stderr, 'container/worker: a worker needs 20 processes');
    assert.match(partly.stdout, 'Resources: 1 added, 0 changed, 0 destroyed.');

    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 0, applied.stdout + applied.stderr);
    assert.not.match(applied.stderr, 'warning');
    assert.match(applied.stdout, /^Verified: .*\nChecks: all pass\.$/m);

    // Asked of what is live after the apply: a limit that this apply sets, and one that it cannot know before.
    const judged = `${example}`.replace(
      'checks:\n',
      `checks:
  wide: { assert: 'resources["cgroup/jobs"].live["pids.max"] > 100', message: jobs are narrow }
`,
    );
    box.write('stack.yaml', judged);
    const told = await box.tsbox('apply', '-f', file, '--var', 'most=90', '--auto-approve');
    assert.is(told.code, 0, told.stderr);
    assert.match(told.stdout, /^Checks: 1 of 2 pass\.$/m);
    assert.match(told.stderr, /warning: check wide: jobs are narrow \(.*stack\.yaml:\d+\)\n/);
    const streamed = await box.tsbox('apply', '-f', file, '--var', 'most=200', '--auto-approve', '--json');
    const [line = ''] = streamed.stdout.split('\n').filter((l) => l.includes('"type":"checks"'));
    const { checks } = JSON.parse(line) as { checks: Array<{ address: { to_display: string }; status: string }> };
    assert.equal(
      checks.map((c) => [c.address.to_display, c.status]),
      [
        ['check.running', 'pass'],
        ['check.wide', 'pass'],
      ],
    );
    const state = await box.tsbox('show', '-f', file, '--json', '--var', 'most=200');
    assert.equal((JSON.parse(state.stdout) as { checks: unknown }).checks, checks);
    box.write('stack.yaml', example);
    assert.is((await box.tsbox('apply', '-f', file, '--auto-approve')).code, 0);
    await box.tsbox('stop', '--stack', 'policies');
    const warned = await box.tsbox('plan', '-f', file);
    assert.is(warned.code, 0);
    assert.match(warned.stderr, 'warning: check running: the worker does not run (');
    const replaced = await box.tsbox('plan', '-f', file, '--replace', 'container/worker');
    assert.match(replaced.stderr, 'warning: policy no_surprises (container/worker): a container is replaced');

    const typo = example.replace('action != "replace"', 'action !== "replace"');
    box.write('stack.yaml', typo);
    const broken = await box.tsbox('validate', '-f', file);
    assert.is(broken.code, 1);
    assert.match(broken.stderr, 'error[TSB1003]: policy no_surprises: ');
    assert.match(broken.stderr, `stack.yaml:${lineOf(typo, 'action !==')}:`);
    box.write('stack.yaml', example);
    assert.is((await box.tsbox('destroy', '-f', file, '--auto-approve')).code, 0);
  } finally {
    await box.cleanup();
  }
});

test.run();
