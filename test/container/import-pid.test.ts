/** `import pid`: the stack of a process that others started, applied, gives one of which /proc tells the same. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { baseConfig, makeRoot } from '../support/bundles.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { pidsOf } from '../support/namespaces.ts';
import { processFacts } from '../support/process-facts.ts';
import { hierarchies, nsInode, sandbox, type Sandbox } from '../support/sandbox.ts';
import { until } from '../support/wait.ts';

interface Imported {
  readonly text: string;
  readonly container: Readonly<Record<string, unknown>>;
}

async function imported(box: Sandbox, pid: number, name: string): Promise<Imported> {
  const run = await box.tsbox('import', 'pid', String(pid), '--name', name);
  assert.is(run.code, 0, run.stderr);
  const { containers } = parse(run.stdout) as { containers: Record<string, Record<string, unknown>> };
  return { text: run.stdout, container: Object.values(containers)[0] ?? {} };
}

/** Applies an imported stack; the pid of its container. */
async function copyOf(box: Sandbox, name: string, { text }: Imported): Promise<number> {
  const file = box.write(`${name}.yaml`, text);
  const valid = await box.tsbox('validate', '-f', file);
  assert.is(valid.code, 0, valid.stderr + text);
  const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
  assert.is(applied.code, 0, applied.stderr + applied.stdout + text);
  assert.is((await box.tsbox('plan', '-f', file, '--detailed-exitcode')).code, 0);
  return Object.values(await pidsOf(box, name))[0] ?? 0;
}

const childOf = (pid: number): number =>
  Number(spawnSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' }).stdout.split('\n')[0]);

/** Starts something and waits until a descendant of it runs the program. */
async function started(command: readonly string[], program: string): Promise<{ child: ChildProcess; pid: number }> {
  const child = spawn(command[0] ?? '', command.slice(1), { stdio: 'ignore', cwd: '/', env: {} });
  let pid = 0;
  await until(`${program} runs`, () => {
    for (pid = child.pid ?? 0; pid > 0; pid = childOf(pid)) {
      try {
        if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith(`${program}\0`)) {
          return true;
        }
      } catch {
        return false;
      }
    }
    return false;
  });
  return { child, pid };
}

/** By hand, with the tools of util-linux. The limits of another user's process only CAP_SYS_RESOURCE can set. */
const BY_HAND = [
  ...'/usr/bin/unshare --fork --kill-child --pid --mount-proc --uts --ipc --net --cgroup --time --monotonic 100 --boottime -50'.split(' '), // prettier-ignore
  '/bin/sh',
  '-c',
  [
    '/bin/hostname odd; umask 0027; cd /usr',
    'exec /usr/bin/env -i PATH=/usr/bin:/bin "A=\\$b c" DB_PASSWORD=hunter2 /usr/bin/prlimit --nofile=100:200 --core=0:0',
    'choom -n 300 -- nice -n 5 ionice -c 2 -n 3 taskset -c 0 chrt --batch 0',
    'setpriv --groups 4,27 --bounding-set=-all,+chown,+net_bind_service --no-new-privs',
    'sleep 1000',
  ].join('; ').replace(/; (?=choom|setpriv|sleep)/g, ' '), // prettier-ignore
];

