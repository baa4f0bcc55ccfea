/** Cgroups that others made: described by import, taken over as they are, changed, and given back as they were. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { hierarchies, layout, sandbox } from '../support/sandbox.ts';

type Sandbox = Awaited<ReturnType<typeof sandbox>>;

const HAND = `/tsbox-test-${process.pid}-hand`;
const mode = layout();

let box: Sandbox;
let before: Awaited<ReturnType<typeof snapshot>>;
let sleeper: ChildProcess;
let dirs: string[] = [];
let enabled = false;

/** Directory of the hand-made tree in the hierarchy of a controller. */
function hand(controller: string, below = ''): string {
  return box.cgroupDir(controller, '').replace(box.cgroupRoot, HAND) + below;
}

const read = (path: string): string => readFileSync(path, 'utf8').trim();
const membersOf = (dir: string): string[] => read(`${dir}/cgroup.procs`).split('\n').filter(Boolean);

test.before(async () => {
  before = await snapshot();
  box = await sandbox('adopt');
  const root = hierarchies().find((h) => h.version === 2)?.mount;
  if (mode === 'unified' && root !== undefined && !read(`${root}/cgroup.subtree_control`).includes('pids')) {
    writeFileSync(`${root}/cgroup.subtree_control`, '+pids');
    enabled = true;
  }
  dirs = hierarchies().map((h) => `${h.mount}${HAND}`);
  for (const dir of dirs) {
    // A v1 cpuset takes processes only with lists; the tests need none there.
    if (dir.includes('/cpuset')) {
      continue;
    }
    mkdirSync(dir);
  }
  dirs = dirs.filter((d) => existsSync(d));
  if (mode === 'unified') {
    writeFileSync(`${hand('pids')}/cgroup.subtree_control`, '+pids');
  }
  for (const dir of dirs) {
    mkdirSync(`${dir}/worker`);
  }
  writeFileSync(`${hand('pids')}/pids.max`, '50');
  writeFileSync(`${hand('pids')}/worker/pids.max`, '20');
  sleeper = spawn('sleep', ['1000'], { stdio: 'ignore' });
  for (const dir of dirs) {
    writeFileSync(`${dir}/worker/cgroup.procs`, String(sleeper.pid));
  }
});

