/** What goes wrong with namespaces elsewhere, each tried for real: setns order, /proc, offsets, identity, owners. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { pidsOf } from '../support/namespaces.ts';
import { nsInode, sandbox, startTime } from '../support/sandbox.ts';
import { until } from '../support/wait.ts';

type Sandbox = Awaited<ReturnType<typeof sandbox>>;

async function withStack(text: string, body: (box: Sandbox, file: string) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox('ns-traps');
  const file = box.write('stack.yaml', `tsbox: 1\nname: traps\n${text}`);
  try {
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 0, applied.stderr + applied.stdout);
    await body(box, file);
    assert.is((await box.tsbox('destroy', '--stack', 'traps', '--auto-approve')).code, 0);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
}

const pidsIn = (text: string): number[] => text.split(/\s+/).filter((w) => /^\d+$/.test(w)).map(Number); // prettier-ignore

test('/proc shows the processes of its own pid namespace, and those of a shared one, never the host', () =>
  withStack(
    'containers:\n  a: { command: [sleep, infinity] }\n  b: { command: [sleep, infinity], namespaces: { pid: container/a } }\n',
    async (box) => {
      const seen = await box.tsbox('exec', 'a', '--', 'ls', '/proc');
      assert.ok(
        pidsIn(seen.stdout).every((n) => n < 50),
        seen.stdout,
      );
      assert.ok(readdirSync('/proc').some((n) => Number(n) > 50));
      const shared = await box.tsbox('exec', 'b', '--', 'cat', '/proc/1/cmdline');
      assert.is(shared.stdout.replaceAll('\0', ' ').trim(), 'sleep infinity');
      // The supervisor is outside.
      assert.not.match((await box.tsbox('exec', 'a', '--', 'sh', '-c', 'cat /proc/[0-9]*/cmdline')).stdout, 'tsbox:');
    },
  ));

test('the cgroup namespace is rooted at its own group, and the clock offsets hold for the first process', () =>
  withStack(
    'containers:\n  a: { command: [sleep, infinity], namespaces: { time: { boottime: 100000 } } }\n',
    async (box) => {
      const groups = (await box.tsbox('exec', 'a', '--', 'cat', '/proc/self/cgroup')).stdout.trim().split('\n');
      assert.ok(groups.length > 0 && groups.every((line) => line.endsWith(':/')), groups.join('\n'));
      const uptime = Number((await box.tsbox('exec', 'a', '--', 'cat', '/proc/uptime')).stdout.split(' ')[0]);
      assert.ok(uptime > Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) + 90_000, String(uptime));
      const { a = 0 } = await pidsOf(box, 'traps');
      // EACCES once it has a member: that is why a change of it replaces.
      assert.throws(() =>
        execFileSync('sh', ['-c', `echo "monotonic 5 0" > /proc/${a}/timens_offsets`], { stdio: 'ignore' }),
      );
    },
  ));

test('a mount made on the host later does not come in', () =>
  withStack('containers:\n  a: { command: [sleep, infinity] }\n', async (box) => {
    const { a = 0 } = await pidsOf(box, 'traps');
    const dir = `${box.dir}/late`;
    mkdirSync(dir);
    execFileSync('mount', ['-t', 'tmpfs', 'late', dir]);
    try {
      assert.not.match(readFileSync(`/proc/${a}/mountinfo`, 'utf8'), '/late');
    } finally {
      execFileSync('umount', [dir]);
      rmSync(dir, { recursive: true });
    }
  }));

test('a file of another type, or that is no namespace, is refused by name, and nothing is ended for it', async () => {
  const before = await snapshot();
  const box = await sandbox('ns-types');
  try {
    const stack = (net: string): string =>
      box.write(
        'a.yaml',
        `tsbox: 1\nname: traps\ncontainers: { a: { command: [sleep, infinity], namespaces: { net: "${net}" } } }\n`,
      );
    assert.is((await box.tsbox('apply', '-f', stack('new'), '--auto-approve')).code, 0);
    const { a = 0 } = await pidsOf(box, 'traps');
    for (const [path, what] of [
      ['/proc/self/ns/ipc', 'a namespace of type ipc'],
      ['/etc/passwd', 'no namespace that can be opened'],
      ['/run/no-such-namespace', 'no namespace that can be opened'],
    ] as const) {
      const applied = await box.tsbox('apply', '-f', stack(`path:${path}`), '--auto-approve');
      assert.is(applied.code, 1, applied.stdout);
      assert.match(applied.stderr, `container/a: ${path} is ${what}, not one of type net`);
      assert.is((await pidsOf(box, 'traps'))['a'], a, 'it goes on');
    }
    const destroyed = await box.tsbox('destroy', '-f', stack('path:/run/no-such-namespace'), '--auto-approve');
    assert.is(destroyed.code, 0, destroyed.stderr);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test('what the user namespace of another user owns is joined only with that one', async () => {
  const before = await snapshot();
  const box = await sandbox('ns-owner');
  const stranger = spawn('setpriv', ['--reuid', '12345', '--clear-groups', 'unshare', '-U', '-n', 'sleep', '600'], {
    stdio: 'ignore',
  });
  const pid = stranger.pid ?? 0;
  try {
    await until('its network', () => nsInode(pid, 'net') !== nsInode(process.pid, 'net'));
    const stack = (uses: string): string =>
      box.write(
        'a.yaml',
        `tsbox: 1\nname: traps\ncontainers: { a: { command: [sleep, "9"], namespaces: { ${uses} } } }\n`,
      );
    const alone = await box.tsbox('apply', '-f', stack(`net: "pid:${pid}"`), '--auto-approve');
    assert.is(alone.code, 1, alone.stdout);
    assert.match(alone.stderr, /owner .*\/ns\/net: EACCES[^]*join that one too/);
    await box.tsbox('destroy', '--stack', 'traps', '--auto-approve');
  } finally {
    stranger.kill('SIGKILL');
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test('a number is not a process: another one with it is not joined, and the plan stays empty', async () => {
  const before = await snapshot();
  const box = await sandbox('ns-pid');
  const owner = spawn('unshare', ['-n', 'sleep', '600'], { stdio: 'ignore' });
  const pid = owner.pid ?? 0;
  try {
    await until('its network', () => nsInode(pid, 'net') !== nsInode(process.pid, 'net'));
    const file = box.write(
      'a.yaml',
      `tsbox: 1\nname: traps\ncontainers: { a: { command: [sleep, infinity], namespaces: { net: "pid:${pid}" } } }\n`,
    );
    assert.is((await box.tsbox('apply', '-f', file, '--auto-approve')).code, 0);
    const began = startTime(pid);
    const gone = new Promise((resolve) => owner.on('exit', resolve));
    owner.kill('SIGKILL');
    await gone;
    assert.ok(began !== '');
    const plan = await box.tsbox('plan', '-f', file, '--detailed-exitcode');
    assert.is(plan.code, 0, plan.stdout + plan.stderr);
    assert.is((await box.tsbox('destroy', '-f', file, '--auto-approve')).code, 0);
  } finally {
    owner.kill('SIGKILL');
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test.run();
