/** Limits and scheduling of a container's processes: at the start, changed in place, after a restart; read in /proc. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { CLI, sandbox, startTime, type Run, type Sandbox } from '../support/sandbox.ts';
import { until } from '../support/wait.ts';

const STACK = 'settings';
/** A process of its own, a child that inherits, one that chose its own values, and a second thread. */
const COMMAND = `
import os, resource, threading, time
def child(own):
    if os.fork() == 0:
        if own:
            resource.setrlimit(resource.RLIMIT_NOFILE, (100, min(600, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
            os.nice(3)
        time.sleep(1000)
child(False)
child(True)
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
time.sleep(1000)
`;

const stack = (settings: string): string => `
tsbox: 1
name: ${STACK}
containers:
  app:
    command: [python3, -c, ${JSON.stringify(COMMAND)}]
    restart: always
    stop_grace_period: 0s
${settings.replace(/^/gm, '    ')}
`;

const FIRST = `
rlimits: { nofile: { soft: 512, hard: 1024 }, core: { soft: 0, hard: unlimited }, cpu: { soft: 1h, hard: unlimited }, stack: { soft: 4MiB, hard: unlimited } }
oom_score_adj: 300
nice: 5
scheduler: batch
ioprio: { class: be, level: 6 }
cpu_affinity: 0`;

function limit(pid: number, title: string): string {
  const line = readFileSync(`/proc/${pid}/limits`, 'utf8')
    .split('\n')
    .find((l) => l.startsWith(title));
  return (line ?? '').slice(title.length).trim().split(/\s+/).slice(0, 2).join(':');
}
const read = (pid: number, file: string): string => readFileSync(`/proc/${pid}/${file}`, 'utf8').trim();
const nice = (pid: number): string => read(pid, 'stat').split(') ')[1]?.split(' ')[16] ?? '';
const tool = (name: string, ...args: string[]): string => execFileSync(name, args, { encoding: 'utf8' }).trim();
const cpus = (tid: number, pid = tid): string =>
  /^Cpus_allowed_list:\s*(\S+)/m.exec(read(pid, `task/${tid}/status`))?.[1] ?? '';

/** The container's process first, then its children by pid. What ends while it is looked at is looked for anew. */
async function pids(box: Sandbox): Promise<[number, number, number]> {
  let found: [number, number, number] = [0, 0, 0];
  const look = (): boolean => {
    const all = readFileSync(`${box.cgroupDir('unified', `${STACK}/app`)}/cgroup.procs`, 'utf8')
      .split('\n')
      .filter((l) => l !== '')
      .map(Number)
      .sort((a, b) => a - b);
    const own = all[2] ?? 0;
    const threads = all[0] === undefined ? '' : read(all[0], 'status');
    found = all as typeof found;
    return all.length === 3 && nice(own) !== nice(all[1] ?? 0) && /^Threads:\s*2$/m.test(threads);
  };
  await until('its three processes', () => {
    try {
      return look();
    } catch (error) {
      if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) {
        return false;
      }
      throw error;
    }
  });
  return found;
}