test.after(async () => {
  const ended = new Promise((resolve) => sleeper.once('exit', resolve));
  sleeper.kill('SIGKILL');
  await ended;
  for (const dir of dirs) {
    for (const below of ['/worker/own', '/worker', '']) {
      for (let i = 0; i < 200 && existsSync(`${dir}${below}`); i++) {
        try {
          rmdirSync(`${dir}${below}`);
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      }
    }
  }
  await box.cleanup();
  if (enabled) {
    writeFileSync(`${hierarchies().find((h) => h.version === 2)?.mount}/cgroup.subtree_control`, '-pids');
  }
  assertNoLeaks(before, await snapshot());
});

const stackOf = (name: string, text: string): string =>
  `tsbox: 1\nname: ${name}\ncgroups:\n  hand:\n    adopt: ${HAND}\n${text}`;
const pidsOnly = (max: number | string, worker: number): string =>
  `    pids: { max: ${max} }\n    children:\n      worker: { pids: { max: ${worker} } }\n`;

test('import describes only what differs, and changes nothing', async () => {
  const found = await box.tsbox('import', 'cgroup', HAND, '--name', 'taken');
  assert.is(found.code, 0, found.stderr);
  const imported = box.write('taken.yaml', found.stdout);
  assert.match(found.stdout, `adopt: ${HAND}`);
  assert.match(found.stdout, 'max: 50');
  assert.match(found.stdout, 'max: 20');
  assert.not.match(found.stdout, /memory:|cpu:|io:/);
  assert.is((await box.tsbox('validate', '-f', imported)).code, 0);
  assert.is(existsSync(box.cgroupDir('pids', '')), false, 'import made something');
});

test('a directory below /sys/fs/cgroup is taken as well as the path', async () => {
  const a = await box.tsbox('import', 'cgroup', HAND, '--json');
  const b = await box.tsbox('import', 'cgroup', hand('pids'), '--json');
  assert.is(b.stdout, a.stdout, b.stderr);
  assert.is((await box.tsbox('import', 'cgroup', '/no/such/cgroup')).code, 1);
});

test('applying what was imported adopts it as it is: no value is written, no process moves, the next plan is empty', async () => {
  const file = `${box.dir}/taken.yaml`;
  const plan = await box.tsbox('plan', '-f', file);
  assert.match(plan.stdout, 'adopted');
  assert.not.match(plan.stdout, 'pids.max ');
  const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
  assert.is(applied.code, 0, applied.stderr + applied.stdout);
  assert.is((await box.tsbox('plan', '-f', file, '--detailed-exitcode')).code, 0);
  assert.is(read(`${hand('pids')}/pids.max`), '50');
  assert.equal(membersOf(`${hand('pids')}/worker`), [String(sleeper.pid)]);
});

test('an edit by hand is drift, and is healed', async () => {
  writeFileSync(`${hand('pids')}/worker/pids.max`, '44');
  const drift = await box.tsbox('drift', '-f', `${box.dir}/taken.yaml`, '--format', 'json');
  const items = (JSON.parse(drift.stdout) as { items: Array<{ attribute: string }> }).items;
  assert.equal(
    items.map((i) => i.attribute),
    ['pids.max'],
  );
  assert.is((await box.tsbox('apply', '-f', `${box.dir}/taken.yaml`, '--auto-approve')).code, 0);
  assert.is(read(`${hand('pids')}/worker/pids.max`), '20');
});

test('another stack cannot take it', async () => {
  const other = box.write('other.yaml', stackOf('other', pidsOnly(60, 20)));
  const refused = await box.tsbox('apply', '-f', other, '--auto-approve');
  assert.is(refused.code, 1, refused.stdout);
  assert.match(refused.stderr + refused.stdout, 'TSB3007');
  assert.match(refused.stderr + refused.stdout, 'taken');
  assert.is(read(`${hand('pids')}/pids.max`), '50');
});

test('destroy gives it back with the values it had before, its processes untouched', async () => {
  const changed = box.write('taken.yaml', readFileSync(`${box.dir}/taken.yaml`, 'utf8').replace('max: 50', 'max: 70'));
  assert.is((await box.tsbox('apply', '-f', changed, '--auto-approve')).code, 0);
  assert.is(read(`${hand('pids')}/pids.max`), '70');
  const plan = await box.tsbox('plan', '--destroy', '-f', changed);
  assert.match(plan.stdout, 'forget');
  const destroyed = await box.tsbox('destroy', '-f', changed, '--auto-approve');
  assert.is(destroyed.code, 0, destroyed.stderr);
  assert.is(read(`${hand('pids')}/pids.max`), '50');
  assert.is(read(`${hand('pids')}/worker/pids.max`), '20');
  assert.equal(membersOf(`${hand('pids')}/worker`), [String(sleeper.pid)]);
  assert.is(existsSync(box.cgroupDir('pids', '')), false);
});

test('what the stack makes below an adopted cgroup goes with the stack', async () => {
  const file = box.write(
    'more.yaml',
    stackOf('more', '    children:\n      worker:\n        children:\n          own: { max_depth: 5 }\n'),
  );
  if (mode === 'v1') {
    // v1 has no cgroup.max.depth.
    box.write(
      'more.yaml',
      stackOf('more', '    children:\n      worker: { children: { own: { pids: { max: 9 } } } }\n'),
    );
  }
  const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
  assert.is(applied.code, 0, applied.stderr + applied.stdout);
  const own = mode === 'v1' ? hand('pids', '/worker/own') : hand('unified', '/worker/own');
  assert.is(existsSync(own), true);
  assert.is((await box.tsbox('plan', '-f', file, '--detailed-exitcode')).code, 0);
  assert.is((await box.tsbox('destroy', '-f', file, '--auto-approve')).code, 0);
  assert.is(existsSync(own), false);
  assert.is(existsSync(hand('pids', '/worker')), true);
});

test('show names the ancestor that sets the limit in effect', async () => {
  const file = box.write(
    'nest.yaml',
    'tsbox: 1\nname: nest\ncgroups:\n  outer:\n    pids: { max: 40 }\n    children:\n      inner: { pids: { max: 90 } }\n',
  );
  assert.is((await box.tsbox('apply', '-f', file, '--auto-approve')).code, 0);
  const shown = await box.tsbox('show', 'cgroup/outer/inner', '-f', file, '--json');
  const { effective } = JSON.parse(shown.stdout) as {
    effective: Array<{ name: string; value: string; set_by: string }>;
  };
  assert.equal(
    effective.find((l) => l.name === 'pids.max'),
    { name: 'pids.max', value: '40', set_by: `${box.cgroupRoot}/nest/outer` },
  );
  assert.match(
    (await box.tsbox('show', 'cgroup/outer/inner', '-f', file)).stdout,
    /pids\.max +40 +# set by cgroup\/outer/,
  );
  assert.match((await box.tsbox('show', 'cgroup/outer', '-f', file)).stdout, /pids\.max +40 +# set here/);
  assert.is((await box.tsbox('destroy', '-f', file, '--auto-approve')).code, 0);
});

test.run();
