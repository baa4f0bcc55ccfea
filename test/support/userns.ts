/** Roots, stacks and readers for the tests of user namespaces. */
import { chownSync, cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
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
