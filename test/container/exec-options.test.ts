/** What users of Docker expect of exec: users by name, a process nobody waits for, all rights, keys that leave a terminal. */
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { pidsOf } from '../support/namespaces.ts';
import { procStatus, type Sandbox } from '../support/sandbox.ts';
import { withStack } from '../support/supervised.ts';
import { typed } from '../support/typed.ts';
import { until } from '../support/wait.ts';

const YAML = `
tsbox: 1
name: opts
containers:
  app:
    command: [sleep, infinity]
    mounts: [{ bind: ./passwd, target: /etc/passwd }, { bind: ./group, target: /etc/group }]
    stop_grace_period: 0s
  inner:
    command: [sleep, infinity]
    namespaces: { user: { uids: [{ inside: 0, outside: 300000, count: 65536 }] } }
    stop_grace_period: 0s
  term:
    command: [sh, -c, 'echo ready; while read line; do echo "got <$line>"; done']
    tty: true
    stop_grace_period: 0s
`;

async function scene(body: (box: Sandbox, pids: Record<string, number>) => Promise<void>): Promise<void> {
  await withStack(YAML, async (box, file) => {
    // Names that the host does not have.
    box.write('passwd', 'root:x:0:0::/:/bin/sh\nsvc-inside:x:1234:4321::/:/bin/sh\n');
    box.write('group', 'root:x:0:\nops-inside:x:777:\n');
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 0, applied.stderr);
    await body(box, await pidsOf(box, 'opts'));
    const plan = await box.tsbox('plan', '-f', file);
    assert.match(plan.stdout, 'No changes', plan.stdout);
  });
}

const running = (pid: number): boolean => existsSync(`/proc/${pid}`);
const cgroups = (pid: number): string => readFileSync(`/proc/${pid}/cgroup`, 'utf8');

test('users by name, all rights for one process, and a process that nobody waits for', async () => {
  await scene(async (box, pids) => {
    const ids = async (user: string): Promise<string> => {
      const { stdout, stderr } = await box.tsbox('exec', '-u', user, 'app', '--', 'sh', '-c', 'id -u; id -g; id -G');
      return (stdout || stderr).trim().split('\n').join(' ');
    };
    assert.is(await ids('svc-inside'), '1234 4321 4321');
    assert.is(await ids('svc-inside:ops-inside'), '1234 777 777');
    assert.is(await ids('1234'), '1234 4321 4321');
    assert.is(await ids('55:66'), '55 66 66');
    const missing = await box.tsbox('exec', '-u', 'games', 'app', '--', 'true');
    assert.is(missing.code, 1);
    assert.match(missing.stderr, "--user 'games': the container has no user games");
    assert.match((await box.tsbox('exec', '-u', 'a:b:c', 'app', '--', 'true')).stderr, 'is not USER or USER:GROUP');

    // All rights of the namespace that the container is in, for this one alone.
    const last = Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'));
    const every = ((2n << BigInt(last)) - 1n).toString(16).padStart(16, '0');
    const rights = async (...args: string[]): Promise<{ said: string; warned: string }> => {
      const show = 'grep -E "^(CapEff|CapBnd|Seccomp|NoNewPrivs):" /proc/self/status';
      const { stdout, stderr } = await box.tsbox('exec', ...args, '--', 'sh', '-c', show);
      return { said: stdout.replaceAll('\t', '').trim().split('\n').join(' '), warned: stderr };
    };
    const inner = await rights('--privileged', 'inner');
    assert.is(inner.said, `CapEff:${every} CapBnd:${every} NoNewPrivs:0 Seccomp:0`);
    assert.match(inner.warned, 'warning: container/inner: this process has every capability of its user namespace');
    const other = await rights('--privileged', '-u', '1234', 'inner');
    assert.is(other.said, inner.said, 'as another user, too');
    const own = procStatus(process.pid).get('CapBnd');
    const host = await rights('--privileged', 'app');
    assert.is(host.said, `CapEff:${own} CapBnd:${own} NoNewPrivs:0 Seccomp:0`);
    assert.match(host.warned, "every capability of the host's user namespace and no system call filter");
    assert.match((await rights('inner')).said, /^CapEff:0+ CapBnd:0+ NoNewPrivs:1 Seccomp:2$/);

    const left = await box.tsbox('exec', '--detach', 'app', '--', 'sleep', '4321');
    assert.is(left.code, 0, left.stderr);
    const pid = Number(left.stdout);
    assert.is(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), 'sleep\x004321\0');
    assert.is(cgroups(pid), cgroups(pids['app'] ?? 0));
    assert.equal(
      [0, 1, 2].map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`)),
      ['/dev/null', '/dev/null', '/dev/null'],
    );
    const absent = await box.tsbox('exec', '-d', 'app', '--', 'no-such-program');
    assert.is.not(absent.code, 0);
    assert.match(absent.stderr, 'exec no-such-program: ENOENT');
    assert.match((await box.tsbox('exec', '-dt', 'app', '--', 'true')).stderr, '--detach and --tty exclude each other');
    assert.ok(running(pid));
    assert.is((await box.tsbox('restart', 'app')).code, 0);
    assert.is(running(pid), false, 'it ends with the container');
  });
});

test('keys of choice leave a terminal, and what runs on it is neither hung up nor held up', async () => {
  await scene(async (box, pids) => {
    const script =
      'echo begun; read l; echo "got <$l>"; sleep 1; head -c 300000 /dev/zero; touch /tmp/done; exec sleep 4322';
    const done = await typed(
      box,
      [
        ['', ''],
        ['begun', 'a\x05b\r'],
        ['got <a\x05b>', '\x05e'],
      ],
      ...['exec', '-it', '--detach-keys', 'ctrl-e,e', 'app', '--', 'sh', '-c', script],
    );
    assert.is(done.code, 0, done.stdout);
    assert.match(done.stdout, 'detached');
    await until('what it writes is taken', () => existsSync(`/proc/${pids['app']}/root/tmp/done`));
    const procs = readFileSync(`${box.cgroupDir('unified', 'opts/app')}/cgroup.procs`, 'utf8')
      .trim()
      .split('\n');
    const [sleeper] = procs.filter((p) => readFileSync(`/proc/${p}/cmdline`, 'utf8').includes('4322')).map(Number);
    assert.ok(sleeper, procs.join());
    const keepers = async (): Promise<string> =>
      (await box.run('pgrep', ['-f', '^tsbox: exec opts/app \\(detached\\)'])).stdout;
    assert.match(await keepers(), /^\d+\n$/);
    process.kill(sleeper ?? 0, 'SIGKILL');
    await until('its keeper ends with it', async () => (await keepers()) === '');

    const left = await typed(
      box,
      [
        ['', 'x\r'],
        ['got <x>', 'Q'],
      ],
      ...['attach', '--detach-keys', 'Q', 'term'],
    );
    assert.is(left.code, 0, left.stdout);
    assert.match(left.stdout, 'detached');
    const read = ['app', '--', 'sh', '-c', 'read l; echo "got <$l>"'];
    const never = await typed(box, [['', '\x10y\r']], 'exec', '-it', '--detach-keys', '', ...read);
    assert.match(never.stdout, 'got <\x10y>');
    const bad = await box.tsbox('exec', '--detach-keys', 'ctrl-1', 'app', '--', 'true');
    assert.match(bad.stderr, "--detach-keys: 'ctrl-1' is not a key");
  });
});

test.run();
