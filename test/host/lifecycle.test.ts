/** A container's course: order by depends_on, logs, users, roots from a directory, restarts, exit codes. */
import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { procStatus, sandbox } from '../support/sandbox.ts';

interface Row {
  readonly name: string;
  readonly state: string;
  readonly pid: number | null;
  readonly restarts: number;
  readonly exit: number | null;
}

test('jobs, servers, a failing one and two kinds of root', async () => {
  const before = await snapshot();
  const box = await sandbox('lifecycle');
  try {
    const root = join(box.dir, 'root');
    for (const name of ['bin', 'etc', 'proc', 'sys', 'dev', 'tmp']) {
      mkdirSync(join(root, name), { recursive: true });
    }
    assert.ok(existsSync('/bin/busybox'), 'the test needs busybox-static: npm run setup:test installs it');
    cpSync('/bin/busybox', join(root, 'bin/busybox'));
    symlinkSync('busybox', join(root, 'bin/sh'));
    writeFileSync(join(root, 'etc/passwd'), 'app:x:1000:1000::/:/bin/sh\n');
    const file = box.write(
      'stack.yaml',
      `
tsbox: 1
name: course
containers:
  setup: { command: "echo preparing; echo oops >&2; exit 0" }
  web:
    rootfs: { dir: ${root} }
    command: [/bin/sh, -c, "echo hello from $$$$; busybox touch /newfile; exec busybox sleep 1000"]
    depends_on: { setup: completed }
    capabilities: [NET_BIND_SERVICE]
  ro:
    rootfs: { dir: ${root}, overlay: false, readonly: true }
    command: [/bin/busybox, sleep, "1000"]
    user: app
    restart: always
  failing: { command: [sh, -c, "exit 3"], restart: { policy: on-failure, max: 2, backoff: 50ms } }
`,
    );
    // However slow the machine: that failing has given up before everything is read back is a warning, no failed apply.
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 0, applied.stderr);
    const rows = async (): Promise<Map<string, Row>> => {
      const { stdout } = await box.tsbox('ps', '--json', '--stack', 'course');
      return new Map((JSON.parse(stdout) as Row[]).map((r) => [r.name, r]));
    };
    const until = async (what: string, done: (all: Map<string, Row>) => boolean): Promise<Map<string, Row>> => {
      for (let i = 0; i < 100; i++) {
        const all = await rows();
        if (done(all)) {
          return all;
        }
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      throw new Error(`${what} never came: ${JSON.stringify([...(await rows()).values()])}`);
    };
    const all = await until('the end of failing', (m) => m.get('failing')?.state === 'exited (3)');
    assert.is(all.get('failing')?.restarts, 2);
    assert.is(all.get('setup')?.state, 'exited (0)');
    const logs = await box.tsbox('logs', 'setup', 'web', '--stack', 'course');
    assert.match(logs.stdout, /^setup \| preparing\nsetup \| oops\n/m);
    assert.match(logs.stdout, 'web   | hello from 1\n');
    assert.not.ok(existsSync(join(root, 'newfile')), 'the overlay took the write');
    const status = procStatus(all.get('ro')?.pid ?? 0);
    assert.is(status.get('Uid'), '1000\t1000\t1000\t1000');
    assert.is(procStatus(all.get('web')?.pid ?? 0).get('CapBnd'), '0000000000000400');
    const touch = await box.tsbox('exec', 'ro', '--stack', 'course', '--', '/bin/busybox', 'touch', '/x');
    assert.match(touch.stderr, 'Read-only file system');
    // A job that ended well stays ended; one that failed for good is to be started again.
    const plan = await box.tsbox('plan', '-f', file);
    assert.match(plan.stdout, /state\s+exited 3 -> running/);
    assert.match(plan.stdout, 'Plan: 0 to add, 1 to change, 0 to destroy.');
    process.kill(all.get('ro')?.pid ?? 0, 'SIGKILL');
    await until('another run of ro', (m) => m.get('ro')?.state === 'running' && m.get('ro')?.restarts === 1);
    assert.is((await box.tsbox('destroy', '-f', file, '--auto-approve')).code, 0);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test('what ends by itself before everything is read back is told, and the apply is no failure', async () => {
  const before = await snapshot();
  const box = await sandbox('ended');
  try {
    const file = box.write(
      'stack.yaml',
      `tsbox: 1
name: ended
containers:
  failing: { command: [sh, -c, "exit 3"], restart: no }
  after: { command: [sleep, "1000"], depends_on: { failing: started }, hooks: { post_start: [{ command: [sleep, "0.5"] }] } }
`,
    );
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 0, applied.stderr);
    assert.match(applied.stderr, 'warning: container/failing was started and has ended by itself: exited 3');
    assert.is((await box.tsbox('plan', '-f', file, '--detailed-exitcode')).code, 2, 'the next plan shows it');
    assert.is((await box.tsbox('destroy', '-f', file, '--auto-approve')).code, 0);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test('a container that cannot start: the step, the path and the errno are told, and nothing is left of it', async () => {
  const before = await snapshot();
  const box = await sandbox('broken');
  try {
    const file = box.write(
      'stack.yaml',
      'tsbox: 1\nname: broken\ncontainers:\n  bad: { command: [/no/such/program] }\n  good: { command: [sleep, "1000"] }\n',
    );
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 4, applied.stderr);
    assert.match(applied.stderr, /error\[TSB3002\]: exec \/no\/such\/program: ENOENT/);
    assert.match(applied.stderr, 'stack.yaml:4:');
    const again = await box.tsbox('plan', '-f', file);
    assert.match(again.stdout, 'container/bad');
    assert.not.match(again.stdout, 'container/good');
    assert.match(again.stdout, 'start failed -> running');
    assert.match((await box.tsbox('ps')).stdout, /bad +start failed \d+s ago/);
    assert.is((await box.tsbox('destroy', '-f', file, '--auto-approve')).code, 0);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test.run();
