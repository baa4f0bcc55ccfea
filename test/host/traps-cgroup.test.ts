/**
 * The known traps of cgroups, freezing and limits, each as a test that fails where it is not minded. Those of devices are
 * in devices*.test.ts, of conversions and read-back in drift-knobs.test.ts, of adoption in adopt.test.ts, of the order
 * under a frozen parent in change.test.ts, of thawing below one in control.test.ts, of a plan that writes in engine/purity.test.ts.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { CLI, hierarchies, layout, sandbox, type Run, type Sandbox } from '../support/sandbox.ts';
import { pause } from '../support/wait.ts';

interface Trap {
  readonly box: Sandbox;
  /** Writes the stack, named traps, with this text after its first lines. */
  stack(text: string): string;
  /** A process that sleeps, in this directory of every hierarchy given. */
  sleeper(...dirs: string[]): Promise<number>;
  /** tsbox with another cgroup root. */
  below(root: string, ...args: string[]): Promise<Run>;
  /** Directories to be removed at the end, last made first. */
  made(dir: string): string;
}

function trap(name: string, body: (t: Trap) => Promise<void>): void {
  test(name, async () => {
    const before = await snapshot();
    const box = await sandbox('traps');
    const sleepers: ChildProcess[] = [];
    const dirs: string[] = [];
    try {
      await body({
        box,
        stack: (text) => box.write('traps.yaml', `tsbox: 1\nname: traps\n${text}`),
        async sleeper(...into) {
          const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
          sleepers.push(child);
          await new Promise((resolve) => child.once('spawn', resolve));
          into.forEach((dir) => writeFileSync(`${dir}/cgroup.procs`, String(child.pid)));
          return child.pid ?? 0;
        },
        below: (root, ...args) => box.run(process.execPath, [CLI, ...args], { TSBOX_CGROUP_ROOT: root }),
        made(dir) {
          mkdirSync(dir);
          dirs.push(dir);
          return dir;
        },
      });
    } finally {
      for (const child of sleepers) {
        const ended = new Promise((resolve) => child.once('exit', resolve));
        if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) {
          await ended;
        }
      }
      for (const dir of dirs.reverse().filter((d) => existsSync(d))) {
        rmdirSync(dir);
      }
      await box.cleanup();
    }
    assertNoLeaks(before, await snapshot());
  });
}

/** The controller of this machine's v2 hierarchy that the tests ask for, as text of a stack and as its knob file. */
const CONTROLLER =
  layout() === 'unified'
    ? { name: 'pids', yaml: 'pids: { max: 100 }', file: 'pids.max', value: '100' }
    : layout() === 'hybrid' && offered().includes('hugetlb')
      ? { name: 'hugetlb', yaml: 'hugetlb: { 2MB: { max: 4MiB } }', file: 'hugetlb.2MB.max', value: '4194304' }
      : undefined;

function v2Mount(): string | undefined {
  return hierarchies().find((h) => h.version === 2)?.mount;
}

function offered(): string[] {
  const mount = v2Mount();
  return mount === undefined ? [] : readFileSync(`${mount}/cgroup.controllers`, 'utf8').trim().split(' ');
}

const cgroupsOf = (pid: number): string => readFileSync(`/proc/${pid}/cgroup`, 'utf8');

