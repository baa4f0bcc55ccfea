/**
 * From any stack to any other: after the apply the kernel is what the plan said it would be, the next plan is empty, and
 * a plan that somebody's edit came in between is never the same plan. TRANSITIONS says how many, SEED repeats a run.
 */
import { readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { applyPlan } from '../../src/executor/index.ts';
import { executionContext } from '../../src/executor/context.ts';
import { lockStack } from '../../src/executor/lock.ts';
import { openKernel, type Kernel } from '../../src/kernel/kernel.ts';
import { makePlan, type Planned } from '../../src/planner/index.ts';
import { isEmpty } from '../../src/planner/plan.ts';
import { basisOf } from '../../src/planner/saved/basis.ts';
import { canonicalJson } from '../../src/planner/saved/canonical.ts';
import { movedFacts } from '../../src/planner/saved/moved.ts';
import { sidesOf } from '../../src/report/terraform/document.ts';
import { liveValues } from '../../src/report/terraform/values.ts';
import { sameValue, type Value } from '../../src/resources/attribute.ts';
import { kindOf } from '../../src/resources/registry.ts';
import { loadStack } from '../../src/stack/index.ts';
import type { Stack } from '../../src/stack/types.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { random, randomStack, stackText, type Random, type RandomStack } from '../support/random-stack.ts';
import { exists, procStatus, sandbox, type Sandbox } from '../support/sandbox.ts';

const COUNT = Number(process.env['TRANSITIONS'] ?? 30);
const SEED = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
const NAME = 'trans';
const OPTIONS = { targets: [], destroy: false };

console.log(`transitions: ${COUNT}, seed ${SEED} (SEED to repeat, TRANSITIONS for more)`);

interface Tally {
  readonly actions: Record<string, number>;
  edits: number;
}

function load(stack: RandomStack): Stack {
  return loadStack(['trans.yaml'], { env: {}, texts: new Map([['trans.yaml', stackText(NAME, stack)]]) });
}

/** What the plan said it would be, attribute by attribute, against what is there. */
function assertAsPlanned(planned: Planned, after: Planned, where: string): void {
  for (const change of planned.plan.changes) {
    const wanted = sidesOf(change, planned).after;
    const found = after.observed.get(change.address);
    if (wanted === undefined) {
      assert.ok(found === undefined || !found.exists, `${where}: ${change.address} is gone`);
      continue;
    }
    assert.ok(found?.exists === true, `${where}: ${change.address} is there`);
    const table = kindOf(change.address).attributes;
    const live = liveValues(found);
    for (const [name, value] of Object.entries(wanted) as Array<[string, Value]>) {
      const attribute = table.get(name);
      const now = live[name];
      // What the kernel cannot show is compared by the next plan with the record.
      if (attribute === undefined || now === undefined) {
        continue;
      }
      const as = sameValue(attribute, value, now) || attribute.satisfied?.(value, now) === true;
      assert.ok(as, `${where}: ${change.address} ${name} is ${JSON.stringify(now)}, planned ${JSON.stringify(value)}`);
    }
  }
}

/** The same things read without tsbox. */
function assertKernel(box: Sandbox, stack: Stack, after: Planned, where: string): void {
  for (const [path, spec] of stack.cgroups) {
    assert.ok(exists(box.cgroupDir('pids', `${NAME}/${path}`)), `${where}: ${spec.path} has a directory`);
  }
  for (const spec of stack.containers.values()) {
    const observed = after.observed.get(`container/${spec.name}`);
    const pid = Number(observed?.facts['pid']);
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
    assert.equal(command, after.declared.get(`container/${spec.name}`)?.desired['command'], where);
    const uid = procStatus(pid).get('Uid')?.split('\t')[0];
    assert.is(uid, String(after.declared.get(`container/${spec.name}`)?.desired['user']).split(':')[0], where);
    const max = after.declared.get(`container/${spec.name}`)?.desired['pids.max'];
    if (max !== undefined) {
      const dir = box.cgroupDir('pids', `${NAME}/${observed?.facts['leaf'] ?? ''}`);
      assert.is(readFileSync(join(dir, 'pids.max'), 'utf8').trim(), max, where);
    }
    for (const type of ['net', 'ipc', 'uts']) {
      const owner = after.declared.get(`container/${spec.name}`)?.desired[`namespace.${type}`];
      const shared =
        typeof owner === 'string' && owner.startsWith('container/') ? after.observed.get(owner) : undefined;
      if (shared !== undefined) {
        const ns = (p: number | string): string => readlinkSync(`/proc/${p}/ns/${type}`);
        assert.is(ns(pid), ns(shared.facts['pid'] ?? ''), `${where}: ${spec.name} lives in ${type} of ${owner}`);
      }
    }
  }
}

/** An edit from outside of something the stack declares; undefined when there is nothing to edit. */
function editSomething(r: Random, box: Sandbox, now: Planned): string | undefined {
  const files: Array<[string, string]> = [];
  for (const { address, desired } of now.declared.values()) {
    const observed = now.observed.get(address);
    const leaf = observed?.exists === true ? observed.facts['leaf'] : undefined;
    if (leaf === undefined) {
      continue;
    }
    if (typeof desired['pids.max'] === 'string') {
      files.push([join(box.cgroupDir('pids', `${NAME}/${leaf}`), 'pids.max'), '77']);
    }
    if (typeof desired['memory.max'] === 'string') {
      const dir = box.cgroupDir('memory', `${NAME}/${leaf}`);
      const v1 = join(dir, 'memory.limit_in_bytes');
      files.push([exists(v1) ? v1 : join(dir, 'memory.max'), String(112 * 1024 * 1024)]);
    }
    const pid = observed?.facts['pid'];
    if (pid !== undefined) {
      files.push([`/proc/${pid}/oom_score_adj`, '777']);
    }
  }
  const [path, value] = files[Math.floor(r() * files.length)] ?? [];
  if (path === undefined || value === undefined) {
    return undefined;
  }
  writeFileSync(path, value);
  return `${value} > ${path}`;
}

async function transition(
  kernel: Kernel,
  box: Sandbox,
  r: Random,
  stack: Stack,
  previous: Stack | undefined,
  tally: Tally,
  where: string,
): Promise<void> {
  const lock = await lockStack(executionContext(kernel, NAME, stack), 0);
  try {
    // Somebody edits what the last apply made, between plan -o and apply FILE.
    if (previous !== undefined && r() < 0.5) {
      const saved = await makePlan(kernel, NAME, previous, OPTIONS);
      const before = [basisOf(saved), basisOf(await makePlan(kernel, NAME, stack, OPTIONS))];
      const again = [
        basisOf(await makePlan(kernel, NAME, previous, OPTIONS)),
        basisOf(await makePlan(kernel, NAME, stack, OPTIONS)),
      ];
      assert.equal(
        again.map(canonicalJson),
        before.map(canonicalJson),
        `${where}: without an edit it is the same plan`,
      );
      const edit = editSomething(r, box, saved);
      if (edit !== undefined) {
        tally.edits++;
        const moved = movedFacts(before[0] as never, basisOf(await makePlan(kernel, NAME, previous, OPTIONS)));
        assert.ok(moved.length > 0, `${where}: ${edit} is noticed`);
      }
    }
    const planned = await makePlan(kernel, NAME, stack, OPTIONS);
    planned.plan.changes.forEach((c) => (tally.actions[c.action] = (tally.actions[c.action] ?? 0) + 1));
    const context = executionContext(kernel, NAME, planned.stack ?? stack);
    const result = await applyPlan(context, planned.plan, {
      parallelism: 8,
      interrupted: () => false,
      onEvent: () => undefined,
    });
    const failures = result.failed.map((f) => `${f.change.address} ${f.step}: ${f.error.message}`);
    assert.equal(failures, [], where);
    assert.equal(
      result.notStarted.map((c) => c.address),
      [],
      where,
    );
    const after = await makePlan(kernel, NAME, stack, OPTIONS);
    const left = after.plan.changes.filter((c) => c.action !== 'no-op');
    assert.ok(isEmpty(after.plan), `${where}: the next plan is not empty: ${JSON.stringify(left, null, 1)}`);
    assertAsPlanned(planned, after, where);
    assertKernel(box, stack, after, where);
  } finally {
    lock.release();
  }
}

test('the kernel after an apply is what the plan said, and the next plan is empty', async () => {
  const before = await snapshot();
  const box = await sandbox('transitions');
  const tally: Tally = { actions: {}, edits: 0 };
  try {
    const kernel = openKernel(box.env);
    const r = random(SEED);
    let last: RandomStack | undefined;
    let previous: Stack | undefined;
    for (let i = 0; i < COUNT; i++) {
      const next = randomStack(r, last);
      const stack = load(next);
      const where = `seed ${SEED} transition ${i}\nfrom ${JSON.stringify(last)}\nto   ${JSON.stringify(next)}\n`;
      await transition(kernel, box, r, stack, previous, tally, where);
      last = next;
      previous = stack;
    }
    console.log(`transitions: ${JSON.stringify(tally)}`);
    assert.ok(COUNT < 20 || tally.edits > 0);
    assert.is((await box.tsbox('destroy', '--stack', NAME, '-y')).code, 0);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test.run();