test('given at the start, followed by what inherited, changed in place, kept over a restart', async () => {
  const before = await snapshot();
  const box = await sandbox('settings');
  try {
    const file = box.write('stack.yaml', stack(FIRST));
    const run = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await box.tsbox(...args);
      assert.is(code, 0, stdout + stderr);
      return stdout;
    };
    await run('apply', '-f', file, '-y');
    const [main, child, own] = await pids(box);
    assert.is(limit(main, 'Max open files'), '512:1024');
    assert.is(limit(main, 'Max core file size'), '0:unlimited');
    assert.is(limit(main, 'Max cpu time'), '3600:unlimited');
    assert.is(limit(main, 'Max stack size'), '4194304:unlimited');
    assert.is(read(main, 'oom_score_adj'), '300');
    assert.is(nice(main), '5');
    assert.match(tool('chrt', '-p', String(main)), 'SCHED_BATCH');
    assert.is(tool('ionice', '-p', String(main)), 'best-effort: prio 6');
    assert.is(cpus(main), '0');
    assert.is(limit(own, 'Max open files'), '100:600');
    const joined = 'cat /proc/self/oom_score_adj; ulimit -Sn; nice; taskset -pc $$ | sed "s/.*: //"; ionice; umask';
    const seen = await run('exec', `${STACK}:app`, '--', 'sh', '-c', joined);
    assert.equal(
      seen.trim().split('\n'),
      ['300', '512', '5', '0', 'best-effort: prio 6', '0022'],
      'a joined process too',
    );
    assert.match(await run('plan', '-f', file), 'No changes');

    box.write(
      'stack.yaml',
      stack(`
rlimits: { nofile: { soft: 256, hard: 500 } }
oom_score_adj: 400
nice: 2
ioprio: idle`),
    );
    const plan = await run('plan', '-f', file);
    assert.match(plan, 'in place');
    for (const name of ['rlimits', 'oom_score_adj', 'nice', 'scheduler', 'ioprio', 'cpu_affinity']) {
      assert.match(plan, name);
    }
    const began = startTime(main);
    await run('apply', '-f', file, '-y');
    assert.is(startTime(main), began, 'it was not restarted');
    const supervisor = Number(read(main, 'stat').split(') ')[1]?.split(' ')[1]);
    for (const pid of [main, child]) {
      assert.is(limit(pid, 'Max open files'), '256:500');
      assert.is(nice(pid), '2', String(pid));
    }
    assert.is(limit(own, 'Max open files'), '100:500', 'its own soft limit, cut to the new hard one');
    assert.is(nice(own), '8', 'it chose its own');
    for (const pid of [main, child, own]) {
      assert.is(read(pid, 'oom_score_adj'), '400');
      assert.is(tool('ionice', '-p', String(pid)), 'idle');
      assert.is(limit(pid, 'Max cpu time'), limit(supervisor, 'Max cpu time'), 'no longer declared');
    }
    const threads = tool('ls', `/proc/${main}/task`).split('\n').map(Number);
    assert.is(threads.length, 2);
    for (const tid of threads) {
      assert.match(tool('chrt', '-p', String(tid)), 'SCHED_OTHER');
      assert.is(tool('ionice', '-p', String(tid)), 'idle');
      assert.is(cpus(tid, main), cpus(process.pid), 'on every processor again');
    }
    assert.match(await run('plan', '-f', file), 'No changes');

    process.kill(main, 'SIGKILL');
    let again = main;
    await until('the restart', async () => ([again] = await pids(box))[0] !== main);
    assert.is(limit(again, 'Max open files'), '256:500', 'the supervisor starts it with what was last applied');
    assert.is(nice(again), '2');
    assert.is(read(again, 'oom_score_adj'), '400');
    assert.match(await run('plan', '-f', file), 'No changes');

    // A program may raise a soft limit to the hard one; nobody but the machine's administrator the hard one.
    tool('prlimit', '--pid', String(again), '--nofile=500:500');
    assert.match(await run('plan', '-f', file), 'No changes');
    tool('prlimit', '--pid', String(again), '--core=0:unlimited');
    assert.match(await run('plan', '-f', file), 'No changes');
    tool('prlimit', '--pid', String(again), '--nofile=100:500');
    const drift = await box.tsbox('drift', '-f', file);
    assert.is(drift.code, 2);
    assert.match(drift.stdout, 'rlimits');
    await run('destroy', '-f', file, '-y');
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
});

test('inside a user namespace too: they are set from outside', async () => {
  const box = await sandbox('settings');
  try {
    const file = box.write(
      'stack.yaml',
      `
tsbox: 1
name: ${STACK}
containers:
  app:
    command: [sleep, "1000"]
    nice: -3
    oom_score_adj: 7
    rlimits: { nproc: 50, nofile: 64 }
    ioprio: { class: rt, level: 2 }
    namespaces: { user: { uids: [{ inside: 0, outside: 100000, count: 65536 }] } }
`,
    );
    const applied = await box.tsbox('apply', '-f', file, '-y');
    assert.is(applied.code, 0, applied.stderr + applied.stdout);
    const pid = Number(readFileSync(`${box.cgroupDir('unified', `${STACK}/app`)}/cgroup.procs`, 'utf8').trim());
    assert.is(nice(pid), '-3');
    assert.is(read(pid, 'oom_score_adj'), '7');
    assert.is(limit(pid, 'Max processes'), '50:50');
    assert.is(limit(pid, 'Max open files'), '64:64');
    assert.is(tool('ionice', '-p', String(pid)), 'realtime: prio 2');
    assert.is((await box.tsbox('destroy', '-f', file, '-y')).code, 0);
  } finally {
    await box.cleanup();
  }
});

