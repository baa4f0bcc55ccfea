/** kill -9 of an apply, at every step boundary and blindly: the next plan is right, the next apply converges, nothing is orphaned. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { CLI, sandbox } from '../support/sandbox.ts';

type Sandbox = Awaited<ReturnType<typeof sandbox>>;

const STACK = 'faulty';
const YAML = `
tsbox: 1
name: ${STACK}
cgroups:
  group: { pids: { max: 100 }, freeze: true, children: { inner: { cpu: { weight: 50 } } } }
namespaces:
  bus: { type: ipc }
  procs: { type: pid }
containers:
  one: { command: [sleep, infinity], cgroup: group/inner, pids: { max: 20 }, stop_grace_period: 0s }
  two: { command: [sleep, infinity], namespaces: { ipc: bus, net: container/one }, stop_grace_period: 0s }
  three: { command: [sleep, infinity], namespaces: { pid: procs }, stop_grace_period: 0s }
`;

/** In the guest everything is several times slower; fewer points say the same there. */
const GUEST = process.env['TSBOX_GUEST'] === '1';

/** Processes that belong to the stack, found by their cgroup and not by tsbox. */
function members(box: Sandbox): number {
  let count = 0;
  for (const pid of readdirSync('/proc').filter((n) => /^\d+$/.test(n))) {
    try {
      // What has ended and waits for the machine's init to notice is no orphan.
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const ended = stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
      if (!ended && readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(`${box.cgroupRoot}/${STACK}`)) {
        count++;
      }
    } catch {
      // It ended meanwhile.
    }
  }
  return count;
}

async function converge(box: Sandbox, file: string, what: string): Promise<void> {
  const plan = await box.tsbox('plan', '-f', file);
  assert.is(plan.code, 0, `${what}: ${plan.stderr}`);
  const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
  assert.is(applied.code, 0, `${what}: ${applied.stderr}${applied.stdout}`);
  const again = await box.tsbox('plan', '-f', file, '--detailed-exitcode');
  assert.is(again.code, 0, `${what}: ${again.stdout}`);
  // Three supervisors, three processes, one keeper: an orphan would be one more.
  assert.is(members(box), 7, what);
}

