/** How a container's root is entered: pivot_root wherever it was not forbidden, and what chroot in its place holds. */
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseMountInfo, type MountInfo } from '../../src/kernel/proc.ts';
import { CLI, type Run, type Sandbox } from '../support/sandbox.ts';
import { applied, destroyed, makeRoot, pidsOf, scene } from '../support/userns.ts';

const SLEEP = '[/bin/sleep, infinity]';

function stack(rootfs: string, more = ''): string {
  return `tsbox: 1
name: pivot
containers:
  app: { rootfs: { dir: root${rootfs} }, command: ${SLEEP}${more} }
`;
}

async function pidOf(box: Sandbox): Promise<number> {
  return (await pidsOf(box, 'pivot'))['app'] ?? 0;
}

function mounts(pid: number | 'self'): readonly MountInfo[] {
  return parseMountInfo(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'));
}

/** The one mount without a parent: `node scripts/guest.mjs container --filter pivot-traps --initramfs`. */
function onInitramfs(): boolean {
  return mounts('self').some((m) => m.target === '/' && m.id === m.parent);
}

function sameFile(a: string, b: string): boolean {
  const [first, second] = [statSync(a), statSync(b)];
  return first.dev === second.dev && first.ino === second.ino;
}

/** The container sees its own root and, but for what it was given, no mount of the host. */
function assertOwnRoot(pid: number): void {
  const all = mounts(pid);
  const roots = all.filter((m) => m.target === '/');
  assert.is(roots.length, 1, 'one mount is the root');
  const ids = new Set(all.map((m) => m.id));
  for (const m of all.filter((m) => m.target !== '/')) {
    assert.ok(ids.has(m.parent), `${m.target} hangs on a mount that is not seen`);
  }
  const host = mounts('self').find((m) => m.target === '/');
  assert.not.ok(
    all.some((m) => m.device === host?.device && m.root === '/'),
    "the host's root is not among them",
  );
  assert.not.ok(sameFile(`/proc/${pid}/root`, '/'));
  assert.is(readlinkSync(`/proc/${pid}/cwd`), '/');
  assert.ok(sameFile(`/proc/${pid}/cwd`, `/proc/${pid}/root`), 'its directory is in its root');
  assert.ok(sameFile(`/proc/${pid}/root/..`, `/proc/${pid}/root`), 'nothing is above it');
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    assert.not.match(readlinkSync(`/proc/${pid}/fd/${fd}`), /^\/$/, `descriptor ${fd} is of a root`);
  }
}

async function inside(box: Sandbox, ...argv: string[]): Promise<Run> {
  return box.tsbox('exec', 'container/pivot:app', '--', ...argv);
}

/** Runs a script of the host in a mount namespace of its own, from which nothing gets back. */
async function apart(box: Sandbox, script: string): Promise<string> {
  const run = await box.run('unshare', ['-m', '--propagation', 'private', 'sh', '-ec', script], {
    NODE: process.execPath,
    CLI,
    DIR: box.dir,
  });
  assert.is(run.code, 0, run.stderr + run.stdout);
  return run.stdout;
}

const APPLY =
  '"$NODE" "$CLI" apply -f "$DIR/stack.yaml" --auto-approve >"$DIR/out" 2>&1 || { cat "$DIR/out" >&2; exit 1; }';

test('pivot_root is what is used: the old root is gone, the directory is in the new one', async () => {
  await scene(async (box) => {
    makeRoot(join(box.dir, 'root'));
    const file = box.write('stack.yaml', stack(', overlay: false', ', working_dir: /data'));
    const run = await applied(box, file);
    assert.not.match(run.stdout + run.stderr, /chroot|pivot/);
    const pid = await pidOf(box);
    assert.is(readlinkSync(`/proc/${pid}/cwd`), '/data');
    assert.ok(sameFile(`/proc/${pid}/cwd`, join(box.dir, 'root/data')));
    box.write('stack.yaml', stack(', overlay: false'));
    await applied(box, file);
    assertOwnRoot(await pidOf(box));
    await destroyed(box, file);
  });
});

test('on a ramfs root, which cannot be moved away: the container has a root of its own', async () => {
  if (onInitramfs()) {
    // pivot_root(8) cannot make another root of it; the next test is of this one.
    return;
  }
  await scene(async (box) => {
    makeRoot(join(box.dir, 'root'));
    const file = box.write('stack.yaml', stack(''));
    const out = await apart(
      box,
      `mount -t ramfs ramfs /mnt
for d in /*; do
  [ "$d" = /mnt ] && continue
  if [ -L "$d" ]; then cp -P "$d" "/mnt$d"
  elif [ -d "$d" ]; then mkdir "/mnt$d"; mount --rbind "$d" "/mnt$d"; fi
done
mkdir /mnt/old
cd /mnt && pivot_root . old && cd / && umount -l /old
grep ' / / ' /proc/self/mountinfo
${APPLY}`,
    );
    assert.match(out, / - ramfs ramfs /, 'the root was a ramfs');
    const pid = await pidOf(box);
    assertOwnRoot(pid);
    assert.not.ok(mounts(pid).some((m) => m.fstype === 'ramfs'));
    await destroyed(box, file);
  });
});

