/** What users of Docker expect of exec: users by name, a process nobody waits for, all rights. */
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { pidsOf } from '../support/namespaces.ts';
import { procStatus } from '../support/sandbox.ts';
import { withStack } from '../support/supervised.ts';

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
`;

const running = (pid: number): boolean => existsSync(`/proc/${pid}`);
const cgroups = (pid: number): string => readFileSync(`/proc/${pid}/cgroup`, 'utf8');

test('users by name, all rights for one process, and a process that nobody waits for', async () => {
  await withStack(YAML, async (box, file) => {
    // Names that the host does not have.
    box.write('passwd', 'root:x:0:0::/:/bin/sh\nsvc-inside:x:1234:4321::/:/bin/sh\n');
    box.write('group', 'root:x:0:\nops-inside:x:777:\n');
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 0, applied.stderr);
    const pids = await pidsOf(box, 'opts');
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
    assert.match((await box.tsbox('plan', '-f', file)).stdout, 'No changes');
    assert.is((await box.tsbox('restart', 'app')).code, 0);
    assert.is(running(pid), false, 'it ends with the container');
  });
});

test.run();
