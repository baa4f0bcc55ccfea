/** Checkpoints: a counter goes on where it was, in its own cgroup, under a supervisor; or it is said why it cannot. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readlinkSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { nsInode, procStatus, sandbox, type Sandbox } from '../support/sandbox.ts';
import { until } from '../support/wait.ts';

const check = spawnSync('criu', ['check'], { encoding: 'utf8' });
const works = check.error === undefined && check.status === 0;

const COUNT = 'i=0; while :; do i=$((i+1)); echo $i; echo $i > FILE; sleep 0.2; done';

async function withBox(body: (box: Sandbox) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox('checkpoint');
  try {
    const root = join(box.dir, 'root');
    mkdirSync(join(root, 'bin'), { recursive: true });
    mkdirSync(join(root, 'etc'));
    copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
    for (const name of ['sh', 'sleep', 'cat', 'rm']) {
      symlinkSync('busybox', join(root, 'bin', name));
    }
    box.write('root/etc/gone', 'removed in the container\n');
    box.write(
      'stack.yaml',
      `tsbox: 1
name: kept
containers:
  counter:
    rootfs: { dir: ./root }
    command: [/bin/sh, -c, "rm /etc/gone; ${COUNT.replace('FILE', '/count')}"]
    namespaces: { uts: { hostname: kept } }
    restart: { policy: always }
    memory: { max: 64MiB }
  mapped:
    command: [/bin/sh, -c, "${COUNT.replace('FILE', '/tmp/count')}"]
    user: 65534:65534
    namespaces: { user: { uids: [{ inside: 0, outside: 100000, count: 65536 }] } }
`,
    );
    await body(box);
    assert.is((await box.tsbox('destroy', '-f', 'stack.yaml', '--auto-approve')).code, 0);
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
}

async function pidOf(box: Sandbox, name: string): Promise<number> {
  const { stdout } = await box.tsbox('ps', '--json', '--stack', 'kept');
  return (JSON.parse(stdout) as Array<{ name: string; pid: number | null }>).find((r) => r.name === name)?.pid ?? 0;
}

/** What the counter has reached, by its log. */
async function logged(box: Sandbox, name: string): Promise<number[]> {
  return (await box.tsbox('logs', name, '--stack', 'kept')).stdout
    .split('\n')
    .filter((l) => /^\d+$/.test(l))
    .map(Number);
}

const seen = (pid: number, path: string): number => Number(readFileSync(`/proc/${pid}/root${path}`, 'utf8'));

