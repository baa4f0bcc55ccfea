/** Roots, stacks and readers for the tests of user namespaces. */
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from './leaks.ts';
import { sandbox, type Run, type Sandbox } from './sandbox.ts';

/** A root directory with busybox and a passwd, everything in it owned by `owner`. */
export function makeRoot(dir: string, owner = 0): string {
  assert.ok(existsSync('/bin/busybox'), 'the test needs busybox-static: npm run setup:test installs it');
  for (const name of ['', 'bin', 'etc', 'data', 'proc', 'sys', 'dev', 'tmp']) {
    mkdirSync(join(dir, name), { recursive: true });
    chownSync(join(dir, name), owner, owner);
  }
  cpSync('/bin/busybox', join(dir, 'bin/busybox'));
  for (const name of ['sh', 'sleep', 'stat', 'touch', 'cat', 'id', 'mount', 'chown', 'ls', 'mkdir']) {
    symlinkSync('busybox', join(dir, 'bin', name));
  }
  writeFileSync(join(dir, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\nworker:x:1000:1000::/:/bin/sh\n');
  writeFileSync(join(dir, 'etc/group'), 'root:x:0:\nworker:x:1000:\n');
  for (const name of ['bin/busybox', 'etc/passwd', 'etc/group']) {
    chownSync(join(dir, name), owner, owner);
  }
  return dir;
}

/** A place for a test's stacks; whatever is left behind fails it. */
export async function scene(body: (box: Sandbox) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox('userns');
  try {
    await body(box);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
}

/** statfs(2). */
const TMPFS_MAGIC = 0x01021994;

/** Whether this kernel has idmapped mounts of tmpfs, which came with Linux 6.3. */
export function tmpfsIdmaps(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return major > 6 || (major === 6 && minor >= 3);
}

/** A scene whose directory can be idmapped: one on a tmpfs that cannot gets an ext4 of its own. */
export async function mappedScene(body: (box: Sandbox) => Promise<void>): Promise<void> {
  await scene(async (box) => {
    if (tmpfsIdmaps() || statfsSync(box.dir).type !== TMPFS_MAGIC) {
      return body(box);
    }
    const image = `${box.dir}.ext4`;
    const made = await box.run('sh', [
      '-ec',
      'truncate -s 256M "$0"; mkfs.ext4 -q -F "$0"; mount -o loop "$0" "$1"; chmod 755 "$1"',
      image,
      box.dir,
    ]);
    assert.is(made.code, 0, made.stderr);
    try {
      await body(box);
    } finally {
      await box.run('umount', ['-l', box.dir]);
      rmSync(image);
    }
  });
}

export async function applied(box: Sandbox, file: string, ...more: string[]): Promise<Run> {
  const run = await box.tsbox('apply', '-f', file, '--auto-approve', ...more);
  assert.is(run.code, 0, run.stderr + run.stdout);
  const again = await box.tsbox('plan', '-f', file, '--detailed-exitcode');
  assert.is(again.code, 0, again.stderr + again.stdout);
  return run;
}

export async function destroyed(box: Sandbox, file: string): Promise<void> {
  const run = await box.tsbox('destroy', '-f', file, '--auto-approve');
  assert.is(run.code, 0, run.stderr + run.stdout);
}

/** Pids of a stack's containers. */
export async function pidsOf(box: Sandbox, stack: string): Promise<Record<string, number>> {
  const { stdout } = await box.tsbox('ps', '--json', '--stack', stack);
  const rows = JSON.parse(stdout) as Array<{ name: string; pid: number | null }>;
  return Object.fromEntries(rows.map((r) => [r.name, r.pid ?? 0]));
}

/** The lines of a map as the kernel shows it, blanks made single. */
export function idMap(pid: number, file: 'uid_map' | 'gid_map' = 'uid_map'): string[] {
  return readFileSync(`/proc/${pid}/${file}`, 'utf8')
    .split('\n')
    .map((l) => l.trim().replace(/\s+/g, ' '))
    .filter((l) => l !== '');
}
