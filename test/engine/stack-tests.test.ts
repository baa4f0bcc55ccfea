/** `tsbox test`: runs that plan and apply in a place of their own, of which nothing stays, however it ends. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { CLI, hierarchies, repository, sandbox, type Sandbox } from '../support/sandbox.ts';
import { until } from '../support/wait.ts';

/** Places of tests beside the sandbox's own. */
function places(box: Sandbox): string[] {
  const roots = [
    ...hierarchies().map((h) => h.mount + box.cgroupRoot),
    box.runDir,
    box.env['TSBOX_STATE_DIR'] ?? '',
  ].map((path) => ({ directory: path.slice(0, path.lastIndexOf('/')), name: path.slice(path.lastIndexOf('/') + 1) }));
  return roots.flatMap(({ directory, name }) =>
    readdirSync(directory)
      .filter((n) => n.startsWith(`${name}-test-`))
      .map((n) => join(directory, n)),
  );
}

async function inBox(name: string, use: (box: Sandbox) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox(name);
  try {
    await use(box);
    assert.equal(places(box), []);
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
}

test('the tests of the examples pass', () =>
  inBox('tests', async (box) => {
    const run = await box.tsbox('test', join(repository(), 'stacks'));
    assert.is(run.code, 0, run.stdout + run.stderr);
    assert.match(run.stdout, /policies\.test\.yaml\.\.\. pass\n {2}run "/);
    assert.match(run.stdout, /\nSuccess! \d+ passed, 0 failed\.\n$/);
  }));

test('what fails is told and does not end it; what is protected or forgotten goes too', () =>
  inBox('tests', async (box) => {
    box.write(
      's.yaml',
      `tsbox: 1
name: s
variables: { n: { type: integer, default: 5 } }
cgroups:
  a: { pids: { max: "\${n}" }, lifecycle: { prevent_destroy: true } }
volumes: { data: {} }
containers:
  web: { cgroup: a, command: [sleep, infinity], mounts: [{ volume: data, target: /run/data }] }
checks:
  low: { assert: 'resources["cgroup/a"].live["pids.max"] < 10', message: too many }
outputs:
  pid: \${container.web.pid}
`,
    );
    box.write('without.yaml', 'tsbox: 1\nname: s\nremoved: [{ from: container/web, destroy: false }]\n');
    box.write(
      's.test.yaml',
      `tsbox: 1
stack: s.yaml
runs:
  - name: made
    command: apply
    assert:
      - condition: outputs.pid > 1 && plan.add == 3
      - condition: resources["container/web"].live.state == "stopped"
        message: it is not stopped
  - name: too many
    command: apply
    variables: { n: 50 }
    expect_failures: [low]
  - name: still too many
    variables: { n: 60 }
    expect_failures: [container/web]
  - name: no number
    variables: { n: x }
    expect_failures: [TSB1006]
  - name: forgotten
    command: apply
    stack: without.yaml
    expect_failures: [cgroup/a]
`,
    );
    const run = await box.tsbox('test', '--json');
    assert.is(run.code, 1, run.stdout + run.stderr);
    const events = run.stdout
      .trimEnd()
      .split('\n')
      .map((l) => JSON.parse(l) as Record<string, unknown>);
    const of = (type: string): unknown[] => events.filter((e) => e['type'] === type).map((e) => e[type]);
    assert.equal(of('test_abstract'), [
      { 's.test.yaml': ['made', 'too many', 'still too many', 'no number', 'forgotten'] },
    ]);
    assert.equal(
      (of('test_run') as Array<{ run: string; status: string }>).map((r) => `${r.run}: ${r.status}`),
      ['made: fail', 'too many: pass', 'still too many: fail', 'no number: pass', 'forgotten: pass'],
      run.stdout,
    );
    const told = events
      .filter((e) => e['type'] === 'diagnostic')
      .map((e) => [e['@testrun'], (e['diagnostic'] as { summary: string }).summary]);
    assert.equal(told, [
      ['made', 'assertion failed: it is not stopped'],
      ['still too many', 'check low: too many'],
      ['still too many', "'container/web' was expected to fail and did not"],
    ]);
    assert.equal(of('test_summary'), [{ status: 'fail', passed: 3, failed: 2, errored: 0, skipped: 0 }]);
  }));

test('what the stack adopts is not taken from the installation that has it', () =>
  inBox('tests', async (box) => {
    const adopted = `${box.cgroupRoot}x`;
    const places = hierarchies().map((h) => h.mount + adopted);
    places.forEach((place) => mkdirSync(place));
    try {
      box.env['TSBOX_INSTALLATION'] = 'one';
      const stack = (n: number): string =>
        `tsbox: 1\nname: s\ncgroups: { a: { adopt: ${adopted}, pids: { max: ${n} } } }\n`;
      box.write('s.yaml', stack(40));
      assert.is((await box.tsbox('apply', '-f', 's.yaml', '-y', '-q')).code, 0);
      box.write('t.yaml', stack(30));
      box.write('s.test.yaml', 'tsbox: 1\nstack: t.yaml\nruns: [{ name: a, command: apply }]\n');
      const run = await box.tsbox('test');
      assert.is(run.code, 1, run.stdout + run.stderr);
      assert.match(run.stderr, `${adopted} belongs to stack s of installation one (cgroup/a), not to stack s of`);
      assert.is((await box.tsbox('plan', '-f', 's.yaml', '--detailed-exitcode')).code, 0, 'it is as it was');
      assert.is((await box.tsbox('destroy', '-f', 's.yaml', '-y', '-q')).code, 0);
    } finally {
      places.forEach((place) => rmdirSync(place));
    }
  }));

test('a plan against a recorded kernel needs neither privileges nor the addon', () =>
  inBox('tests', async (box) => {
    box.write(
      's.yaml',
      'tsbox: 1\nname: s\nvariables: { n: { default: 5 } }\ncgroups: { a: { pids: { max: "${n}" } } }\n',
    );
    assert.is((await box.tsbox('apply', '-f', 's.yaml', '-y', '-q')).code, 0);
    assert.is((await box.tsbox('plan', '-f', 's.yaml', '--record-kernel', 's.kernel')).code, 0);
    assert.is((await box.tsbox('destroy', '-f', 's.yaml', '-y', '-q')).code, 0);
    box.write(
      's.test.yaml',
      `tsbox: 1
stack: s.yaml
kernel: s.kernel
runs:
  - { name: nothing to do, assert: [{ condition: plan.empty }] }
  - { name: in place, variables: { n: 7 }, assert: [{ condition: plan.in_place == 1 && plan.add == 0 }] }
  - { name: elsewhere, command: apply }
`,
    );
    // A copy of the program alone, where nothing can be loaded, as somebody who may read what is here.
    await box.run('sh', [
      '-ec',
      `mkdir d; cp ${join(repository(), 'dist')}/tsbox* d; rm d/tsbox.node; chmod -R a+rX .`,
    ]);
    const run = await box.run('setpriv', [
      ...['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, 'd/tsbox'],
      ...['test', '--format', 'junit', '--filter', 'nothing to do', '--filter', 'in place'],
    ]);
    assert.is(run.code, 0, run.stdout + run.stderr);
    assert.match(run.stdout, '<testsuite name="s.test.yaml" tests="3" failures="0" errors="0" skipped="1">');
    const unprivileged = await box.run('setpriv', [
      ...['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, CLI, 'test', '--filter', 'elsewhere'],
    ]);
    assert.is(unprivileged.code, 1);
    assert.match(unprivileged.stderr, 'a run that applies needs CAP_SYS_ADMIN');
  }));

test('an interrupt lets the running changes end, skips the rest and removes everything', () =>
  inBox('tests', async (box) => {
    box.write(
      's.yaml',
      `tsbox: 1
name: s
containers:
  slow: { command: [sleep, infinity], hooks: { pre_start: [{ command: [sh, -c, "touch ${box.dir}/begun; sleep 2"] }] } }
`,
    );
    box.write(
      's.test.yaml',
      'tsbox: 1\nstack: s.yaml\nruns: [{ name: a, command: apply }, { name: b, command: apply }]\n',
    );
    const child = spawn(process.execPath, [CLI, 'test'], {
      cwd: box.dir,
      env: box.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let told = '';
    child.stdout.on('data', (d: Buffer) => (told += d.toString()));
    child.stderr.on('data', (d: Buffer) => (told += d.toString()));
    await until('the start of the hook', () => existsSync(join(box.dir, 'begun')));
    assert.ok(places(box).length > 2, 'it has a place of its own');
    child.kill('SIGINT');
    const [code] = (await once(child, 'close')) as [number];
    assert.is(code, 130, told);
    assert.match(told, 'finishing what is running, then removing what the tests made');
    assert.match(told, /run "a"\.\.\. error/);
    assert.match(told, /run "b"\.\.\. skip/);
    assert.not.ok(
      existsSync(box.runDir) && readFileSync('/proc/self/mountinfo', 'utf8').includes(`${box.runDir}-test-`),
    );
  }));

test.run();
