/**
 * The other layouts this machine can show: pure v1, and a unified tree with the few controllers that no v1 hierarchy
 * holds. Each in a mount namespace of its own, so that the machine's hierarchies stay as they are.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { layout, repository } from './sandbox.ts';

export interface Result {
  readonly code: number;
  readonly output: string;
}

/** Runs a shell command in a private mount namespace after `prepare`. */
export function inView(prepare: string, command: string, env: NodeJS.ProcessEnv = process.env): Promise<Result> {
  return new Promise((resolve) => {
    const child = spawn('unshare', ['-m', '--propagation', 'private', 'sh', '-ec', `${prepare}\nexec ${command}`], {
      env: { ...env, NO_COLOR: '1' },
      cwd: repository(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (d: Buffer) => (output += d.toString()));
    child.stderr.on('data', (d: Buffer) => (output += d.toString()));
    child.on('close', (code) => resolve({ code: code ?? -1, output }));
  });
}

const V1 = 'umount /sys/fs/cgroup/unified';
export const UNIFIED = 'umount -R /sys/fs/cgroup\nmount -t cgroup2 none /sys/fs/cgroup';

/** The tests of these files of test/host once more, in the pure v1 view. */
export function testPureV1(...files: readonly string[]): void {
  for (const file of onHybrid() ? files : []) {
    test(`pure v1: ${file}`, async () => {
      const { code, output } = await inView(
        V1,
        `${process.execPath} ${join(repository(), 'build/test/host', `${file}.test.mjs`)}`,
      );
      assert.is(code, 0, output);
      assert.match(output, /Total:\s+[1-9]/);
    });
  }
}

/** Whether this machine has such views; says so where it has not. */
export function onHybrid(): boolean {
  if (layout() !== 'hybrid') {
    console.log(`# SKIP layouts: a hybrid machine is needed, this one is ${layout()}`);
  }
  return layout() === 'hybrid';
}
