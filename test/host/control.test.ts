/** freeze, thaw, signal and kill: what they say is what the kernel does. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { layout, procStatus, sandbox, type Sandbox } from '../support/sandbox.ts';
import { pause, until } from '../support/wait.ts';

interface Row {
  readonly name: string;
  readonly pid: number | null;
  readonly state: string;
  readonly restarts: number;
}

const rows = async (box: Sandbox): Promise<Row[]> =>
  JSON.parse((await box.tsbox('ps', '--json', '--stack', 'ctl')).stdout) as Row[];
const row = async (box: Sandbox, name: string): Promise<Row> => {
  const found = (await rows(box)).find((r) => r.name === name);
  assert.ok(found, `no container ${name}`);
  return found;
};

function scene(name: string, yaml: string, body: (box: Sandbox, file: string) => Promise<void>): void {
  test(name, async () => {
    const before = await snapshot();
    const box = await sandbox('control');
    try {
      const file = box.write('ctl.yaml', `tsbox: 1\nname: ctl\n${yaml}`);
      const applied = await box.tsbox('apply', '-y', '-f', file);
      assert.is(applied.code, 0, applied.stderr);
      await body(box, file);
      const destroyed = await box.tsbox('destroy', '-y', '-f', file);
      assert.is(destroyed.code, 0, destroyed.stderr);
    } finally {
      await box.cleanup();
    }
    assertNoLeaks(before, await snapshot());
  });
}

/** Processor time of a process, ticks: utime + stime of proc_pid_stat(5). */
function ticks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

const SPIN = '[sh, -c, "while :; do :; done"]';

scene(
  'freeze and thaw wait for the kernel, below a frozen cgroup too',
  `cgroups:\n  tenant: {}\ncontainers:\n  busy: { command: ${SPIN}, cgroup: tenant, freeze: false, cpu: { max: 30% } }\n`,
  async (box, file) => {
    const { pid } = await row(box, 'busy');
    assert.ok(pid);
    await until('work', () => ticks(pid) > 0);
    const frozen = await box.tsbox('freeze', 'container/busy');
    assert.is(frozen.code, 0, frozen.stderr);
    assert.is(frozen.stdout, 'container/busy: frozen\n');
    assert.match((await box.tsbox('ps')).stdout, /busy +running \d+[smh] \(frozen\)/);
    const still = ticks(pid);
    await pause(300);
    assert.is(ticks(pid), still);
    // Once more changes nothing; plan tells of it.
    assert.is((await box.tsbox('freeze', 'busy')).code, 0);
    const plan = await box.tsbox('plan', '-f', file, '--detailed-exitcode');
    assert.is(plan.code, 2);
    assert.match(plan.stdout, 'cgroup.freeze');

    assert.is((await box.tsbox('freeze', 'cgroup/tenant')).code, 0);
    const below = await box.tsbox('thaw', 'busy');
    assert.is(below.code, 1);
    assert.match(below.stderr, /container\/busy: thawed itself, but stays frozen: \S+\/ctl\/tenant above it is frozen/);
    await pause(300);
    assert.is(ticks(pid), still);
    const thawed = await box.tsbox('thaw', 'cgroup/tenant');
    assert.is(thawed.code, 0, thawed.stderr);
    await until('work after the thaw', () => ticks(pid) > still);
    assert.is((await box.tsbox('plan', '-f', file, '--detailed-exitcode')).code, 0);
  },
);

const TRAP = `[sh, -c, "sleep 1000 & trap 'echo got it' USR1; while :; do sleep 0.1; done"]`;

