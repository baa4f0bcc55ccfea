/** How an apply behaves: failures, interrupts, the lock, the question, a file that declares nothing. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { CLI, exists, sandbox, type Sandbox } from '../support/sandbox.ts';
import { typed } from '../support/typed.ts';
import { until } from '../support/wait.ts';

async function inBox(body: (box: Sandbox) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox('conduct');
  try {
    await body(box);
    for (const name of ['one', 'other']) {
      assert.is((await box.tsbox('destroy', '--stack', name, '-y', '--lock-timeout', '20')).code, 0);
    }
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
}

/** An apply that goes on until somebody ends it: b waits for a, which never becomes healthy. */
const ENDLESS = `
tsbox: 1
name: one
containers:
  a:
    command: [sleep, "1000"]
    stop_signal: KILL
    healthcheck: { command: ["false"], interval: 1s, retries: 1000, start_period: 100s }
  b: { stop_signal: KILL, command: [sleep, "1000"], depends_on: { a: healthy } }
  c: { stop_signal: KILL, command: [sleep, "1000"], depends_on: [b] }
`;

interface Running {
  readonly child: ChildProcess;
  readonly stderr: () => string;
  readonly ended: Promise<number | null>;
}

function start(box: Sandbox, ...args: string[]): Running {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: box.env,
    cwd: box.dir,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr?.on('data', (d: Buffer) => (text += d.toString()));
  return { child, stderr: () => text, ended: new Promise((resolve) => child.once('close', resolve)) };
}

test('a failure is one block, other branches go on, and three lists say what became of everything', async () => {
  await inBox(async (box) => {
    box.write(
      'tsbox.yaml',
      `
tsbox: 1
name: one
containers:
  good: { stop_signal: KILL, command: [sleep, "1000"] }
  bad: { command: [/no/such/program] }
  late: { stop_signal: KILL, command: [sleep, "1000"], depends_on: [bad] }
  later: { stop_signal: KILL, command: [sleep, "1000"], depends_on: [late] }
`,
    );
    // What is planned, told and written down has one number.
    const planned = (await box.tsbox('plan', '--steps')).stdout.split('\n');
    const rows = planned.slice(planned.findIndex((l) => l.startsWith('Steps, ')) + 1, -1);
    assert.equal(
      rows.map((r) => Number(r.trim().split(' ')[0])),
      rows.map((_, i) => i + 1),
    );
    const bad = rows.findIndex((r) => r.includes('container/bad'));
    const number = rows.findIndex((r, i) => i >= bad && r.endsWith('  start')) + 1;
    const { code, stdout, stderr } = await box.tsbox('apply', '-y');
    assert.is(code, 4);
    assert.match(stderr, new RegExp(`container/bad: FAILED at step ${number} after `));
    const journal = readFileSync(join(box.runDir, 'one/journal.jsonl'), 'utf8').trimEnd().split('\n');
    const failed = journal
      .map((l) => JSON.parse(l) as { event: string; step?: number })
      .find((e) => e.event === 'failed');
    assert.is(failed?.step, number);
    const block = stderr.slice(stderr.indexOf('\ncontainer/bad: failed'));
    assert.match(
      block,
      new RegExp(
        `^\ncontainer/bad: failed to start \\(step ${number} of ${rows.length}\\)\nerror\\[TSB3002\\]: exec /no/such/program: ENOENT\n`,
      ),
    );
    assert.match(block, /--> tsbox.yaml:6:3\n.*\n *6 \| +bad: \{ command: \[\/no\/such\/program\] \}\n/);
    assert.match(block, / \^\^\^\n/);
    assert.match(block, /= syscall: exec \/no\/such\/program: ENOENT \(errno 2\)\n/);
    assert.match(block, /= done: \d+ make cgroup bad; .*\n.*= not done: \d+ record\n/);
    assert.match(block, /= held up: container\/late, container\/later\n.*= go on: /);
    assert.match(
      block,
      /\nApplied: container\/good\nFailed: container\/bad\nNot started: container\/late, container\/later\n/,
    );
    assert.match(stdout, 'Apply incomplete! Resources: 1 added, 0 changed, 0 destroyed.');
  });
});

