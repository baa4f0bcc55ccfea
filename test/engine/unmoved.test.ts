/** What moves between the plan under the lock and a step is neither overwritten nor removed. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { executionContext } from '../../src/executor/context.ts';
import { applyPlan, type ApplyResult } from '../../src/executor/index.ts';
import { openKernel, type Kernel } from '../../src/kernel/kernel.ts';
import { makePlan } from '../../src/planner/index.ts';
import { SUPERVISORS } from '../../src/resources/scope.ts';
import { loadStack } from '../../src/stack/index.ts';
import type { Stack } from '../../src/stack/types.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { CLI, exists, hierarchies, sandbox } from '../support/sandbox.ts';

const loadText = (text: string): Stack =>
  loadStack(['s.yaml'], { env: {}, texts: new Map([['s.yaml', `tsbox: 1\nname: s\n${text}`]]) });
const load = (cgroups: string): Stack => loadText(`cgroups:\n${cgroups}`);

/** Plans, lets somebody else act, and applies what was planned. */
async function applied(kernel: Kernel, stack: Stack, between: () => void = () => undefined): Promise<ApplyResult> {
  const { plan } = await makePlan(kernel, 's', stack, { targets: [], destroy: false });
  between();
  return applyPlan(executionContext(kernel, 's', stack), plan, {
    parallelism: 4,
    interrupted: () => false,
    onEvent: () => undefined,
  });
}

