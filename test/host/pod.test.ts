/** Sharing and privileges, proved by /proc and not by tsbox: the pod, hello and devices stacks. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { nsInode, procStatus, sandbox } from '../support/sandbox.ts';

type Sandbox = Awaited<ReturnType<typeof sandbox>>;

const TYPES = ['user', 'mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup', 'time'] as const;

async function pids(box: Sandbox, stack: string): Promise<Record<string, number>> {
  const { stdout } = await box.tsbox('ps', '--json', '--stack', stack);
  const rows = JSON.parse(stdout) as Array<{ name: string; pid: number | null }>;
  return Object.fromEntries(rows.map((r) => [r.name, r.pid ?? 0]));
}

async function withStack(file: string, body: (box: Sandbox) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox('pod');
  try {
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 0, applied.stderr + applied.stdout);
    await body(box);
    assert.is((await box.tsbox('destroy', '-f', file, '--auto-approve')).code, 0);
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
}

test('pod: inodes prove who shares what', async () => {
  await withStack(join(process.cwd(), 'stacks/pod.yaml'), async (box) => {
    const { db = 0, proxy = 0, watcher = 0 } = await pids(box, 'pod');
    const same = (type: (typeof TYPES)[number], a: number, b: number): boolean => nsInode(a, type) === nsInode(b, type);
    assert.ok(same('net', db, proxy) && same('net', db, watcher), 'all three share the network');
    assert.ok(same('pid', db, proxy), 'proxy sees the processes of db');
    assert.not.ok(same('pid', db, watcher), 'watcher does not');
    assert.ok(same('ipc', db, proxy) && !same('ipc', db, watcher));
    assert.ok(same('uts', db, proxy) && !same('uts', db, watcher));
    for (const pid of [db, proxy, watcher]) {
      assert.not.ok(same('net', pid, process.pid));
      assert.not.ok(same('mnt', pid, process.pid));
    }
    assert.not.ok(same('mnt', db, proxy));
    assert.is(procStatus(watcher).get('Uid'), '65534\t65534\t65534\t65534');
    const inside = await box.tsbox('exec', 'container/pod:proxy', '--', 'hostname');
    assert.is(inside.stdout.trim(), 'pod', inside.stderr);
  });
});

test('hello: every namespace new, the user namespace mapped, no privileges', async () => {
  await withStack(join(process.cwd(), 'stacks/hello.yaml'), async (box) => {
    const { hello = 0 } = await pids(box, 'hello');
    for (const type of TYPES) {
      assert.is.not(nsInode(hello, type), nsInode(process.pid, type), type);
    }
    assert.match(readFileSync(`/proc/${hello}/uid_map`, 'utf8'), /^\s*0\s+100000\s+65536\s*$/);
    assert.match(readFileSync(`/proc/${hello}/timens_offsets`, 'utf8'), /monotonic\s+86400\s+0/);
    const status = procStatus(hello);
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
      assert.is(status.get(set), '0000000000000000', set);
    }
    assert.is(status.get('NoNewPrivs'), '1');
    assert.is(status.get('Seccomp'), '2');
    assert.is(status.get('Uid'), '100000\t100000\t100000\t100000');
    assert.is(readFileSync(`/proc/${hello}/environ`, 'utf8').split('\0').includes('GREETING=hello'), true);
    const touch = await box.tsbox('exec', 'hello', '--', 'touch', '/etc/tsbox-was-here');
    assert.is.not(touch.code, 0);
    assert.match(touch.stderr, /Read-only file system|Permission denied/);
    const code = await box.tsbox('exec', 'hello', '--', 'sh', '-c', 'exit 7');
    assert.is(code.code, 7);
    const seen = await box.tsbox('exec', 'hello', '--', 'sh', '-c', 'cat /proc/1/comm; ls /proc | grep -c "^[0-9]*$"');
    assert.match(seen.stdout, /^sleep\n/);
  });
});

test('devices: a denied one gives EPERM, an allowed one works', async () => {
  await withStack(join(process.cwd(), 'stacks/devices.yaml'), async (box) => {
    const open = (container: string, path: string, mode: '<' | '>'): Promise<{ code: number; stderr: string }> =>
      box.tsbox('exec', container, '--', 'sh', '-c', `: ${mode} ${path}`);
    assert.is((await open('strict', '/dev/null', '>')).code, 0);
    assert.is((await open('strict', '/dev/zero', '<')).code, 0);
    const writing = await open('strict', '/dev/zero', '>');
    assert.is.not(writing.code, 0);
    assert.match(writing.stderr, 'Operation not permitted');
    assert.match((await open('strict', '/dev/full', '<')).stderr, 'Operation not permitted');
    assert.is((await open('own', '/dev/full', '<')).code, 0);
    assert.match((await open('own', '/dev/zero', '<')).stderr, 'Operation not permitted');
    assert.is((await open('usual', '/dev/urandom', '<')).code, 0);
  });
});

test.run();
