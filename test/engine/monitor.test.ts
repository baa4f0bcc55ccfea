/** Who writes to cgroup files: a living writer by name, one that has ended by its pid alone, the kernel as nobody. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openKernel } from '../../src/kernel/kernel.ts';
import { CgroupMonitor, type FileEvent } from '../../src/kernel/monitor.ts';
import { loadNative } from '../../src/kernel/native.ts';
import { onEnd, onMounts } from '../../src/kernel/poll.ts';
import { hierarchies, sandbox, type Sandbox } from '../support/sandbox.ts';
import { pause, until } from '../support/wait.ts';

const test = suite('monitor');
let box: Sandbox;
let directory: string;
const v2 = hierarchies().some((h) => h.version === 2);

test.before(async () => {
  box = await sandbox('monitor');
  directory = box.cgroupDir('unified', '');
  mkdirSync(directory);
});
test.after(() => box.cleanup());

function follow(): { events: FileEvent[]; errors: unknown[]; monitor: CgroupMonitor } {
  const events: FileEvent[] = [];
  const errors: unknown[] = [];
  const monitor = new CgroupMonitor(openKernel(box.env), {
    wanted: (path) => path.includes(box.cgroupRoot),
    event: (event) => events.push(event),
    lost: () => errors.push('lost'),
    fail: (error) => errors.push(error),
  });
  return { events, errors, monitor };
}

test('a living writer is named, an ended one is not made up, and we are not told of ourselves', async () => {
  const open = readdirSync('/proc/self/fd').length;
  const { events, errors, monitor } = follow();
  assert.equal(monitor.anonymous, [], 'this kernel tells writers of every cgroup file system');
  const file = `${directory}/cgroup.max.depth`;
  writeFileSync(file, '7');
  const child = spawn('/bin/sh', ['-c', `echo 5 > ${file}; exec sleep 30`]);
  await until('the event', () => events.length > 0);
  const [event] = events;
  assert.is(event?.path, file);
  assert.is(event?.what, 'write');
  assert.is(event?.writer?.pid, child.pid);
  assert.is(event?.writer?.gone, false);
  assert.match(event?.writer?.comm ?? '', /^(sh|dash|bash|sleep)$/);
  assert.match(event?.writer?.exe ?? '', /^\//);
  assert.ok(event?.writer?.cgroup?.startsWith('/'));
  child.kill('SIGKILL');

  events.length = 0;
  // Synchronous: our event loop looks only after the writer has been waited for.
  const quick = spawnSync('/bin/sh', ['-c', `echo 4 > ${file}`]);
  await until('the second event', () => events.length > 0);
  assert.equal(events[0]?.writer, { pid: quick.pid, gone: true, comm: null, exe: null, cgroup: null, argv: [] });

  events.length = 0;
  spawnSync('/bin/mkdir', [`${directory}/child`]);
  spawnSync('/bin/rmdir', [`${directory}/child`]);
  await until('both', () => events.length === 2);
  assert.equal(
    events.map((e) => e.what),
    ['create', 'remove'],
  );
  monitor.close();
  await pause(10);
  assert.equal(errors, []);
  assert.is(readdirSync('/proc/self/fd').length, open, 'no descriptor stays open');
});

test('what the kernel does itself has no writer', async () => {
  if (!v2) {
    return;
  }
  const { events, monitor } = follow();
  const cgroup = `${directory}/populated`;
  mkdirSync(cgroup);
  const child = spawn('/bin/sleep', ['30']);
  writeFileSync(`${cgroup}/cgroup.procs`, String(child.pid));
  // The kernel tells of its own changes only for files whose inode somebody has looked up.
  readFileSync(`${cgroup}/cgroup.events`);
  child.kill('SIGKILL');
  await until('its emptiness', () => events.some((e) => e.path === `${cgroup}/cgroup.events`));
  assert.is(events.find((e) => e.path === `${cgroup}/cgroup.events`)?.writer, undefined);
  monitor.close();
  await until('its removal', () => {
    try {
      rmdirSync(cgroup);
      return true;
    } catch {
      return false;
    }
  });
});

test('nothing but cgroup file systems is ever watched', () => {
  const native = loadNative();
  const group = native.fanotifyInit();
  for (const path of ['/', '/tmp', '/proc', '/sys', '/dev']) {
    assert.throws(() => native.fanotifyMark(group, path), /not a cgroup file system/);
  }
  native.close(group);
});

test('the end of a process and a mount in its namespace are told', async () => {
  const child = spawn('unshare', ['-m', 'sh', '-c', 'read x; mount -t tmpfs none /mnt; read y; exit 0']);
  const pid = child.pid ?? 0;
  const told: string[] = [];
  await until('its namespace', () => {
    const [ns, own] = openKernel(box.env).readLinks([`/proc/${pid}/ns/mnt`, '/proc/self/ns/mnt']);
    return ns !== own;
  });
  // unshare makes its mounts private after it has its namespace.
  await pause(50);
  const stops = [onMounts(pid, () => told.push('mount')), onEnd(pid, () => told.push('end'))];
  child.stdin.write('x\n');
  await until('the mount', () => told.includes('mount'));
  child.stdin.end('y\n');
  await until('the end', () => told.includes('end'));
  stops.forEach((stop) => stop?.());
  assert.is(
    onEnd(pid, () => undefined),
    undefined,
    'one that is gone is said to be gone',
  );
});

test.run();
