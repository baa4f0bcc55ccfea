/** stop, start, restart, wait, pause, unpause, kill and signal: several targets, their order, and what is left after. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { CLI, exists, sandbox, startTime } from '../support/sandbox.ts';
import type { Sandbox } from '../support/sandbox.ts';
import { until } from '../support/wait.ts';

const TRAP = 'trap "echo got TERM; exit 3" TERM; echo up; while :; do sleep 0.05; done';

const STACK = `tsbox: 1
name: orders
containers:
  db: { command: [sh, -c, '${TRAP}'], env: { A: "1" } }
  web: { command: [sh, -c, '${TRAP}'], replicas: 2, depends_on: [db] }
  job: { command: [sh, -c, "exit 7"] }
  deaf: { command: [sleep, infinity], stop_grace_period: 1h }
`;

interface Row {
  readonly name: string;
  readonly pid: number | null;
  readonly state: string;
}

async function rows(box: Sandbox): Promise<Map<string, Row>> {
  const { stdout } = await box.tsbox('ps', '--json', '--stack', 'orders');
  return new Map((JSON.parse(stdout) as Row[]).map((r) => [r.name, r]));
}

async function pidOf(box: Sandbox, name: string): Promise<number> {
  return (await rows(box)).get(name)?.pid ?? 0;
}

async function withStack(body: (box: Sandbox) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox('commands');
  try {
    box.write('tsbox.yaml', STACK);
    // The job ends with an error, which is not what is declared: that is not looked at here.
    await box.tsbox('apply', '--auto-approve');
    await until('all up', async () => exists(`/proc/${await pidOf(box, 'web[1]')}`));
    await body(box);
    assert.is((await box.tsbox('destroy', '--stack', 'orders', '--auto-approve')).code, 0);
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
}

const lines = (text: string): string[] => text.trimEnd().split('\n');

test('stop goes against the dependencies, start along them; both change nothing else', async () => {
  await withStack(async (box) => {
    const label = async (): Promise<unknown> =>
      (JSON.parse((await box.tsbox('show', 'container/db', '--json')).stdout) as { last_applied: unknown })
        .last_applied;
    const before = await label();
    const stopped = await box.tsbox('stop', 'db', 'web');
    assert.is(stopped.code, 0, stopped.stderr);
    assert.equal(lines(stopped.stdout).slice(0, 2).sort(), ['container/web[0]: stopped', 'container/web[1]: stopped']);
    assert.is(lines(stopped.stdout)[2], 'container/db: stopped');
    const log = readFileSync(`${box.runDir}/orders/logs/web.1.log`, 'utf8');
    assert.match(log, 'F got TERM\n', 'by its own signal');
    assert.is((await box.tsbox('stop', 'web[0]')).stdout, 'container/web[0]: was not running\n');
    assert.match((await box.tsbox('plan')).stdout, /! container\/web\[0\.\.1\] .*restarted/);

    const started = await box.tsbox('start', 'web[1]');
    assert.is(started.code, 0, started.stderr);
    assert.equal(lines(started.stdout), ['container/db: started', 'container/web[1]: started']);
    assert.is((await rows(box)).get('web[0]')?.pid, null);
    assert.equal(await label(), before);
    assert.is((await box.tsbox('start', 'web[1]')).stdout, 'Nothing to start: all of it runs.\n');
  });
});

test('start refuses what differs from the file in more than not running', async () => {
  await withStack(async (box) => {
    await box.tsbox('stop', 'db');
    box.write('tsbox.yaml', STACK.replace('A: "1"', 'A: "2"'));
    const { code, stderr } = await box.tsbox('start', 'db');
    assert.is(code, 1);
    assert.match(stderr, /TSB2004.*container\/db differs from the stack file \(env\)/);
    assert.is((await rows(box)).get('db')?.pid, null);
    const unknown = await box.tsbox('start', 'dbb');
    assert.match(unknown.stderr, /stack orders declares no container 'dbb'/);
  });
});

test('restart: another process in the same cgroup, without the stack file, whatever the policy', async () => {
  await withStack(async (box) => {
    const pid = await pidOf(box, 'web[0]');
    const other = startTime(await pidOf(box, 'web[1]'));
    const cgroup = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
    const done = await box.run(process.execPath, [CLI, 'restart', 'container/orders:web[0]', 'deaf', '-t', '5'], {
      PWD: '/',
    });
    assert.is(done.code, 0, done.stderr);
    assert.match(done.stdout, /container\/web\[0\]: restarted \(pid \d+\)/);
    const after = await pidOf(box, 'web[0]');
    assert.is.not(after, pid);
    assert.is(readFileSync(`/proc/${after}/cgroup`, 'utf8'), cgroup);
    assert.match(readFileSync(`${box.runDir}/orders/logs/web.0.log`, 'utf8'), /up\n.*got TERM\n.*up\n$/s);
    assert.is(startTime(await pidOf(box, 'web[1]')), other, 'the other replica went on');
    const plan = await box.tsbox(
      'plan',
      '--target',
      'container/web',
      '--target',
      'container/deaf',
      '--detailed-exitcode',
    );
    assert.is(plan.code, 0, `the policy is back as it was: ${plan.stdout}`);
    await box.tsbox('stop', 'web[0]');
    const refused = await box.tsbox('restart', 'web');
    assert.is(refused.code, 1);
    assert.match(refused.stderr, /container\/web\[0\]: it is not running/);
    assert.match(refused.stdout, /container\/web\[1\]: restarted/, 'the one that can be is');
  });
});

test('stop and restart by a grace of their own', async () => {
  await withStack(async (box) => {
    // Its grace is an hour, and as first process of its namespace it never hears SIGTERM.
    const began = performance.now();
    assert.is((await box.tsbox('stop', 'deaf', '--timeout', '0')).code, 0);
    assert.ok(performance.now() - began < 30_000);
    const plan = (await box.tsbox('plan', '--target', 'container/deaf')).stdout;
    assert.not.match(plan, /grace/, 'the grace of the stack is back');
  });
});

test('wait tells exit codes as they come, in the order asked for', async () => {
  await withStack(async (box) => {
    assert.is((await box.tsbox('wait', 'job')).stdout, '7\n', 'it has ended already');
    const waiting = box.tsbox('wait', 'web[1]', 'web[0]', '--json');
    const late = await box.tsbox('wait', 'db', '--timeout', '0.2');
    assert.is(late.code, 1);
    assert.match(late.stderr, 'container/orders:db still runs');
    await box.tsbox('kill', 'web[0]', '--signal', 'KILL');
    await box.tsbox('signal', 'web[1]', 'TERM');
    const { code, stdout } = await waiting;
    assert.is(code, 0);
    assert.equal(
      lines(stdout).map((l) => JSON.parse(l) as unknown),
      [
        { stack: 'orders', address: 'container/web[1]', exit: 3, signal: null },
        { stack: 'orders', address: 'container/web[0]', exit: 137, signal: 9 },
      ],
    );
  });
});

test('pause and unpause are freeze and thaw, of all replicas by one name', async () => {
  await withStack(async (box) => {
    const paused = await box.tsbox('pause', 'web');
    assert.equal(lines(paused.stdout).sort(), ['container/web[0]: frozen', 'container/web[1]: frozen']);
    const frozen = JSON.parse((await box.tsbox('ps', '--json')).stdout) as Array<{ name: string; frozen: boolean }>;
    assert.equal(
      frozen
        .filter((r) => r.frozen)
        .map((r) => r.name)
        .sort(),
      ['web[0]', 'web[1]'],
    );
    assert.is((await box.tsbox('unpause', 'web')).code, 0);
    const unknown = await box.tsbox('pause', 'web', 'nobody');
    assert.is(unknown.code, 1);
    assert.match(unknown.stderr, /no container or cgroup 'nobody'/);
    const still = JSON.parse((await box.tsbox('ps', '--json')).stdout) as Array<{ frozen: boolean }>;
    assert.not.ok(
      still.some((r) => r.frozen),
      'nothing is done where one name is wrong',
    );
  });
});

test('a wait that nobody needs any more ends with its reader', async () => {
  await withStack(async (box) => {
    const child = spawn(process.execPath, [CLI, 'wait', 'db'], { env: box.env, stdio: 'ignore' });
    const code = new Promise((resolve) => child.on('close', (c, signal) => resolve(signal ?? c)));
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.kill('SIGTERM');
    assert.is(await code, 'SIGTERM');
  });
});

test.run();