test('the second interrupt takes back what is being made, and the lock names its holder meanwhile', async () => {
  await inBox(async (box) => {
    box.write('tsbox.yaml', ENDLESS);
    box.write('other.yaml', 'tsbox: 1\nname: other\ncgroups: { x: { pids: { max: 9 } } }\n');
    const apply = start(box, 'apply', '-y');
    await until('b is begun', () => apply.stderr().includes('container/b: Creating...'));
    const [refused, unlock, other] = await Promise.all([
      box.tsbox('apply', '-y'),
      box.tsbox('unlock'),
      box.tsbox('apply', '-f', 'other.yaml', '-y'),
    ]);
    const holder = `process ${apply.child.pid} \\(.*tsbox apply -y\\) of root, running for \\d+ s`;
    assert.is(refused.code, 6);
    assert.match(refused.stderr, new RegExp(`TSB3004.*stack one is locked by ${holder}`));
    assert.is(unlock.code, 6);
    assert.match(unlock.stdout, new RegExp(`^Stack one is locked by ${holder}\\.\n$`));
    assert.is(other.code, 0, 'another stack is not held up');
    const waiting = start(box, 'apply', '-y', '--lock-timeout', '20', '--target', 'container/a');
    await until('it waits', () => /Waiting for the lock of stack one, which process/.test(waiting.stderr()));
    apply.child.kill('SIGINT');
    await until('the first interrupt', () => apply.stderr().includes('finishing what is running (container/b)'));
    assert.ok(exists(box.cgroupDir('memory', 'one/b')));
    apply.child.kill('SIGINT');
    assert.is(await apply.ended, 130);
    assert.match(apply.stderr(), /container\/b: given up before it came to: wait for container\/a to be healthy\n/);
    assert.match(apply.stderr(), /= taken back: remove cgroup b\n/);
    assert.match(apply.stderr(), /Applied: container\/a\nGiven up: container\/b\nNot started: container\/c\n/);
    assert.not.ok(exists(box.cgroupDir('memory', 'one/b')), 'nothing of b is left');
    assert.is(await waiting.ended, 0, waiting.stderr());
    assert.match((await box.tsbox('unlock')).stdout, 'Stack one is not locked.');
  });
});

test('unlock --kill ends the holder, and the next plan knows what is left', async () => {
  await inBox(async (box) => {
    box.write('tsbox.yaml', ENDLESS);
    const apply = start(box, 'apply', '-y');
    await until('b is begun', () => apply.stderr().includes('container/b: Creating...'));
    const killed = await box.tsbox('unlock', '--kill', '-t', '1');
    assert.is(killed.code, 0, killed.stdout);
    assert.match(killed.stdout, /\nIt has ended\.\n$/);
    await apply.ended;
    assert.match((await box.tsbox('plan')).stdout, /container\/b +\w/);
  });
});

test('only yes is a yes, details shows the steps, and a file that declares nothing is no wish to remove all', async () => {
  await inBox(async (box) => {
    box.write('tsbox.yaml', 'tsbox: 1\nname: one\ncgroups: { x: { pids: { max: 9 } } }\n');
    const no = await typed(box, [["'details' shows each step: ", 'y\n']], 'apply');
    assert.is(no.code, 1, no.stdout);
    assert.match(no.stdout, 'Not approved: nothing was changed.');
    const yes = await typed(
      box,
      [
        ["'details' shows each step: ", 'details\n'],
        ['3            record', 'yes\n'],
      ],
      'apply',
    );
    assert.is(yes.code, 0, yes.stdout);
    assert.match(yes.stdout, / {2}1 {2}cgroup\/x {2}make cgroup x\r\n {2}2 {12}set pids.max\r\n {2}3 {12}record\r\n/);
    assert.match(yes.stdout, 'Verified: read back 1 resource, ');
    box.write('tsbox.yaml', 'tsbox: 1\nname: one\n');
    const empty = await box.tsbox('apply', '-y');
    assert.is(empty.code, 1);
    assert.match(empty.stderr, 'the stack one declares nothing: applying it would remove all 1 resources it has');
    assert.is((await box.tsbox('apply', '-y', '--allow-empty')).code, 0);
  });
});

test.run();
