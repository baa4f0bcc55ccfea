/**
 * The same stacks on the other layouts this machine can show: pure v1, and a unified tree with the few controllers that
 * no v1 hierarchy holds. Each in a mount namespace of its own, so that the machine's hierarchies stay as they are.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CLI, layout, repository, sandbox } from '../support/sandbox.ts';

interface Result {
  readonly code: number;
  readonly output: string;
}

/** Runs a shell command in a private mount namespace after `prepare`. */
function inView(prepare: string, command: string, env: NodeJS.ProcessEnv = process.env): Promise<Result> {
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
const UNIFIED = 'umount -R /sys/fs/cgroup\nmount -t cgroup2 none /sys/fs/cgroup';

if (layout() === 'hybrid') {
  for (const file of [
    'stacks',
    'change',
    'drift',
    'drift-knobs',
    'pod',
    'adopt',
    'control',
    'events',
    'stats',
    'traps-cgroup',
  ]) {
    test(`pure v1: ${file}`, async () => {
      const { code, output } = await inView(
        V1,
        `${process.execPath} ${join(repository(), 'build/test/host', `${file}.test.mjs`)}`,
      );
      assert.is(code, 0, output);
      assert.match(output, /Total:\s+[1-9]/);
    });
  }

  test('private unified: what the tree lacks is named; what needs no controller works', async () => {
    const box = await sandbox('layouts');
    try {
      const limited = await inView(UNIFIED, `${process.execPath} ${CLI} plan -f stacks/hello.yaml`, box.env);
      assert.is(limited.code, 1);
      assert.match(
        limited.output,
        /TSB1009.*memory\.max cannot be set: this kernel offers no 'memory' controller in its unified cgroup/,
      );
      assert.match(limited.output, 'stacks/hello.yaml:');
      const optional = box.write(
        'optional.yaml',
        'tsbox: 1\nname: view\ncgroups:\n  a: { optional: true, memory: { max: 1GiB }, freeze: false }\ncontainers:\n  c: { command: [sleep, infinity], cgroup: a }\n',
      );
      // One view for the whole course: a mount namespace pin or a /proc/self/ns comparison belongs to it.
      const course = ['plan', 'apply --auto-approve', 'plan --detailed-exitcode', 'drift', 'destroy --auto-approve']
        .map((c) => `${process.execPath} ${CLI} ${c} -f ${optional}`)
        .join(' && ');
      const { code, output } = await inView(UNIFIED, `sh -ec '${course}'`, box.env);
      assert.is(code, 0, output);
      assert.match(output, 'warning: cgroup/a: memory.max cannot be set');
      assert.match(output, 'No changes.');
    } finally {
      await box.cleanup();
    }
  });
} else {
  console.log(`# SKIP layouts: a hybrid machine is needed, this one is ${layout()}`);
}

test.run();
