/** What joins a container in a user namespace by exec: that namespace, its ids, and no right over anything outside. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { procStatus, type Run } from '../support/sandbox.ts';
import { applied, destroyed, pidsOf, scene } from '../support/userns.ts';

/** Says on one line whether a command worked. */
const TRY = 't() { if "$@" >/dev/null 2>&1; then echo "$*: yes"; else echo "$*: no"; fi; }';

const STACK = `
tsbox: 1
name: trap
namespaces:
  outer: { type: net }
containers:
  app:
    command: [sleep, infinity]
    capabilities: [SYS_ADMIN, NET_ADMIN, SETUID, SETGID, KILL]
    seccomp: unconfined
    namespaces: { user: { uids: [{ inside: 0, outside: 300000, count: 65536 }] } }
  # Its network is owned by the host's user namespace.
  out:
    command: [sleep, infinity]
    capabilities: [NET_ADMIN, SYS_ADMIN]
    seccomp: unconfined
    namespaces: { user: { uids: [{ inside: 0, outside: 400000, count: 65536 }] }, net: outer }
`;

test('an exec has the ids and capabilities of the container, and none over the host or a foreign network', async () => {
  await scene(async (box) => {
    const file = box.write('stack.yaml', STACK);
    await applied(box, file);
    const { app = 0 } = await pidsOf(box, 'trap');
    const inside = (name: string, ...argv: string[]): Promise<Run> => box.tsbox('exec', `trap:${name}`, '--', ...argv);
    const seen = await inside('app', 'sh', '-c', 'grep -E "^(Uid|Cap)" /proc/self/status; readlink /proc/self/ns/user');
    const status = procStatus(app);
    for (const set of ['CapPrm', 'CapEff', 'CapBnd']) {
      assert.match(seen.stdout, new RegExp(`^${set}:\\s*${status.get(set)}$`, 'm'));
    }
    assert.match(seen.stdout, /^Uid:\s0\s/m);
    assert.is(status.get('Uid')?.split('\t')[0], '300000');

    // Within its own namespaces it may, outside of them not.
    const own = await inside(
      'app',
      'sh',
      '-c',
      `${TRY}
      t hostname renamed; t mount -t tmpfs own /mnt; t ip link add d0 type veth; t mount -o remount,rw /sys
      t mknod /dev/shm/null c 1 3; t chown 70000 /dev/shm; t sysctl -w vm.drop_caches=1; t nsenter -t 1 -u true`,
    );
    assert.equal(own.stdout.trim().split('\n'), [
      'hostname renamed: yes',
      'mount -t tmpfs own /mnt: yes',
      'ip link add d0 type veth: yes',
      'mount -o remount,rw /sys: no',
      'mknod /dev/shm/null c 1 3: no',
      'chown 70000 /dev/shm: no',
      'sysctl -w vm.drop_caches=1: no',
      'nsenter -t 1 -u true: yes',
    ]);
    assert.is.not(readFileSync('/proc/sys/kernel/hostname', 'utf8').trim(), 'renamed');
    const foreign = await inside('out', 'sh', '-c', `${TRY}\nt ip link add d0 type veth; t ip link set lo down`);
    assert.is(foreign.stdout, 'ip link add d0 type veth: no\nip link set lo down: no\n');
    const unmapped = await box.tsbox('exec', '--user', '70000', 'trap:app', '--', 'true');
    assert.is(unmapped.code, 125, unmapped.stderr);
    assert.match(unmapped.stderr, /70000/);
    await destroyed(box, file);
  });
});

test.run();