test('an edit and another directory in the place of ours', async () => {
  const before = await snapshot();
  const box = await sandbox('unmoved');
  try {
    const kernel = openKernel(box.env);
    const first = await applied(
      kernel,
      load(
        '  a: { pids: { max: 50 } }\n  b: { pids: { max: 50 }, cpu: { weight: 200 } }\n  gone: { pids: { max: 9 } }\n  c: { freeze: false }\n',
      ),
    );
    assert.equal(first.failed, []);
    const file = (name: string): string => join(box.cgroupDir('pids', `s/${name}`), 'pids.max');
    const read = (name: string): string => readFileSync(file(name), 'utf8').trim();
    const next = load(
      '  a: { pids: { max: 60 } }\n  b: { pids: { max: 60 }, cpu: { weight: 200 } }\n  c: { freeze: true }\n',
    );
    const freeze = join(box.cgroupDir('unified', 's/c'), 'cgroup.freeze');
    const places = hierarchies().map((h) => `${h.mount}${box.cgroupRoot}/s/gone`);
    const moved = await applied(kernel, next, () => {
      writeFileSync(file('a'), '55');
      writeFileSync(freeze, '1');
      places.forEach((place) => rmdirSync(place));
      places.forEach((place) => mkdirSync(place));
    });
    const why = new Map(moved.failed.map((f) => [f.change.address, f.error]));
    assert.equal(
      [...why.values()].map((e) => e.code),
      ['TSB3006', 'TSB3006', 'TSB3006'],
    );
    assert.match(why.get('cgroup/a')?.message ?? '', 'pids.max moved since the plan: it was 50, and is 55 now');
    assert.match(why.get('cgroup/c')?.message ?? '', /cgroup.freeze moved since the plan: it was .*, and is .* now/);
    assert.match(why.get('cgroup/gone')?.message ?? '', 'is not the cgroup that the plan saw');
    assert.equal([read('a'), read('b')], ['55', '60'], 'what did not move is done');
    places.forEach((place) => rmdirSync(place));
    const again = await applied(kernel, next);
    assert.equal(again.failed, []);
    assert.is(read('a'), '60', 'the next plan has seen it');
    assert.is((await box.tsbox('destroy', '--stack', 's', '-y')).code, 0);
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
});

test('settings of a process, kernel parameters and names that somebody edits are not overwritten', async () => {
  const before = await snapshot();
  const box = await sandbox('unmoved');
  try {
    const kernel = openKernel(box.env);
    const text = (nofile: number, score: number, ttl: number, name: string): string =>
      `containers:
  limits: { command: [sleep, "1000"], rlimits: { nofile: ${nofile} }, oom_score_adj: ${score} }
  tuned: { command: [sleep, "1000"], sysctls: { net.ipv4.ip_default_ttl: ${ttl} } }
  named: { command: [sleep, "1000"], namespaces: { uts: { hostname: ${name} } } }
  icy: { command: [sleep, "1000"], freeze: false, memory_policy: ${ttl === 70 ? 'default' : 'local'} }
`;
    const file = box.write('tsbox.yaml', `tsbox: 1\nname: s\n${text(512, 100, 70, 'one')}`);
    const first = await box.tsbox('apply', '-y', '-f', file);
    assert.is(first.code, 0, first.stderr);
    const rows = JSON.parse((await box.tsbox('ps', '--json')).stdout) as Array<{ name: string; pid: number }>;
    const pid = (name: string): string => String(rows.find((r) => r.name === name)?.pid);
    const run = (command: string, ...args: string[]): void =>
      assert.is(spawnSync(command, args, { encoding: 'utf8' }).stderr, '');
    assert.is((await box.tsbox('freeze', '--stack', 's', 'icy')).code, 0);
    const next = loadText(text(600, 100, 80, 'two'));
    const moved = await applied(kernel, next, () => {
      run('prlimit', '--pid', pid('limits'), '--nofile=400:400');
      run('nsenter', '-n', '-t', pid('tuned'), 'sh', '-c', 'echo 75 > /proc/sys/net/ipv4/ip_default_ttl');
      run('nsenter', '-u', '-t', pid('named'), 'hostname', 'other');
    });
    const why = new Map(moved.failed.map((f) => [f.change.address, f.error.message]));
    assert.is(
      why.get('container/limits'),
      'rlimits moved since the plan: it was {"nofile":"512:512"}, and is {"nofile":"400:400"} now',
    );
    assert.is(
      why.get('container/tuned'),
      'sysctls moved since the plan: it was {"net.ipv4.ip_default_ttl":"70"}, and is {"net.ipv4.ip_default_ttl":"75"} now',
    );
    assert.is(why.get('container/named'), 'hostname moved since the plan: it was one, and is other now');
    assert.is(why.get('container/icy'), undefined, 'what a stop thaws did not move');
    assert.match(readFileSync(`/proc/${pid('limits')}/limits`, 'utf8'), /Max open files +400 +400/);
    const again = await applied(kernel, loadText(text(300, 200, 80, 'two')));
    assert.equal(again.failed, []);
    assert.match(readFileSync(`/proc/${pid('limits')}/limits`, 'utf8'), /Max open files +300 +300/);
    assert.is(readFileSync(`/proc/${pid('limits')}/oom_score_adj`, 'utf8').trim(), '200');
    assert.is((await box.tsbox('destroy', '--stack', 's', '-y')).code, 0);
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
});

test('what moves while somebody reads the plan at the prompt is not overwritten', async () => {
  const box = await sandbox('unmoved');
  try {
    const stack = (max: number): string => `tsbox: 1\nname: s\ncgroups: { a: { pids: { max: ${max} } } }\n`;
    const file = box.write('tsbox.yaml', stack(50));
    assert.is((await box.tsbox('apply', '-y')).code, 0);
    writeFileSync(file, stack(60));
    const command = `${process.execPath} ${CLI} apply`;
    const child = spawn('script', ['-qfec', command, '/dev/null'], { cwd: box.dir, env: box.env });
    const knob = join(box.cgroupDir('pids', 's/a'), 'pids.max');
    let told = '';
    let answered = false;
    child.stdout.on('data', (data: Buffer) => {
      told += data.toString();
      if (!answered && told.includes("Only 'yes' is taken")) {
        answered = true;
        writeFileSync(knob, '55');
        child.stdin.write('yes\n');
      }
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    assert.is(code, 3, told);
    assert.match(told, 'the plan is stale, this moved since:');
    assert.match(told, 'cgroup/a: pids.max was 50 when planned, is 55 now');
    assert.is(readFileSync(knob, 'utf8').trim(), '55');
    assert.is((await box.tsbox('destroy', '--stack', 's', '-y')).code, 0);
  } finally {
    await box.cleanup();
  }
});

test("a process of others among the supervisors keeps the stack's directory, and that is told", async () => {
  const box = await sandbox('unmoved');
  const child = spawn('sleep', ['1000']);
  try {
    box.write('tsbox.yaml', 'tsbox: 1\nname: s\ncgroups: { a: {} }\n');
    assert.is((await box.tsbox('apply', '-y')).code, 0);
    const leaf = box.cgroupDir('unified', `s/${SUPERVISORS}`);
    mkdirSync(leaf, { recursive: true });
    writeFileSync(`${leaf}/cgroup.procs`, String(child.pid));
    const held = await box.tsbox('destroy', '-y');
    assert.is(held.code, 4, held.stderr);
    assert.match(held.stderr, `cannot be removed: it still holds process ${child.pid} (sleep)`);
    const ended = new Promise((resolve) => child.on('close', resolve));
    child.kill();
    await ended;
    const gone = await box.tsbox('destroy', '-y');
    assert.is(gone.code, 0, gone.stderr);
    assert.not.ok(exists(box.cgroupDir('unified', 's')));
  } finally {
    child.kill();
    await box.cleanup();
  }
});

test.run();
