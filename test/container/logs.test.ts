/** logs of several containers: merged, filtered, followed through restarts, rotation and added replicas. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { CLI, sandbox } from '../support/sandbox.ts';
import type { Sandbox } from '../support/sandbox.ts';
import { until } from '../support/wait.ts';

const STACK = `tsbox: 1
name: talk
variables: { n: { type: integer, default: 2 } }
containers:
  web:
    command: [sh, -c, 'echo web \${index} begins; echo web \${index} warns >&2; exec sleep infinity']
    replicas: \${n}
  counter:
    command: [sh, -c, 'trap "exit 0" TERM; i=0; while i=$((i+1)); do echo line $i; sleep 0.02; done']
    log: { max_size: 4KiB, files: 3 }
`;

async function withStack(body: (box: Sandbox) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox('logs');
  try {
    box.write('tsbox.yaml', STACK);
    const applied = await box.tsbox('apply', '--auto-approve');
    assert.is(applied.code, 0, applied.stderr);
    await until('both', async () => (await box.tsbox('logs', 'web')).stdout.split('\n').length === 5);
    await body(box);
    assert.is((await box.tsbox('destroy', '--stack', 'talk', '--auto-approve')).code, 0);
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
}

interface Following {
  readonly child: ChildProcess;
  readonly text: () => string;
  readonly ended: Promise<unknown>;
}

function follow(box: Sandbox, ...args: string[]): Following {
  const child = spawn(process.execPath, [CLI, 'logs', '--follow', ...args], { env: box.env, cwd: box.dir });
  let text = '';
  child.stdout.on('data', (d: Buffer) => (text += d.toString()));
  return { child, text: () => text, ended: new Promise((resolve) => child.on('close', resolve)) };
}

test('of a replicated container, of one replica, of the stack; by stream, tail and time', async () => {
  await withStack(async (box) => {
    const lines = async (...args: string[]): Promise<string[]> =>
      (await box.tsbox('logs', ...args)).stdout.trimEnd().split('\n').sort();
    assert.equal(await lines('web'), [
      'web[0] | web 0 begins',
      'web[0] | web 0 warns',
      'web[1] | web 1 begins',
      'web[1] | web 1 warns',
    ]);
    assert.equal(await lines('web[1]'), ['web 1 begins', 'web 1 warns'], 'no prefix for one');
    assert.equal(await lines('web', '--stream', 'stderr'), ['web[0] | web 0 warns', 'web[1] | web 1 warns']);
    assert.equal(await lines('web', '--tail', '1', '--stream', 'stdout'), [
      'web[0] | web 0 begins',
      'web[1] | web 1 begins',
    ]);
    assert.equal(await lines('web', '--until', '1h'), ['']);
    assert.is((await lines('web', '--since', '1h')).length, 4);
    const all = (await box.tsbox('logs', '--json')).stdout.trimEnd().split('\n');
    const items = all.map((l) => JSON.parse(l) as { time: string; container: string });
    assert.equal([...new Set(items.map((i) => i.container))].sort(), ['counter', 'web[0]', 'web[1]']);
    const times = items.map((i) => i.time);
    assert.equal(times, [...times].sort(), 'in the order of time');
    const bad = await box.tsbox('logs', 'web', '--stream', 'out');
    assert.is(bad.code, 1);
    assert.match(bad.stderr, '--stream must be stdout or stderr');
  });
});

test('followed: nothing is lost to rotation, a restart goes on, the end of the last ends it', async () => {
  await withStack(async (box) => {
    const following = follow(box, 'counter');
    await until('rotation', () => existsSync(`${box.runDir}/talk/logs/counter.log.2`));
    assert.is((await box.tsbox('restart', 'counter')).code, 0);
    await until('the restart', () => following.text().split('line 1\n').length === 3);
    assert.is((await box.tsbox('stop', 'counter')).code, 0);
    assert.is(await following.ended, 0);
    const numbers = [...following.text().matchAll(/^line (\d+)$/gm)].map((m) => Number(m[1]));
    const again = numbers.lastIndexOf(1);
    for (const run of [numbers.slice(0, again), numbers.slice(again)]) {
      const first = run[0] ?? 0;
      assert.equal(
        run,
        run.map((_, i) => first + i),
        'every line once, in order',
      );
    }
    assert.ok(numbers.length > 100);
  });
});

test('followed: a replica that is added is heard too', async () => {
  await withStack(async (box) => {
    const following = follow(box, 'web', '--tail', '0');
    await new Promise((resolve) => setTimeout(resolve, 600));
    assert.is((await box.tsbox('apply', '--auto-approve', '--var', 'n=3')).code, 0);
    await until('the new one', () => following.text().includes('web[2] | web 2 begins\n'));
    assert.not.match(following.text(), 'web 1');
    following.child.kill('SIGTERM');
    await following.ended;
  });
});

test.run();
