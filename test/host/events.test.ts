/** tsbox events: what really happens is told, once, in order, by the resource it happened to; and nothing at rest. */
import { spawn, type ChildProcess } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { CLI, layout, procStatus, sandbox, type Sandbox } from '../support/sandbox.ts';
import { pause, until } from '../support/wait.ts';

interface Event {
  readonly stack: string;
  readonly address: string | null;
  readonly cgroup: string;
  readonly event: string;
  readonly limit?: string;
  readonly value?: string;
  readonly count: number;
  readonly check?: { readonly ok: boolean; readonly code: number; readonly output: string };
}

interface Follower {
  readonly process: ChildProcess;
  readonly events: () => Event[];
  readonly ended: Promise<number>;
}

async function follow(box: Sandbox, ...args: string[]): Promise<Follower> {
  const child = spawn(process.execPath, [CLI, 'events', '--json', ...args], {
    env: box.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  let errors = '';
  child.stdout.on('data', (d: Buffer) => (text += d.toString()));
  child.stderr.on('data', (d: Buffer) => (errors += d.toString()));
  const ended = new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? -1)));
  await until('the follower', () => errors.includes('watching'));
  const events = (): Event[] =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Event);
  return { process: child, events, ended };
}

function scene(
  name: string,
  body: (box: Sandbox, start: (...args: string[]) => Promise<Follower>) => Promise<void>,
): void {
  test(name, async () => {
    const before = await snapshot();
    const box = await sandbox('events');
    const followers: Follower[] = [];
    try {
      await body(box, async (...args) => {
        const follower = await follow(box, ...args);
        followers.push(follower);
        return follower;
      });
    } finally {
      followers.forEach((f) => f.process.kill('SIGTERM'));
      await Promise.all(followers.map((f) => f.ended));
      await box.cleanup();
    }
    assertNoLeaks(before, await snapshot());
  });
}

const YAML = `tsbox: 1
name: ev
containers:
  hog:
    command: [sh, -c, "trap 'exec tail /dev/zero' USR1; while :; do sleep 0.1; done"]
    memory: { max: 32MiB }
  forks:
    command: [sh, -c, "trap 'sleep 1000 & sleep 1000 & sleep 1000 & sleep 1000 & exec sleep 1000' USR1; while :; do sleep 0.1; done"]
    pids: { max: 3 }
`;

async function pidOf(box: Sandbox, name: string): Promise<number> {
  const rows = JSON.parse((await box.tsbox('ps', '--json', '--stack', 'ev')).stdout) as Array<{
    name: string;
    pid: number;
  }>;
  const pid = rows.find((r) => r.name === name)?.pid ?? 0;
  await until('the trap', () => ((BigInt(`0x${procStatus(pid).get('SigCgt') ?? '0'}`) >> 9n) & 1n) === 1n);
  return pid;
}

scene('a container from its making to its end', async (box, start) => {
  const file = box.write('ev.yaml', YAML);
  // It begins before anything exists.
  const follower = await start();
  const told = (address: string, event: string): Event[] =>
    follower.events().filter((e) => e.address === address && e.event === event);
  assert.is((await box.tsbox('apply', '-y', '-f', file)).code, 0);
  await until('both started', () =>
    ['container/hog', 'container/forks'].every((a) => told(a, 'populated').length === 1),
  );
  assert.is(told('container/hog', 'created').length, 1);

  assert.is((await box.tsbox('freeze', 'hog')).code, 0);
  await until('frozen', () => told('container/hog', 'frozen').length === 1);
  assert.is((await box.tsbox('thaw', 'hog')).code, 0);
  await until('thawed', () => told('container/hog', 'thawed').length === 1);

  process.kill(await pidOf(box, 'forks'), 'SIGUSR1');
  await until('the limit', () => told('container/forks', 'limit').length > 0);
  const [limit] = told('container/forks', 'limit');
  assert.is(limit?.limit, 'pids.max');
  assert.is(limit?.value, '3');

  process.kill(await pidOf(box, 'hog'), 'SIGUSR1');
  await until('the kill', () => told('container/hog', 'oom_kill').length === 1);
  assert.is(told('container/hog', 'oom_kill')[0]?.count, 1);
  assert.ok(told('container/hog', 'oom').length >= 1);
  await until('emptied', () => told('container/hog', 'emptied').length === 1);
  assert.equal(told('container/forks', 'oom_kill'), []);

  assert.is((await box.tsbox('destroy', '-y', '-f', file)).code, 0);
  await until('removed', () => ['container/hog', 'container/forks'].every((a) => told(a, 'removed').length === 1));
  const of = (address: string): string[] =>
    follower
      .events()
      .filter((e) => e.address === address)
      .map((e) => e.event);
  const states = of('container/hog').filter((e) => !['limit', 'oom'].includes(e));
  assert.equal(states.slice(0, 4), ['created', 'populated', 'frozen', 'thawed']);
  // On v1 the count of kills and the emptiness come by different ways.
  const end = states.slice(4, 6);
  assert.equal(layout() === 'unified' ? end : end.sort().reverse(), ['oom_kill', 'emptied']);
  assert.equal(states.slice(6), ['removed']);
  assert.ok(follower.events().every((e) => e.stack === 'ev' && !e.cgroup.includes('/_')));
  follower.process.kill('SIGTERM');
  assert.is(await follower.ended, 0);
});