scene(
  'signals reach the main process, or everyone',
  `cgroups:\n  tenant: {}\ncontainers:\n  one: { command: ${TRAP}, cgroup: tenant }\n  two: { command: [sleep, "1000"], cgroup: tenant }\n`,
  async (box) => {
    const one = await row(box, 'one');
    assert.ok(one.pid);
    const { pid } = one;
    await until('the trap', () => ((BigInt(`0x${procStatus(pid).get('SigCgt') ?? '0'}`) >> 9n) & 1n) === 1n);
    const sent = await box.tsbox('signal', 'container/one', 'USR1');
    assert.is(sent.stdout, 'container/one: SIGUSR1 to 1 process\n', sent.stderr);
    await until('the answer', async () => (await box.tsbox('logs', 'one')).stdout.includes('got it'));
    assert.is((await row(box, 'one')).pid, pid);
    const all = await box.tsbox('signal', 'cgroup/tenant', 'KILL');
    // The shell, its two sleeps (one of them not always there) and the other container; what ended with the shell, as
    // the first process of its pid namespace, before its own signal came is not counted.
    assert.match(all.stdout, /^cgroup\/tenant: SIGKILL to [2-5] processes\n$/);
    await until('both ends', async () => (await rows(box)).every((r) => r.state === 'killed (SIGKILL)'));
    const gone = await box.tsbox('signal', 'container/one', 'TERM');
    assert.is(gone.code, 1);
    assert.match(gone.stderr, 'container/one: it is not running');
    const wrong = await box.tsbox('signal', 'container/one', 'SIGNONE');
    assert.is(wrong.code, 1);
    assert.match(wrong.stderr, /TSB2001.*SIGNONE/);
    const nobody = await box.tsbox('kill', 'container/none');
    assert.is(nobody.code, 1);
    assert.match(nobody.stderr, /TSB2003[\s\S]*container\/ctl:one/);
  },
);

const BOMB = `[sh, -c, "trap '' TERM; b() { while :; do sh -c 'trap \\"\\" TERM; sleep 0.1; sleep 1000' & sleep 0.005; done; }; b & b & b & b"]`;

scene(
  'a subtree that forks all the time and restarts always is killed in one act and stays dead',
  `cgroups:\n  tenant: { pids: { max: 200 }, cpu: { max: 60% } }
containers:
  bomb: { command: ${BOMB}, cgroup: tenant, restart: { policy: always, backoff: 10ms } }
  idle: { command: [sleep, "1000"], cgroup: tenant, restart: { policy: always, backoff: 10ms } }
  other: { command: [sleep, "1000"] }\n`,
  async (box, file) => {
    const other = await row(box, 'other');
    const inside = (): string[] =>
      ['bomb', 'idle'].flatMap((name) =>
        readFileSync(`${box.cgroupDir('pids', `ctl/tenant/${name}`)}/cgroup.procs`, 'utf8')
          .split('\n')
          .filter((line) => line !== ''),
      );
    await until('the bomb', () => inside().length > 50);
    const killed = await box.tsbox('kill', 'cgroup/tenant');
    assert.is(killed.code, 0, killed.stderr);
    assert.is(killed.stdout, 'cgroup/tenant: killed, with container/bomb, container/idle\n');
    assert.equal(inside(), []);
    await pause(500);
    assert.equal(inside(), [], 'nobody was started again');
    assert.is((await row(box, 'idle')).state, 'stopped');
    assert.is((await row(box, 'other')).pid, other.pid);
    const plan = await box.tsbox('plan', '-f', file);
    assert.match(plan.stdout, /2 to change|2 to restart|Restarted: 2/);
  },
);

scene('a frozen container is killed', 'containers:\n  cold: { command: [sleep, "1000"] }\n', async (box) => {
  assert.is((await box.tsbox('freeze', 'cold')).code, 0);
  const killed = await box.tsbox('kill', 'cold');
  assert.is(killed.code, 0, killed.stderr);
  assert.is(
    readFileSync(`${box.cgroupDir(layout() === 'v1' ? 'freezer' : 'unified', 'ctl/cold')}/cgroup.procs`, 'utf8'),
    '',
  );
  assert.is((await row(box, 'cold')).pid, null);
});

test.run();