test('by hand: namespaces, clocks, limits, scheduling, account, privileges', async () => {
  const before = await snapshot();
  const box = await sandbox('import-pid');
  const { child, pid } = await started(BY_HAND, 'sleep');
  try {
    const found = await imported(box, pid, 'hand');
    assert.match(found.text, /^# .*DB_PASSWORD: is left out/m);
    assert.not.match(found.text, /hunter2/);
    assert.match(found.text, /^# .*namespaces.net: interfaces.* are not described/m);
    const copy = await copyOf(box, 'hand', found);
    const [facts, copied] = [processFacts(pid), processFacts(copy)];
    assert.match(String(facts['environ']), 'DB_PASSWORD');
    facts['environ'] = String(facts['environ']).replace('DB_PASSWORD=hunter2\n', '');
    assert.equal(copied, facts);
    assert.equal(facts['own'], ['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup', 'time']);

    // One that lives in another's network joins it; and what is pinned is joined by its pin.
    const guest = await started(['/usr/bin/nsenter', '-t', String(pid), '-n', 'sleep', '1000'], 'sleep');
    try {
      const joined = await imported(box, guest.pid, 'guest');
      const uses = joined.container['namespaces'] as Record<string, string>;
      assert.match(uses['net'] ?? '', /^pid:\d+$/);
      assert.match(joined.text, /^# .*namespaces.net: is that of process \d+ \(unshare\), which was there first/m);
      assert.is(nsInode(await copyOf(box, 'guest', joined), 'net'), nsInode(pid, 'net'));
    } finally {
      guest.child.kill('SIGKILL');
    }
    const thread = await box.tsbox('import', 'pid', '2');
    assert.is(thread.code, 1);
    assert.match(
      thread.stderr,
      /process 2 \(kthreadd\) runs no program: it is a thread of the kernel|there is no process 2/,
    );
    const none = await box.tsbox('import', 'pid', '4194304');
    assert.match(none.stderr, /there is no process 4194304/);
    for (const stack of ['hand', 'guest']) {
      assert.is((await box.tsbox('destroy', '--stack', stack, '--auto-approve')).code, 0);
    }
  } finally {
    child.kill('SIGKILL');
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test("tsbox's own container: its copy is described by the same words", async () => {
  const before = await snapshot();
  const box = await sandbox('import-own');
  chmodSync(box.dir, 0o755);
  makeRoot(join(box.dir, 'root'), [], '/bin/busybox');
  mkdirSync(join(box.dir, 'shared'));
  const file = box.write(
    'own.yaml',
    `
tsbox: 1
name: own
containers:
  db: { command: [sleep, infinity], cgroup: tenants }
  app:
    rootfs: { dir: ./root }
    command: [/bin/sleep, "1000"]
    env: { MODE: "$$x" }
    user: "0:7"
    umask: "0002"
    capabilities: [CHOWN, SETUID]
    seccomp: unconfined
    shm_size: 1MiB
    masked_paths: [/proc/keys]
    mounts:
      - { bind: ./shared, target: /data, readonly: true }
      - { tmpfs: /work, size: 1MiB, mode: "0700", noexec: true }
      - { proc: /proc, hidepid: noaccess }
    rlimits: { nofile: 64 }
    namespaces: { user: { uids: [{ inside: 0, outside: 200000, count: 1000 }] }, uts: { hostname: app, domainname: here } }
    memory: { max: 32MiB }
    pids: { max: 9 }
    devices: [ { allow: /dev/null rwm }, { allow: /dev/zero r } ]
  guest: { command: [sleep, "1001"], share: { container: db, namespaces: [net, ipc] } }
cgroups: { tenants: {} }
`,
  );
  try {
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 0, applied.stderr + applied.stdout);
    const { app = 0, guest = 0, db = 0 } = await pidsOf(box, 'own');
    const first = await imported(box, app, 'copy');
    const copy = await copyOf(box, 'copy', first);
    assert.equal(processFacts(copy), processFacts(app));
    const second = await imported(box, copy, 'copy');
    assert.equal(second.container, first.container);
    assert.equal((first.container['memory'] as Record<string, unknown>)['max'], 33554432);
    assert.equal(first.container['pids'], { max: 9 });
    assert.equal(first.container['shm_size'], 1048576);
    assert.equal(first.container['masked_paths'], ['/proc/keys']);
    assert.is(first.container['readonly_paths'], undefined);
    assert.equal(first.container['devices'], [{ allow: 'c 1:3 rwm' }, { allow: 'c 1:5 r' }]);
    const mounts = first.container['mounts'] as Array<Record<string, unknown>>;
    assert.equal(mounts.find((m) => m['target'] === '/data')?.['bind'], join(box.dir, 'shared'));
    assert.equal(first.container['rootfs'], { dir: join(box.dir, 'root') });

    // A sharer joins the container by its name.
    const sharer = await imported(box, guest, 'sharer');
    const uses = sharer.container['namespaces'] as Record<string, unknown>;
    assert.equal([uses['net'], uses['ipc']], ['container/own:db', 'container/own:db']);
    assert.is(nsInode(await copyOf(box, 'sharer', sharer), 'net'), nsInode(db, 'net'));
    for (const stack of ['sharer', 'copy', 'own']) {
      assert.is((await box.tsbox('destroy', '--stack', stack, '--auto-approve')).code, 0);
    }
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test("runc's container: root, mounts, covered paths, devices, limits", async () => {
  if (spawnSync('runc', ['--version']).status !== 0) {
    console.log('# skipped: there is no runc here');
    return;
  }
  const before = await snapshot();
  const box = await sandbox('import-runc');
  const state = join(box.dir, 'runc');
  const bundle = join(box.dir, 'bundle');
  const pidFile = join(box.dir, 'pid');
  makeRoot(join(bundle, 'rootfs'), [], '/bin/busybox');
  const config = baseConfig();
  Object.assign(config.process, {
    args: ['/bin/sleep', '1000'],
    cwd: '/work',
    env: ['PATH=/bin', 'WHO=runc'],
    user: { uid: 33, gid: 33, umask: 0o077 },
    capabilities: { bounding: ['CAP_CHOWN', 'CAP_KILL'], permitted: ['CAP_KILL'], effective: ['CAP_KILL'], inheritable: ['CAP_KILL'], ambient: ['CAP_KILL'] },
    oomScoreAdj: 200,
  }); // prettier-ignore
  config.mounts.push({ destination: '/data', type: 'none', source: box.dir, options: ['bind', 'ro'] });
  config.linux['maskedPaths'] = ['/proc/keys', '/sys/firmware'];
  config.linux['readonlyPaths'] = ['/proc/sys'];
  config.linux['cgroupsPath'] = `${box.cgroupRoot}/foreign`;
  config.linux['resources'] = { devices: [{ allow: false, access: 'rwm' }], pids: { limit: 11 } };
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));
  const runc = (...args: string[]): ReturnType<typeof box.run> => box.run('runc', ['--root', state, ...args]);
  try {
    // Not through pipes: it would keep them open.
    const ran = await box.run('sh', ['-c', `runc --root ${state} run -d --pid-file ${pidFile} --bundle ${bundle} foreign </dev/null >${box.dir}/log 2>&1`]); // prettier-ignore
    assert.is(ran.code, 0, ran.stderr + readFileSync(join(box.dir, 'log'), 'utf8'));
    const pid = Number(readFileSync(pidFile, 'utf8'));
    const first = await imported(box, pid, 'copy');
    assert.equal(first.container['rootfs'], { dir: join(bundle, 'rootfs'), overlay: false });
    assert.equal(first.container['masked_paths'], ['/proc/keys', '/sys/firmware']);
    assert.equal(first.container['readonly_paths'], ['/proc/sys']);
    assert.equal(first.container['pids'], { max: 11 });
    const copy = await copyOf(box, 'copy', first);
    const [theirs, ours] = [processFacts(pid), processFacts(copy)];
    assert.equal(ours, theirs);
    const table = (of: number): string[] =>
      readFileSync(`/proc/${of}/mountinfo`, 'utf8')
        .split('\n')
        .map((l) => l.split(' ')[4] ?? '')
        .filter((t) => !/^\/dev\/|^\/sys\/fs\/cgroup/.test(t))
        .sort();
    assert.equal(table(copy), table(pid));
    assert.is((await box.tsbox('destroy', '--stack', 'copy', '--auto-approve')).code, 0);
  } finally {
    await runc('delete', '--force', 'foreign');
    for (const { mount } of hierarchies()) {
      spawnSync('rmdir', [`${mount}${box.cgroupRoot}/foreign`]);
    }
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test.run();