if (!works) {
  test('where criu cannot work, doctor and the commands say exactly why', async () => {
    await withBox(async (box) => {
      assert.is(
        (await box.tsbox('apply', '-f', 'stack.yaml', '--auto-approve', '--target', 'container/mapped')).code,
        0,
      );
      const pid = await pidOf(box, 'mapped');
      const reason =
        check.error === undefined
          ? (/Error \([^)]*\):\s*(.*?)\.?$/m.exec(
              `${check.stdout}${check.stderr}`
                .split('\n')
                .filter((l) => !/exited, status|Diag module|bad status/.test(l))
                .join('\n'),
            )?.[1] ?? 'criu check')
          : 'criu is not installed';
      const doctor = await box.tsbox('doctor');
      const line = doctor.stdout.split('\n').find((l) => /^limited {2}checkpoint /.test(l)) ?? '';
      assert.ok(line.includes(reason), `${line}\ndoes not say: ${reason}`);
      for (const args of [
        ['checkpoint', 'mapped', '--stack', 'kept'],
        ['restore', 'mapped', '-f', 'stack.yaml'],
      ]) {
        const run = await box.tsbox(...args);
        assert.is(run.code, 1, run.stdout);
        assert.ok(run.stderr.startsWith('error[TSB3020]') && run.stderr.includes(reason), run.stderr);
      }
      assert.is(await pidOf(box, 'mapped'), pid, 'nothing was stopped');
      assert.not.ok(existsSync(join(box.dir, 'var/checkpoints')));
    });
  });
} else {
  test('a counter goes on where it was, with its files, its log and its restarts', async () => {
    await withBox(async (box) => {
      const applied = await box.tsbox('apply', '-f', 'stack.yaml', '--auto-approve');
      assert.is(applied.code, 0, applied.stderr);
      const first = await pidOf(box, 'counter');
      await until('it counts', () => seen(first, '/count') > 5);
      const supervisor = procStatus(first).get('PPid') ?? '';
      const done = await box.tsbox('checkpoint', 'counter', '--stack', 'kept');
      assert.is(done.code, 0, done.stderr);
      assert.is(await pidOf(box, 'counter'), 0, 'it has ended, and its policy has not started it again');
      assert.not.ok(existsSync(`/proc/${supervisor}`));
      const directory = join(box.dir, 'var/checkpoints/kept/counter');
      assert.is(statSync(directory).mode & 0o777, 0o700, 'memory is for root only');
      const reached = (await logged(box, 'counter')).at(-1) ?? 0;
      const plan = await box.tsbox('plan', '-f', 'stack.yaml');
      assert.match(plan.stdout, /container\/counter +restarted[\s\S]*state +stopped -> running/);
      assert.not.match(plan.stdout, /restart +/m);

      const restored = await box.tsbox('restore', 'counter', '-f', 'stack.yaml', '--auto-approve');
      assert.is(restored.code, 0, restored.stderr + restored.stdout);
      const second = await pidOf(box, 'counter');
      await until('it counts on', () => seen(second, '/count') > reached + 2);
      const numbers = await logged(box, 'counter');
      assert.equal(
        numbers,
        numbers.map((_, i) => i + 1),
        'the log has every number once: none lost, none twice',
      );
      assert.not.ok(existsSync(`/proc/${second}/root/etc/gone`), 'what it removed stays removed');
      const status = procStatus(second);
      assert.is(status.get('NoNewPrivs'), '1');
      assert.is(status.get('CapBnd'), '0000000000000000');
      assert.is(status.get('Seccomp'), '2');
      assert.match(readFileSync(`/proc/${status.get('PPid')}/cmdline`, 'utf8'), /^tsbox: kept\/counter/);
      assert.match(readFileSync(`/proc/${second}/cgroup`, 'utf8'), `${box.cgroupRoot}/kept/counter`);
      for (const type of ['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup'] as const) {
        assert.is.not(nsInode(second, type), nsInode(process.pid, type), type);
      }
      const after = await box.tsbox('plan', '-f', 'stack.yaml', '--detailed-exitcode');
      assert.is(after.code, 0, after.stdout);

      process.kill(second, 'SIGKILL');
      let third = 0;
      await until('the policy starts it again', async () => {
        third = await pidOf(box, 'counter');
        return third !== 0 && third !== second;
      });
      await until('it counts from the beginning', () => existsSync(`/proc/${third}/root/count`));
      assert.is((await box.tsbox('plan', '-f', 'stack.yaml', '--detailed-exitcode')).code, 0);
    });
  });

  test('left running it goes on; restored into a user namespace it has the same ids', async () => {
    await withBox(async (box) => {
      const applied = await box.tsbox('apply', '-f', 'stack.yaml', '--auto-approve', '--target', 'container/mapped');
      assert.is(applied.code, 0, applied.stderr);
      const pid = await pidOf(box, 'mapped');
      await until('it counts', () => seen(pid, '/tmp/count') > 2);
      const made = await box.tsbox('checkpoint', 'mapped', '--stack', 'kept', '--leave-running', '--dir', 'here');
      assert.is(made.code, 0, made.stderr);
      const then = seen(pid, '/tmp/count');
      assert.is(await pidOf(box, 'mapped'), pid);
      await until('it goes on', () => seen(pid, '/tmp/count') > then);
      const busy = await box.tsbox('restore', 'mapped', '-f', 'stack.yaml', '--dir', 'here', '--auto-approve');
      assert.match(busy.stderr, 'container/mapped is running');
      assert.is((await box.tsbox('destroy', '-f', 'stack.yaml', '--auto-approve')).code, 0);

      const restored = await box.tsbox('restore', 'mapped', '-f', 'stack.yaml', '--dir', 'here', '--auto-approve');
      assert.is(restored.code, 0, restored.stderr + restored.stdout);
      const again = await pidOf(box, 'mapped');
      assert.is(procStatus(again).get('Uid'), '165534\t165534\t165534\t165534');
      await until('it counts on from then', () => seen(again, '/tmp/count') >= then);
      assert.match(readlinkSync(`/proc/${again}/fd/1`), /^pipe:/);
      const plan = await box.tsbox('plan', '-f', 'stack.yaml', '--target', 'container/mapped', '--detailed-exitcode');
      assert.is(plan.code, 0, plan.stdout);
      const other = await box.tsbox('restore', 'counter', '-f', 'stack.yaml', '--dir', 'here', '--auto-approve');
      assert.match(other.stderr, 'is a checkpoint of container/mapped');
    });
  });
}

test.run();