if (CONTROLLER === undefined) {
  console.log('# SKIP traps-cgroup: no v2 hierarchy with a controller here: inner processes and delegation');
} else {
  const { name, yaml, file: knob, value } = CONTROLLER;

  trap('1: processes in our root are named by the plan, moved to a leaf by the apply, and live on', async (t) => {
    const root = t.box.cgroupDir('unified', '');
    mkdirSync(root);
    const pid = await t.sleeper(root);
    const file = t.stack(`cgroups:\n  a: { ${yaml} }\n`);
    const plan = await t.box.tsbox('plan', '-f', file);
    assert.match(
      plan.stderr,
      new RegExp(`process ${pid} \\(sleep\\) in ${t.box.cgroupRoot} will move to ${t.box.cgroupRoot}/_leaf`),
    );
    assert.match(cgroupsOf(pid), new RegExp(`${t.box.cgroupRoot}$`, 'm'), 'a plan moves nobody');
    const doctor = await t.box.tsbox('doctor');
    assert.match(doctor.stdout, new RegExp(`process ${pid} \\(sleep\\)`));
    const applied = await t.box.tsbox('apply', '-y', '-f', file);
    assert.is(applied.code, 0, applied.stderr);
    assert.match(cgroupsOf(pid), new RegExp(`${t.box.cgroupRoot}/_leaf$`, 'm'));
    assert.is(readFileSync(`${root}/traps/a/${knob}`, 'utf8').trim(), value);
    assert.is((await t.box.tsbox('plan', '-f', file, '--detailed-exitcode')).code, 0);
    assert.is((await t.box.tsbox('destroy', '-y', '-f', file)).code, 0);
  });

  trap('1: a process put into an inner node is told, and moved out, not killed', async (t) => {
    const file = t.stack('cgroups:\n  a: {}\ncontainers:\n  c: { command: [sleep, "1000"], cgroup: a }\n');
    assert.is((await t.box.tsbox('apply', '-y', '-f', file)).code, 0);
    const pid = await t.sleeper(t.box.cgroupDir('unified', 'traps/a'));
    const drift = await t.box.tsbox('drift', '-f', file);
    assert.is(drift.code, 2);
    assert.match(drift.stdout, new RegExp(`process ${pid} \\(sleep\\)`));
    assert.is((await t.box.tsbox('apply', '-y', '-f', file)).code, 0);
    assert.not.match(cgroupsOf(pid), 'traps/a');
    assert.is((await t.box.tsbox('plan', '-f', file, '--detailed-exitcode')).code, 0);
    assert.is((await t.box.tsbox('destroy', '-y', '-f', file)).code, 0);
    process.kill(pid, 0);
  });

  trap('2, 16: a controller that an ancestor withholds is an error that names it, and nothing is made', async (t) => {
    const outer = t.made(`${v2Mount()}${t.box.cgroupRoot}-outer`);
    const path = `${t.box.cgroupRoot}-outer`;
    t.made(`${outer}/web.service`);
    const file = t.stack(`cgroups:\n  a: { ${yaml} }\n`);
    const plain = await t.below(`${path}/inner`, 'apply', '-y', '-f', file);
    assert.is(plain.code, 1);
    assert.match(plain.stderr, `TSB1009`);
    assert.match(plain.stderr, `the '${name}' controller`);
    assert.match(plain.stderr, path);
    assert.not.ok(existsSync(`${outer}/inner/traps`));
    if (existsSync(`${outer}/inner`)) {
      rmdirSync(`${outer}/inner`);
    }
    t.made(`${outer}/web.service/inner`);
    const unit = await t.below(`${path}/web.service/inner`, 'apply', '-y', '-f', file);
    assert.is(unit.code, 1);
    assert.match(unit.stderr, `/etc/systemd/system/web.service.d/delegate.conf`);
    assert.match(unit.stderr, `Delegate=${name}`);
    const doctor = await t.below(`${path}/web.service/inner`, 'doctor');
    assert.match(doctor.stdout, `Delegate=`);
    assert.match(doctor.stdout, `delegation of ${name}`);
    assert.not.ok(existsSync(`${outer}/web.service/inner/traps`));
  });

  trap('2: controllers are enabled down to where they are needed, and read back', async (t) => {
    const file = t.stack(`cgroups:\n  a: { children: { b: { children: { c: { ${yaml} } } } } }\n`);
    const applied = await t.box.tsbox('apply', '-y', '-f', file);
    assert.is(applied.code, 0, applied.stderr);
    for (const path of ['', 'traps', 'traps/a', 'traps/a/b']) {
      const control = readFileSync(`${t.box.cgroupDir('unified', path)}/cgroup.subtree_control`, 'utf8');
      assert.ok(control.trim().split(' ').includes(name), `${path}: ${control}`);
    }
    assert.is(readFileSync(`${t.box.cgroupDir('unified', 'traps/a/b/c')}/${knob}`, 'utf8').trim(), value);
    assert.is((await t.box.tsbox('destroy', '-y', '-f', file)).code, 0);
  });

  trap('1: a threaded root is refused before anything is made', async (t) => {
    const outer = t.made(`${v2Mount()}${t.box.cgroupRoot}-threads`);
    const inner = t.made(`${outer}/root`);
    writeFileSync(`${inner}/cgroup.type`, 'threaded');
    const file = t.stack('containers:\n  c: { command: [sleep, "1000"] }\n');
    const applied = await t.below(`${t.box.cgroupRoot}-threads/root`, 'apply', '-y', '-f', file);
    assert.is(applied.code, 1);
    assert.match(applied.stderr, `${t.box.cgroupRoot}-threads/root is a threaded cgroup`);
    assert.not.ok(existsSync(`${inner}/traps`));
  });
}