test('another user has its limits without a privilege, at the start, after a restart and in what joins', async () => {
  const before = await snapshot();
  const box = await sandbox('settings');
  const without = (...args: string[]): Promise<Run> =>
    box.run('setpriv', ['--bounding-set=-sys_resource', '--inh-caps=-all', process.execPath, CLI, ...args]);
  try {
    const file = box.write(
      'stack.yaml',
      `
tsbox: 1
name: ${STACK}
containers:
  app:
    command: [sleep, "1000"]
    user: 1234:1234
    restart: always
    stop_grace_period: 0s
    rlimits: { nofile: { soft: 200, hard: 300 }, nproc: 100, core: 0 }
`,
    );
    const applied = await without('apply', '-f', file, '-y');
    assert.is(applied.code, 0, applied.stderr + applied.stdout);
    const procs = `${box.cgroupDir('unified', `${STACK}/app`)}/cgroup.procs`;
    const check = (pid: number): void => {
      assert.match(read(pid, 'status'), /^Uid:\t1234\t1234\t1234\t1234$/m);
      assert.is(limit(pid, 'Max open files'), '200:300');
      assert.is(limit(pid, 'Max processes'), '100:100');
      assert.is(limit(pid, 'Max core file size'), '0:0');
    };
    const pid = Number(readFileSync(procs, 'utf8').trim());
    check(pid);
    const joined = await without('exec', `${STACK}:app`, '--', 'sh', '-c', 'id -u; ulimit -Sn; ulimit -Hn');
    assert.is(joined.stdout, '1234\n200\n300\n', joined.stderr);
    process.kill(pid, 'SIGKILL');
    let again = pid;
    await until('the restart', () => ![0, pid].includes((again = Number(readFileSync(procs, 'utf8').trim()))));
    await until('its program', () => read(again, 'cmdline').startsWith('sleep'));
    check(again);
    assert.match((await without('plan', '-f', file)).stdout, 'No changes');
    // What runs as somebody else is changed only with the privilege; a new process has it without.
    box.write('stack.yaml', readFileSync(file, 'utf8').replace('nproc: 100', 'nproc: 90'));
    const refused = await without('apply', '-f', file, '-y');
    assert.is(refused.code, 1, refused.stdout);
    assert.match(refused.stderr, /needs CAP_SYS_RESOURCE; without it a new process has it: tsbox restart/);
    const restarted = await without('restart', 'app', '--stack', STACK);
    assert.is(restarted.code, 0, restarted.stderr);
    assert.is(limit(Number(readFileSync(procs, 'utf8').trim()), 'Max processes'), '90:90');
    assert.match((await without('plan', '-f', file)).stdout, 'No changes');
    assert.is((await box.tsbox('destroy', '-f', file, '-y')).code, 0);
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
});

test('what these privileges cannot do is an error of the plan', async () => {
  const box = await sandbox('settings');
  try {
    const file = box.write(
      'stack.yaml',
      `
tsbox: 1
name: ${STACK}
containers:
  app:
    command: [sleep, "1000"]
    nice: -3
    oom_score_adj: -5
    rlimits: { nofile: 2000000000 }
    cpu_affinity: 8000
`,
    );
    const plan = await box.run('setpriv', [
      '--bounding-set=-sys_resource,-sys_nice',
      '--inh-caps=-all',
      process.execPath,
      CLI,
      'plan',
      '-f',
      file,
    ]);
    assert.is(plan.code, 1, plan.stdout);
    assert.match(plan.stderr, /nofile is \d+ here, and raising it needs CAP_SYS_RESOURCE/);
    assert.match(plan.stderr, 'lowering it needs CAP_SYS_RESOURCE');
    assert.match(plan.stderr, 'nice above the ordinary needs CAP_SYS_NICE');
    assert.match(plan.stderr, 'none of the processors 8000 is online');
  } finally {
    await box.cleanup();
  }
});

test.run();