/** What is left in a container's mount namespace once its root is unmounted, as far as the kernel lets that be done. */
function beneath(pid: number): readonly MountInfo[] {
  const script = `
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def done(result):
    if result != 0: raise OSError(ctypes.get_errno(), 'refused')
proc = os.open('/proc', os.O_RDONLY | os.O_DIRECTORY)
done(libc.setns(os.open('/proc/${pid}/ns/mnt', os.O_RDONLY), 0))
done(libc.unshare(0x20000))
done(libc.umount2(b'/', 2))
done(libc.setns(os.open('self/ns/mnt', os.O_RDONLY, dir_fd=proc), 0))
print(os.read(os.open('self/mountinfo', os.O_RDONLY, dir_fd=proc), 1 << 20).decode())`;
  return parseMountInfo(execFileSync('python3', ['-c', script], { encoding: 'utf8' }));
}

test('on an initramfs, which nothing moves away from: its files stay beneath, what was mounted on it does not', async () => {
  await scene(async (box) => {
    makeRoot(join(box.dir, 'root'));
    const initramfs = onInitramfs();
    const file = box.write('stack.yaml', stack('', ', capabilities: [SYS_ADMIN]'));
    const plan = await box.tsbox('plan', '-f', file);
    const warning = /warning: container\/app: \/ is the initramfs, which stays mounted beneath .* SYS_ADMIN/;
    assert.is(warning.test(plan.stderr), initramfs, plan.stderr);
    box.write('stack.yaml', stack('', ', working_dir: /data'));
    const run = await applied(box, file);
    assert.not.match(run.stderr, 'initramfs');
    const pid = await pidOf(box);
    assert.is(mounts(pid).filter((m) => m.target === '/').length, 1);
    // The kernel's own root file system is beneath every other; on a machine that runs from it, that is its files.
    assert.equal(
      beneath(pid).map((m) => m.fstype),
      ['rootfs'],
    );
    const up = await inside(box, '/bin/stat', '-c', '%d:%i', '/', '/../../..', '/proc/1/root/..');
    assert.is(new Set(up.stdout.trim().split('\n')).size, 1, up.stdout + up.stderr);
    await destroyed(box, file);
  });
});

test('mounts that are shared where it is made leak neither in nor out', async () => {
  await scene(async (box) => {
    makeRoot(join(box.dir, 'root'));
    const file = box.write('stack.yaml', stack(', overlay: false', `, capabilities: [SYS_ADMIN], seccomp: unconfined`));
    const out = await apart(
      box,
      `mount --make-rshared /
mount --bind "$DIR/root" "$DIR/root"
mount --make-shared "$DIR/root"
before=$(wc -l </proc/self/mountinfo)
${APPLY}
echo "made $(($(wc -l </proc/self/mountinfo) - before))"
mount -t tmpfs late "$DIR/root/data"
pid=$("$NODE" "$CLI" ps --json --stack pivot | sed -n 's/.*"pid": *\\([0-9]*\\).*/\\1/p' | head -1)
echo "pid $pid"
echo "in $(grep -c ' /data ' "/proc/$pid/mountinfo" || true)"
nsenter -t "$pid" -m /bin/mount -t tmpfs own /tmp
echo "out $(grep -c "$DIR/root/tmp " /proc/self/mountinfo || true)"
grep ' / ' "/proc/$pid/mountinfo" | head -1`,
    );
    assert.match(out, /^made 0$/m, out);
    assert.match(out, /^in 0$/m, out);
    assert.match(out, /^out 0$/m, out);
    const pid = await pidOf(box);
    assert.ok(mounts(pid).some((m) => m.target === '/tmp' && m.source === 'own'));
    for (const m of mounts(pid)) {
      assert.not.ok(
        m.optional.some((o) => o.startsWith('shared:') || o.startsWith('master:')),
        `${m.target} propagates: ${m.optional.join(' ')}`,
      );
    }
    await destroyed(box, file);
  });
});

test('pivot: false is warned of, replaces, and without capabilities nobody gets out of it', async () => {
  await scene(async (box) => {
    makeRoot(join(box.dir, 'root'));
    const file = box.write('stack.yaml', stack(', overlay: false'));
    await applied(box, file);
    box.write('stack.yaml', stack(', overlay: false, pivot: false'));
    const plan = await box.tsbox('plan', '-f', file, '--detailed-exitcode');
    assert.is(plan.code, 2);
    assert.match(plan.stderr, /warning: container\/app: pivot: false leaves the host's root mounted beneath/);
    assert.match(plan.stdout, /entered by chroot/);
    await applied(box, file);
    const pid = await pidOf(box);
    assertOwnRoot(pid);
    const again = await inside(box, '/bin/busybox', 'chroot', '/data', '/bin/busybox', 'true');
    assert.is.not(again.code, 0);
    assert.match(again.stderr, /Operation not permitted/);
    for (const way of ['/..', '/../../..', '/proc/1/root/..', '/proc/1/cwd/../..', '/proc/self/root/../..']) {
      const ls = await inside(box, '/bin/stat', '-c', '%d:%i', '/', way);
      assert.is(ls.code, 0, ls.stderr);
      const [root, reached] = ls.stdout.trim().split('\n');
      assert.is(reached, root, `${way} leads out`);
    }
    await destroyed(box, file);
  });
});

test.run();
