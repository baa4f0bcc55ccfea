/** Kernel parameters of namespaces: set before the program starts, changed in place, shown when edited, given back. */
import { execFileSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { pidsOf } from '../support/namespaces.ts';
import { sandbox } from '../support/sandbox.ts';

const stack = (app: string, wires = '{ net.ipv4.ip_forward: 1 }'): string => `
tsbox: 1
name: tuned
namespaces:
  wires: { type: net, sysctls: ${wires} }
  queues: { type: ipc, sysctls: { kernel.msgmax: 4096 } }
containers:
  app:
    command: "cat /proc/sys/net/ipv4/ip_local_port_range /proc/sys/kernel/shmmni /proc/sys/fs/mqueue/msg_max; exec sleep infinity"
    sysctls: ${app}
  mapped:
    command: [sleep, infinity]
    namespaces: { user: new, net: { sysctls: { net.ipv4.ping_group_range: 0 1000 } } }
    sysctls: { kernel.sem: 100 20000 50 64, user.max_net_namespaces: 3, fs.mqueue.msg_max: 11 }
  guest: { command: [sleep, infinity], namespaces: { net: wires, ipc: queues } }
`;

/** Reads or writes inside, by the host's own tools. */
function inside(pid: number, ...command: string[]): string {
  return execFileSync('nsenter', ['-t', String(pid), '-n', '-i', '--', ...command], { encoding: 'utf8' }).trim();
}

const read = (pid: number, path: string): string => inside(pid, 'cat', `/proc/sys/${path}`).replace(/\s+/g, ' ');

test('sysctls: before the program, in place, drift, and back', async () => {
  const before = await snapshot();
  const box = await sandbox('sysctls');
  const host = execFileSync('cat', ['/proc/sys/net/ipv4/ip_forward', '/proc/sys/kernel/shmmni'], { encoding: 'utf8' });
  try {
    const file = box.write(
      'a.yaml',
      stack(
        '{ net.ipv4.ip_local_port_range: 2000 3000, kernel.shmmni: 17, fs/mqueue/msg_max: 12, net.ipv4.ip_forward: true }',
      ),
    );
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 0, applied.stderr + applied.stdout);
    const { app = 0, mapped = 0, guest = 0 } = await pidsOf(box, 'tuned');
    // The program itself saw them at its start.
    const log = await box.tsbox('logs', 'container/tuned:app');
    assert.match(log.stdout.replace(/\s+/g, ' '), '2000 3000 17 12');
    // Ids in a value are the container's: seen from the host they are those it is mapped to.
    assert.is(read(mapped, 'net/ipv4/ping_group_range'), '100000 101000');
    assert.is(read(mapped, 'kernel/sem'), '100 20000 50 64');
    assert.is(read(mapped, 'fs/mqueue/msg_max'), '11');
    assert.is(read(guest, 'net/ipv4/ip_forward'), '1');
    assert.is(read(guest, 'kernel/msgmax'), '4096');
    assert.is((await box.tsbox('plan', '-f', file, '--detailed-exitcode')).code, 0);

    // Changed by hand inside: drift of exactly that attribute, healed without a restart.
    inside(app, 'sh', '-c', 'echo 99 > /proc/sys/kernel/shmmni');
    const drift = await box.tsbox('drift', '-f', file, '--format', 'json');
    const items = (JSON.parse(drift.stdout) as { items: Array<{ address: string; attribute: string }> }).items;
    assert.equal(
      items.map((i) => `${i.address} ${i.attribute}`),
      ['container/app sysctls'],
      drift.stdout,
    );
    assert.is((await box.tsbox('apply', '-f', file, '--auto-approve')).code, 0);
    assert.is(read(app, 'kernel/shmmni'), '17');

    // Another value, and some left out: in place; what is left out is as in a new namespace.
    const next = box.write('b.yaml', stack('{ kernel.shmmni: 18 }', '{}'));
    const changed = await box.tsbox('apply', '-f', next, '--auto-approve');
    assert.is(changed.code, 0, changed.stderr + changed.stdout);
    assert.match(changed.stdout, /In place: 2\./);
    assert.is((await pidsOf(box, 'tuned'))['app'], app);
    assert.is(read(app, 'kernel/shmmni'), '18');
    assert.is(read(app, 'net/ipv4/ip_local_port_range'), '32768 60999');
    assert.is(read(app, 'fs/mqueue/msg_max'), '10');
    assert.is(read(guest, 'net/ipv4/ip_forward'), '0');
    assert.is((await box.tsbox('plan', '-f', next, '--detailed-exitcode')).code, 0);
    assert.is((await box.tsbox('destroy', '-f', next, '--auto-approve')).code, 0);
  } finally {
    await box.cleanup();
  }
  const after = execFileSync('cat', ['/proc/sys/net/ipv4/ip_forward', '/proc/sys/kernel/shmmni'], { encoding: 'utf8' });
  assert.is(after, host, "the host's own are as they were");
  assertNoLeaks(before, await snapshot());
});

test('what the kernel does not take names the parameter and leaves nothing', async () => {
  const before = await snapshot();
  const box = await sandbox('sysctls-bad');
  try {
    for (const [key, value, what] of [
      ['net.ipv4.no_such_thing', '1', 'ENOENT'],
      ['net.ipv4.ip_local_port_range', 'words', 'EINVAL'],
      ['net.core.netdev_max_backlog', '77', 'ENOENT|EACCES|EPERM'],
    ] as const) {
      const file = box.write(
        'bad.yaml',
        `tsbox: 1\nname: bad\ncontainers: { a: { command: [sleep, "9"], sysctls: { ${key}: ${value} } } }\n`,
      );
      const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
      assert.is(applied.code, 1, applied.stdout);
      assert.match(applied.stderr, new RegExp(`sysctl ${key.replaceAll('.', '/')}: (${what})`));
      assert.is((await box.tsbox('destroy', '-f', file, '--auto-approve')).code, 0);
    }
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test.run();