trap('3: a limit lowered below its use is planned as what it is', async (t) => {
  const stack = (max: string): string =>
    t.stack(
      `containers:\n  fat: { command: [sh, -c, "x=$$(head -c 16000000 /dev/zero | tr '\\\\0' a); echo filled; sleep 1000"], memory: { max: ${max} } }\n`,
    );
  const file = stack('200MiB');
  const applied = await t.box.tsbox('apply', '-y', '-f', file);
  assert.is(applied.code, 0, applied.stderr);
  for (const deadline = Date.now() + 30_000; !(await t.box.tsbox('logs', 'fat')).stdout.includes('filled');) {
    assert.ok(Date.now() < deadline, 'it never filled its memory');
    await pause(100);
  }
  assert.not.match((await t.box.tsbox('plan', '-f', stack('100MiB'))).stdout, 'in use now');
  assert.match((await t.box.tsbox('plan', '-f', stack('4MiB'))).stdout, /memory\.max[\s\S]*MiB in use now: /);
  assert.is((await t.box.tsbox('destroy', '-y', '--stack', 'traps')).code, 0);
});

trap('4: words that mean opposite things elsewhere are refused', async (t) => {
  for (const word of ['reservation', 'soft']) {
    const run = await t.box.tsbox('validate', '-f', t.stack(`cgroups:\n  a: { memory: { ${word}: 1GiB } }\n`));
    assert.is(run.code, 1);
    assert.match(run.stderr, /say low \(memory kept from reclaim\) or high/);
  }
});

trap('5: what the kernel rounds, fills in or forgets is not drift; zero is a value', async (t) => {
  const file = t.stack(
    `cgroups:
  odd: { memory: { max: 10000001 } }
  none: { pids: { max: 0 } }
  idle: { cpu: { idle: true } }
  half: { cpu: { max: 50% } }
`,
  );
  const applied = await t.box.tsbox('apply', '-y', '-f', file);
  assert.is(applied.code, 0, applied.stderr);
  const plan = await t.box.tsbox('plan', '-f', file, '--detailed-exitcode');
  assert.is(plan.code, 0, plan.stdout);
  assert.is(readFileSync(`${t.box.cgroupDir('pids', 'traps/none')}/pids.max`, 'utf8'), '0\n');
  const page = readFileSync(
    `${t.box.cgroupDir('memory', 'traps/odd')}/${layout() === 'unified' ? 'memory.max' : 'memory.limit_in_bytes'}`,
    'utf8',
  );
  assert.is(Number(page) % 4096, 0);
  assert.is.not(Number(page), 10_000_001);
  assert.is((await t.box.tsbox('destroy', '-y', '-f', file)).code, 0);
});

trap('7: nobody enters a frozen container, and a command is told instead of hanging', async (t) => {
  const file = t.stack('containers:\n  cold: { command: [sleep, "1000"], freeze: true }\n');
  assert.is((await t.box.tsbox('apply', '-y', '-f', file)).code, 0);
  const run = await t.box.tsbox('exec', 'cold', '--', 'true');
  assert.is(run.code, 1);
  assert.match(run.stderr, 'frozen');
  assert.is((await t.box.tsbox('destroy', '-y', '-f', file)).code, 0);
});

trap('12, 15: a container is in its cgroup of every hierarchy from its first instruction', async (t) => {
  // What it sees of itself: its cgroup is the root of its cgroup namespace, in all of them.
  const file = t.stack(
    'containers:\n  first: { command: [sh, -c, "cat /proc/self/cgroup; exec sleep 1000"], cgroup: a, pids: { max: 10 } }\ncgroups:\n  a: {}\n',
  );
  const applied = await t.box.tsbox('apply', '-y', '-f', file);
  assert.is(applied.code, 0, applied.stderr);
  const rows = JSON.parse((await t.box.tsbox('ps', '--json')).stdout) as Array<{ pid: number }>;
  const mounts = hierarchies();
  const lines = cgroupsOf(rows[0]?.pid ?? 0)
    .trim()
    .split('\n')
    .filter((l) => !l.includes(':name='));
  const ours = lines.filter((l) => l.endsWith(`${t.box.cgroupRoot}/traps/a/first`));
  assert.ok(ours.length >= mounts.length, `${ours.length} of ${mounts.length}: ${lines.join(' ')}`);
  const said = (await t.box.tsbox('logs', 'first')).stdout.trim().split('\n');
  assert.ok(said.filter((l) => /:\/$/.test(l)).length >= mounts.length, said.join(' '));
  assert.is((await t.box.tsbox('destroy', '-y', '-f', file)).code, 0);
});

trap("14: a cpuset outside its parent's is an error with both lines", async (t) => {
  const run = await t.box.tsbox(
    'validate',
    '-f',
    t.stack('cgroups:\n  a:\n    cpuset: { cpus: "0" }\n    children:\n      b: { cpuset: { cpus: "0-1" } }\n'),
  );
  assert.is(run.code, 1, run.stdout);
  assert.match(run.stderr, /traps\.yaml:7:\d+[\s\S]*cpuset/);
  assert.match(run.stderr, /cgroup\/a lacks \(\S*traps\.yaml:5\)/);
});

