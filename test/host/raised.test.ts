/**
 * What is above the ordinary: raised hard limits, a lower OOM score, real-time policies and i/o. Where these privileges or
 * this cgroup layout cannot give them, that is what is said.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { pidsOf } from '../support/namespaces.ts';
import { procStatus, sandbox, startTime } from '../support/sandbox.ts';

const STACK = 'raised';
const CAP_SYS_RESOURCE = 24n;
const mayRaise = ((BigInt(`0x${procStatus(process.pid).get('CapEff') ?? '0'}`) >> CAP_SYS_RESOURCE) & 1n) === 1n;
const limitOf = (pid: number | 'self'): { soft: number; hard: number } => {
  const [, soft, hard] = /^Max open files +(\d+) +(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8')) ?? [];
  return { soft: Number(soft), hard: Number(hard) };
};
const hard = limitOf('self').hard;
const RAISED = `
    rlimits: { nofile: { soft: 900, hard: ${hard + 1000} } }
    oom_score_adj: -500`;
const URGENT = `
    nice: -5
    ioprio: { class: rt, level: 2 }`;
const FIFO = 'scheduler: { policy: fifo, priority: 10 }';
const RR = 'scheduler: { policy: rr, priority: 20, reset_on_fork: true }';
const DEADLINE = 'scheduler: { policy: deadline, runtime: 1ms, deadline: 10ms, period: 20ms }';

const stack = (...settings: string[]): string => `
tsbox: 1
name: ${STACK}
containers:
  app:
    command: [sleep, "1000"]
    stop_grace_period: 0s${settings.map((s) => (s.startsWith('\n') ? s : `\n    ${s}`)).join('')}
`;
const tool = (name: string, ...args: string[]): string =>
  execFileSync(name, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
const nice = (pid: number): number => Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[16]);
/** With CONFIG_RT_GROUP_SCHED a v1 cpu cgroup has no real time until it is given some. */
const grouped = existsSync('/sys/fs/cgroup/cpu/cpu.rt_runtime_us');

test('given at the start, changed in place, edited by hand and healed', async () => {
  const before = await snapshot();
  const box = await sandbox(STACK);
  const file = box.write('stack.yaml', stack(RAISED, URGENT));
  const run = async (code: number, ...args: string[]): Promise<string> => {
    const result = await box.tsbox(...args, '-f', file);
    assert.is(result.code, code, `${args.join(' ')}: ${result.stdout}${result.stderr}`);
    return result.stdout + result.stderr;
  };
  const drifted = async (): Promise<string[]> => {
    const { items } = JSON.parse((await box.tsbox('drift', '-f', file, '--format', 'json')).stdout) as {
      items: Array<{ attribute: string }>;
    };
    return items.map((i) => i.attribute).sort();
  };
  try {
    if (!mayRaise) {
      const refused = await run(1, 'apply', '-y');
      assert.match(refused, `the hard limit of nofile is ${hard} here, and raising it needs CAP_SYS_RESOURCE`);
      assert.match(refused, 'and lowering it needs CAP_SYS_RESOURCE');
      box.write('stack.yaml', stack(URGENT));
    }
    const settings = mayRaise ? [RAISED] : [];
    await run(0, 'apply', '-y');
    const pid = (await pidsOf(box, STACK))['app'] ?? 0;
    const began = startTime(pid);
    const check = (): void => {
      assert.is(startTime(pid), began, 'it was not restarted');
      if (mayRaise) {
        assert.equal(limitOf(pid), { soft: 900, hard: hard + 1000 });
        assert.is(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8'), '-500\n');
      }
      assert.is(nice(pid), -5);
      assert.is(tool('ionice', '-p', String(pid)), 'realtime: prio 2');
    };
    check();

    tool('prlimit', '--pid', String(pid), '--nofile=100:200');
    tool('renice', '-n', '3', '-p', String(pid));
    tool('ionice', '-c', '2', '-n', '7', '-p', String(pid));
    if (mayRaise) {
      tool('sh', '-c', `echo -900 > /proc/${pid}/oom_score_adj`);
    }
    assert.equal(await drifted(), ['ioprio', 'nice', ...(mayRaise ? ['oom_score_adj', 'rlimits'] : [])]);
    await run(0, 'apply', '-y');
    check();
    assert.equal(await drifted(), []);

    // Each policy in place of the one before; a priority given by hand is seen.
    box.write('stack.yaml', stack(...settings, FIFO));
    if (grouped) {
      const refused = await run(1, 'apply', '-y');
      assert.match(refused, /sched_setattr fifo priority=10 .*EPERM/);
      assert.match(refused, 'a v1 cpu cgroup needs cpu.rt_runtime_us as well');
    } else {
      await run(0, 'apply', '-y');
      assert.match(tool('chrt', '-p', String(pid)), /SCHED_FIFO\n.*priority: 10$/);
      assert.is(tool('ionice', '-p', String(pid)).split(':')[0], 'none');
      tool('chrt', '-f', '-p', '30', String(pid));
      assert.equal(await drifted(), ['scheduler']);
      box.write('stack.yaml', stack(...settings, RR));
      await run(0, 'apply', '-y');
      assert.match(tool('chrt', '-p', String(pid)), /SCHED_RR\|SCHED_RESET_ON_FORK\n.*priority: 20$/);
    }
    box.write('stack.yaml', stack(...settings, DEADLINE));
    await run(0, 'apply', '-y');
    const shown = tool('chrt', '-p', String(pid));
    assert.match(shown, /SCHED_DEADLINE\n/);
    assert.match(shown, '1000000/10000000/20000000');
    assert.is(startTime(pid), began);
    assert.match(await run(0, 'plan'), 'No changes');
    await run(0, 'destroy', '-y');
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test.run();