async function inSandbox(body: (box: Sandbox, file: string) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox('faults');
  try {
    await body(box, box.write('stack.yaml', YAML));
    const destroyed = await box.tsbox('destroy', '--stack', STACK, '--auto-approve');
    assert.is(destroyed.code, 0, destroyed.stderr);
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
}

const POINTS = ['cgroup-make', 'devices', 'cgroup-write', 'namespace-make', 'start', 'freeze', 'label'].flatMap((op) =>
  ['before', 'after'].map((moment) => `* ${op} ${moment}`),
);

test('killed at every kind of step, before and after it', async () => {
  await inSandbox(async (box, file) => {
    for (const point of GUEST ? POINTS.filter((p) => p.includes('start') || p.includes('make')) : POINTS) {
      const killed = await box.run(process.execPath, [CLI, 'apply', '-f', file, '--auto-approve'], {
        TSBOX_FAULT: point,
      });
      assert.is(killed.code, -1, `${point}: it was to be killed there: ${killed.stderr}`);
      await converge(box, file, point);
      assert.is((await box.tsbox('destroy', '-f', file, '--auto-approve')).code, 0);
    }
  });
});

test('killed at ten random moments', async () => {
  const seed = Number(process.env['TSBOX_SEED'] ?? Date.now() % 100_000);
  console.log(`# seed ${seed}`);
  let state = seed;
  const random = (): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
  await inSandbox(async (box, file) => {
    for (let i = 0; i < (GUEST ? 3 : 10); i++) {
      const child = spawn(process.execPath, [CLI, 'apply', '-f', file, '--auto-approve'], {
        env: box.env,
        stdio: 'ignore',
      });
      const closed = new Promise((resolve) => child.once('close', resolve));
      const delay = 80 + random() * (GUEST ? 3000 : 250);
      await new Promise((resolve) => setTimeout(resolve, delay));
      child.kill('SIGKILL');
      await closed;
      await converge(box, file, `after ${delay.toFixed(0)} ms`);
      assert.is((await box.tsbox('destroy', '-f', file, '--auto-approve')).code, 0);
    }
  });
});

test('a destroy that was killed is finished by the next one', async () => {
  await inSandbox(async (box, file) => {
    for (const point of [
      '* stop after',
      '* cgroup-remove before',
      '* cgroup-remove after',
      '* namespace-remove after',
    ]) {
      assert.is((await box.tsbox('apply', '-f', file, '--auto-approve')).code, 0);
      const killed = await box.run(process.execPath, [CLI, 'destroy', '-f', file, '--auto-approve'], {
        TSBOX_FAULT: point,
      });
      assert.is(killed.code, -1, point);
      const finished = await box.tsbox('destroy', '-f', file, '--auto-approve');
      assert.is(finished.code, 0, `${point}: ${finished.stderr}`);
      assert.is(members(box), 0, point);
    }
  });
});

test('the run directory deleted: the same plan, and destroy still cleans everything', async () => {
  await inSandbox(async (box, file) => {
    assert.is((await box.tsbox('apply', '-f', file, '--auto-approve')).code, 0);
    const before = await box.tsbox('plan', '-f', file);
    try {
      rmSync(box.runDir, { recursive: true, force: true });
    } catch {
      // The pins are mounts and refuse; everything else is gone.
    }
    const after = await box.tsbox('plan', '-f', file, '--detailed-exitcode');
    assert.is(after.stdout, before.stdout);
    assert.is(after.code, 0);
  });
});

test('pins unmounted and deleted too: found again through the members, pinned again in place', async () => {
  await inSandbox(async (box, file) => {
    assert.is((await box.tsbox('apply', '-f', file, '--auto-approve')).code, 0);
    for (const name of ['ns/bus', 'ns/procs', 'ns']) {
      await box.run('umount', ['-l', join(box.runDir, STACK, name)]);
    }
    rmSync(box.runDir, { recursive: true, force: true });
    const plan = await box.tsbox('plan', '-f', file);
    assert.match(plan.stdout, 'Plan: 0 to add, 2 to change, 0 to destroy.');
    await converge(box, file, 'pins gone');
  });
});

test('a supervisor killed: the container lives on and gets another', async () => {
  await inSandbox(async (box, file) => {
    assert.is((await box.tsbox('apply', '-f', file, '--auto-approve')).code, 0);
    const pid = (): Promise<number> =>
      box
        .tsbox('ps', '--json', '--stack', STACK)
        .then(
          (r) => (JSON.parse(r.stdout) as Array<{ name: string; pid: number }>).find((c) => c.name === 'two')?.pid ?? 0,
        );
    const was = await pid();
    const stat = readFileSync(`/proc/${was}/stat`, 'utf8');
    process.kill(Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]), 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 200));
    const plan = await box.tsbox('plan', '-f', file);
    assert.match(plan.stdout, /supervisor\s+missing -> present/);
    await converge(box, file, 'supervisor killed');
    assert.is(await pid(), was);
  });
});

test('two applies at once: one does it, the other is refused with the holder or waits', async () => {
  await inSandbox(async (box, file) => {
    const [a, b] = await Promise.all([
      box.tsbox('apply', '-f', file, '--auto-approve'),
      box.tsbox('apply', '-f', file, '--auto-approve'),
    ]);
    const codes = [a.code, b.code].sort();
    assert.ok(codes[0] === 0 && (codes[1] === 6 || codes[1] === 0), `${codes.join()} ${a.stderr} ${b.stderr}`);
    if (codes[1] === 6) {
      const refused = a.code === 6 ? a : b;
      assert.match(refused.stderr, /TSB3004.*locked by process \d+/);
    }
    const many = await Promise.all(
      Array.from({ length: 4 }, () => box.tsbox('apply', '-f', file, '--auto-approve', '--lock-timeout', '120')),
    );
    assert.equal(
      many.map((m) => m.code),
      [0, 0, 0, 0],
      many.map((m) => m.stderr).join(),
    );
    await converge(box, file, 'concurrent applies');
  });
});

test('SIGINT: what runs finishes, the rest is not started, the next apply goes on', async () => {
  await inSandbox(async (box, file) => {
    const child = spawn(process.execPath, [CLI, 'apply', '-f', file, '--auto-approve', '--parallelism', '1'], {
      env: box.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    let asked = false;
    child.stderr.on('data', (d: Buffer) => {
      stderr += d.toString();
      if (stderr.includes('Creating...') && !asked) {
        asked = true;
        child.kill('SIGINT');
      }
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    assert.is(code, 130, stderr);
    assert.match(stderr, 'Not started:');
    await converge(box, file, 'interrupted');
  });
});

test.run();
