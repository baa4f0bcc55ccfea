/** Two installations on one machine, and labels that stand on another object than their own. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { executionContext } from '../../src/executor/context.ts';
import { applyPlan } from '../../src/executor/index.ts';
import { reportOf } from '../../src/cli/drift/report.ts';
import { installationFindings } from '../../src/cli/examine-installation.ts';
import { openKernel, type Kernel } from '../../src/kernel/kernel.ts';
import { makePlan } from '../../src/planner/index.ts';
import type { Plan } from '../../src/planner/plan.ts';
import { LABEL_XATTR } from '../../src/resources/label.ts';
import { loadStack } from '../../src/stack/index.ts';
import type { Stack } from '../../src/stack/types.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { CLI, hierarchies, sandbox, type Sandbox } from '../support/sandbox.ts';

const stack = (text: string): Stack =>
  loadStack(['s.yaml'], { env: {}, texts: new Map([['s.yaml', `tsbox: 1\nname: s\n${text}`]]) });

const LIMITED = stack('cgroups:\n  a: { pids: { max: 50 } }\nvolumes:\n  data: {}\n');
const NONE = stack('cgroups: {}\n');

const planOf = async (kernel: Kernel, wanted: Stack): Promise<Plan> =>
  (await makePlan(kernel, 's', wanted, { targets: [], destroy: false, volumes: wanted === NONE })).plan;

async function apply(kernel: Kernel, wanted: Stack): Promise<void> {
  const { failed } = await applyPlan(executionContext(kernel, 's', wanted), await planOf(kernel, wanted), {
    parallelism: 4,
    interrupted: () => false,
    onEvent: () => undefined,
  });
  assert.equal(
    failed.map((f) => f.error.message),
    [],
  );
}

const actions = (plan: Plan): string[] => plan.changes.map((c) => `${c.address} ${c.action}`);

async function scene(body: (box: Sandbox) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox('ownership');
  try {
    await body(box);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
}

test("another installation's stack is neither planned, applied nor destroyed, and both are named", async () => {
  await scene(async (box) => {
    const [blue, green] = ['blue', 'green'].map((name) => openKernel({ ...box.env, TSBOX_INSTALLATION: name }));
    if (blue === undefined || green === undefined) throw new Error();
    await apply(blue, LIMITED);
    const dir = box.cgroupDir('unified', 's/a');
    const label = blue.getXattrs([dir], LABEL_XATTR)[0];
    assert.match(String(label), '"installation":"blue"');
    const file = box.write('s.yaml', 'tsbox: 1\nname: s\ncgroups:\n  a: { pids: { max: 60 } }\n');
    for (const command of ['plan', 'apply', 'destroy']) {
      const args = command === 'plan' ? [] : ['-y'];
      const run = await box.run(process.execPath, [CLI, command, '-f', file, ...args], {
        TSBOX_INSTALLATION: 'green',
      });
      assert.is(run.code, 1, run.stdout);
      assert.match(run.stderr, 'TSB3007');
      assert.match(run.stderr, 'stack s of installation blue (cgroup/a), not to stack s of installation green');
    }
    assert.is(readFileSync(join(box.cgroupDir('pids', 's/a'), 'pids.max'), 'utf8'), '50\n');
    assert.is(blue.getXattrs([dir], LABEL_XATTR)[0], label);
    const told = installationFindings(green).map((f) => `${f.what}: ${f.detail}`);
    assert.equal(told[0], 'installation: green, as TSBOX_INSTALLATION says');
    assert.match(told[1] ?? '', /^installation blue: has 1 cgroup below \/tsbox-test-/);
    // A report from the records says whose it is, and that none of it is covered.
    const theirs = await reportOf(green, { name: 's' }, Date.now());
    assert.equal(
      theirs.items.map((i) => `${i.class} ${i.text}`),
      ['foreign cgroup/a belongs to stack s of installation blue'],
    );
    assert.equal(theirs.coverage, { cgroups: { managed: 0, total: 1 }, processes: { managed: 0, total: 0 } });
    assert.is((await reportOf(blue, { name: 's' }, Date.now())).coverage?.cgroups.managed, 1);
    const stray = box.cgroupDir('unified', 'stray');
    mkdirSync(stray);
    const all = await box.run(process.execPath, [CLI, 'drift', '--all'], { TSBOX_INSTALLATION: 'blue' });
    rmdirSync(stray);
    assert.is(all.code, 2, all.stderr);
    assert.match(all.stdout, `cgroup stray, empty: ${stray}`);
    assert.match(all.stdout, 'All stacks. Coverage: 50.0% (1 of 2 cgroups, 0 of 0 processes).');
    // What is kept in files decides nothing.
    const plan = JSON.stringify(await planOf(blue, LIMITED));
    rmSync(box.runDir, { recursive: true, force: true });
    assert.is(JSON.stringify(await planOf(openKernel({ ...box.env, TSBOX_INSTALLATION: 'blue' }), LIMITED)), plan);
    // A label of before there were installations is anybody's.
    blue.setXattr(dir, LABEL_XATTR, String(label).replace('"installation":"blue",', ''));
    assert.equal(actions(await planOf(green, LIMITED)), ['cgroup/a no-op', 'volume/data no-op']);
    await apply(green, NONE);
  });
});

test('a cgroup that was made again by hand with a copy of the label is not ours, and no renamed volume is', async () => {
  await scene(async (box) => {
    const kernel = openKernel(box.env);
    await apply(kernel, LIMITED);
    const dir = box.cgroupDir('unified', 's/a');
    const label = String(kernel.getXattrs([dir], LABEL_XATTR)[0]);
    const all = hierarchies().map((h) => `${h.mount}${box.cgroupRoot}/s/a`);
    const inode = statSync(dir).ino;
    all.forEach((d) => rmdirSync(d));
    all.forEach((d) => mkdirSync(d));
    assert.is.not(statSync(dir).ino, inode);
    execFileSync('python3', [
      '-c',
      'import os,sys; os.setxattr(sys.argv[1], sys.argv[2], sys.argv[3].encode())',
      dir,
      LABEL_XATTR,
      label,
    ]);
    const volumes = join(box.env['TSBOX_STATE_DIR'] ?? '', 'volumes/s');
    renameSync(join(volumes, 'data'), join(volumes, 'other'));
    const plan = await planOf(kernel, LIMITED);
    assert.equal(actions(plan), ['cgroup/a create', 'volume/data create']);
    assert.ok(
      plan.changes.every((c) => c.missing),
      'it was there at the last apply',
    );
    // The same record under the name of another volume does not make it that one.
    const both = stack('cgroups:\n  a: { pids: { max: 50 } }\nvolumes:\n  other: {}\n');
    const change = (await planOf(kernel, both)).changes.find((c) => c.address === 'volume/other');
    assert.is(change?.attributes[0]?.before, 'not marked as a volume of this stack');
    await apply(kernel, LIMITED);
    assert.equal(actions(await planOf(kernel, LIMITED)), ['cgroup/a no-op', 'volume/data no-op']);
    await apply(kernel, NONE);
  });
});

test.run();