scene('what exists already makes no events, addresses filter, and at rest it sleeps', async (box, start) => {
  const file = box.write('ev.yaml', YAML);
  assert.is((await box.tsbox('apply', '-y', '-f', file)).code, 0);
  const follower = await start('container/hog');
  const pid = follower.process.pid ?? 0;
  const wakeups = (): number => Number(procStatus(pid).get('voluntary_ctxt_switches') ?? NaN);
  await pause(1000);
  const before = wakeups();
  await pause(2000);
  // Where v1 files have to be looked at, that is twice a second; each may wake the main thread a few times.
  const allowed = layout() === 'unified' ? 5 : 30;
  assert.ok(wakeups() - before <= allowed, `${wakeups() - before} wake-ups in two seconds`);
  assert.equal(follower.events(), []);
  assert.is((await box.tsbox('kill', 'forks')).code, 0);
  assert.is((await box.tsbox('kill', 'hog')).code, 0);
  await until('emptied', () => follower.events().some((e) => e.event === 'emptied'));
  assert.ok(follower.events().every((e) => e.address === 'container/hog'));
  const text = await box.tsbox('destroy', '-y', '-f', file);
  assert.is(text.code, 0, text.stderr);
});

scene('health: each change once, with what the check said; not each check', async (box, start) => {
  // It takes a while, so that the first state can be seen.
  const check = 'sleep 0.7; if test -e /tmp/ill; then echo no good; exit 3; fi; printf %0300d 7';
  const file = box.write(
    'ev.yaml',
    `tsbox: 1
name: ev
containers:
  web:
    command: [sh, -c, "trap 'touch /tmp/ill' USR1; trap 'rm /tmp/ill' USR2; while :; do sleep 0.1; done"]
    mounts: [{ tmpfs: /tmp, size: 1MiB }]
    healthcheck: { command: '${check}', interval: 200ms, retries: 2 }
  calm: { command: [sleep, infinity] }
`,
  );
  const follower = await start();
  const told = (): Event[] => follower.events().filter((e) => ['starting', 'healthy', 'unhealthy'].includes(e.event));
  const last = (event: string): Promise<void> => until(event, () => told().at(-1)?.event === event);
  assert.is((await box.tsbox('apply', '-y', '-f', file)).code, 0);
  await last('healthy');
  process.kill(await pidOf(box, 'web'), 'SIGUSR1');
  await last('unhealthy');
  process.kill(await pidOf(box, 'web'), 'SIGUSR2');
  await last('healthy');
  await pause(1000);
  assert.equal(
    told().map((e) => [e.address, e.event, e.check?.ok, e.check?.code, e.count]),
    [
      ['container/web', 'starting', undefined, undefined, 1],
      ['container/web', 'healthy', true, 0, 1],
      ['container/web', 'unhealthy', false, 3, 1],
      ['container/web', 'healthy', true, 0, 1],
    ],
  );
  assert.is(told()[1]?.check?.output, '0'.repeat(199), 'cut off');
  assert.is(told()[2]?.check?.output, 'no good');
  assert.is((await box.tsbox('destroy', '-y', '-f', file)).code, 0);
});

test.run();