trap('17: a cgroup cannot have the name of a kernel file', async (t) => {
  for (const name of ['cgroup.procs', 'memory.max', 'tasks', 'pids.x']) {
    const run = await t.box.tsbox('validate', '-f', t.stack(`cgroups:\n  ${name}: {}\n`));
    assert.is(run.code, 1, `${name}: ${run.stdout}`);
    assert.match(run.stderr, name);
  }
});

trap('18: what tsbox did not make keeps a cgroup, by name; it is never removed with its contents', async (t) => {
  const file = t.stack('cgroups:\n  a: {}\n');
  assert.is((await t.box.tsbox('apply', '-y', '-f', file)).code, 0);
  const dirs = [...new Set(['unified', 'pids'].filter((c) => c !== 'unified' || v2Mount() !== undefined))].map((c) =>
    t.box.cgroupDir(c, 'traps/a/theirs'),
  );
  [...new Set(dirs)].forEach((dir) => t.made(dir));
  const pid = await t.sleeper(...dirs);
  const destroyed = await t.box.tsbox('destroy', '-y', '-f', file);
  assert.is(destroyed.code, 1, destroyed.stdout);
  assert.match(destroyed.stderr, /TSB3008[\s\S]*theirs/);
  process.kill(pid, 0);
  assert.ok(existsSync(dirs[0] ?? ''));
  process.kill(pid, 'SIGKILL');
  for (const deadline = Date.now() + 10_000; ; await pause(20)) {
    try {
      dirs.filter((d) => existsSync(d)).forEach((d) => rmdirSync(d));
      break;
    } catch (error) {
      assert.ok(Date.now() < deadline, String(error));
    }
  }
  assert.is((await t.box.tsbox('destroy', '-y', '-f', file)).code, 0);
});

if (layout() === 'unified') {
  trap('protection of memory is handed down to where it is asked for', async (t) => {
    const mib = 1024 * 1024;
    const stack = (mebibytes: number): string =>
      t.stack(
        `cgroups:\n  a: { memory: { min: ${mebibytes}MiB } }\n  b: { memory: { min: 8MiB, low: 16MiB } }\n  c: { pids: { max: 5 } }\n`,
      );
    const read = (path: string, file: string): number =>
      Number(readFileSync(`${t.box.cgroupDir('unified', path)}/${file}`, 'utf8'));
    const file = stack(4);
    const applied = await t.box.tsbox('apply', '-y', '-f', file);
    assert.is(applied.code, 0, applied.stderr);
    for (const path of ['', 'traps']) {
      assert.is(read(path, 'memory.min'), 12 * mib, path);
      assert.is(read(path, 'memory.low'), 16 * mib, path);
    }
    assert.not.match((await t.box.tsbox('plan', '-f', file)).stderr, 'hands on');
    writeFileSync(`${t.box.cgroupDir('unified', 'traps')}/memory.min`, '0');
    assert.match(
      (await t.box.tsbox('plan', '-f', file)).stderr,
      /\/traps hands on 0 of the 12582912 bytes of memory\.min asked for below it/,
    );
    assert.is((await t.box.tsbox('apply', '-y', '-f', stack(6))).code, 0);
    assert.is(read('traps', 'memory.min'), 14 * mib);
    assert.is(read('', 'memory.min'), 14 * mib);
    const other = t.box.write('other.yaml', 'tsbox: 1\nname: other\ncgroups:\n  x: { memory: { min: 2MiB } }\n');
    assert.is((await t.box.tsbox('apply', '-y', '-f', other)).code, 0);
    assert.is(read('', 'memory.min'), 16 * mib);
    assert.is((await t.box.tsbox('destroy', '-y', '--stack', 'traps')).code, 0);
    assert.is(read('', 'memory.min'), 2 * mib);
    assert.is((await t.box.tsbox('destroy', '-y', '--stack', 'other')).code, 0);
  });
}

trap('unmentioned keys are left as they are', async (t) => {
  const file = t.stack('cgroups:\n  a: { pids: { max: 50 } }\n');
  assert.is((await t.box.tsbox('apply', '-y', '-f', file)).code, 0);
  const memory = `${t.box.cgroupDir('memory', 'traps/a')}/${layout() === 'unified' ? 'memory.max' : 'memory.limit_in_bytes'}`;
  if (existsSync(memory)) {
    writeFileSync(memory, '104857600');
  }
  const changed = t.stack('cgroups:\n  a: { pids: { max: 60 } }\n');
  assert.is((await t.box.tsbox('apply', '-y', '-f', changed)).code, 0);
  assert.is(readFileSync(`${t.box.cgroupDir('pids', 'traps/a')}/pids.max`, 'utf8'), '60\n');
  if (existsSync(memory)) {
    assert.is(readFileSync(memory, 'utf8'), '104857600\n');
  }
  assert.is((await t.box.tsbox('destroy', '-y', '-f', changed)).code, 0);
});

test.run();
