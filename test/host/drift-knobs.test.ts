/**
 * Every cgroup knob: declared in a cgroup of its own, changed by hand, shown by plan and drift as exactly that
 * attribute with old and new value, healed in place, gone. What this kernel lacks is refused with its name.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { KNOBS } from '../../src/resources/cgroup/registry.ts';
import { knobEdits, someDisk } from '../support/knob-edits.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { hierarchies, layout, sandbox } from '../support/sandbox.ts';

type Sandbox = Awaited<ReturnType<typeof sandbox>>;

const STACK = 'knobs';
const mode = layout();
const edits = knobEdits(someDisk());

let box: Sandbox;
let before: Awaited<ReturnType<typeof snapshot>>;
const live: string[] = [];
const missing: string[] = [];
const stuck: string[] = [];

/** The hierarchy that holds a knob here, by what is mounted. */
function versionOf(controller: string): 1 | 2 | undefined {
  if (controller === 'core' || controller === 'freezer') {
    return mode === 'v1' ? (controller === 'freezer' ? 1 : undefined) : 2;
  }
  const all = hierarchies();
  if (all.some((h) => h.version === 1 && h.controllers.includes(controller))) {
    return 1;
  }
  const v2 = all.find((h) => h.version === 2);
  const offered = v2 === undefined ? '' : readFileSync(`${v2.mount}/cgroup.controllers`, 'utf8');
  return offered
    .trim()
    .split(' ')
    .includes(controller === 'blkio' ? 'io' : controller)
    ? 2
    : undefined;
}

function directoryFor(controller: string, path: string): string {
  return box.cgroupDir(
    controller === 'core' || (controller === 'freezer' && mode !== 'v1') ? 'unified' : controller,
    path,
  );
}

const cgroupName = (knob: string): string => `k-${knob.replace(/[._]/g, '-')}`;

/** Whether this kernel has the file, by a cgroup made for the question. */
function hasFile(controller: string, file: string): boolean {
  const dir = directoryFor(controller, 'probe');
  const parent = directoryFor(controller, '');
  const fresh = !existsSync(parent);
  const root = parent.replace(/\/[^/]*$/, '');
  if (versionOf(controller) === 2 && controller !== 'core' && controller !== 'freezer') {
    const name = controller === 'blkio' ? 'io' : controller;
    writeFileSync(`${root}/cgroup.subtree_control`, `+${name}`);
  }
  mkdirSync(dir, { recursive: true });
  if (versionOf(controller) === 2 && controller !== 'core' && controller !== 'freezer') {
    writeFileSync(`${parent}/cgroup.subtree_control`, `+${controller === 'blkio' ? 'io' : controller}`);
  }
  const found = existsSync(`${dir}/${file}`);
  rmdirSync(dir);
  if (fresh) {
    rmdirSync(parent);
  }
  return found;
}

test.before(async () => {
  before = await snapshot();
  box = await sandbox('knobs');
  for (const knob of KNOBS) {
    const edit = edits[knob.name];
    assert.ok(edit !== undefined, `${knob.name} has no edit in test/support/knob-edits.ts`);
    const version = versionOf(edit.controller);
    const form = version === 2 ? edit.v2 : version === 1 ? edit.v1 : undefined;
    const offered = version === 2 ? knob.v2 : version === 1 ? knob.v1 : undefined;
    if (offered === undefined) {
      missing.push(knob.name);
    } else if (form === undefined) {
      stuck.push(knob.name);
    } else {
      (hasFile(edit.controller, form[0]) ? live : missing).push(knob.name);
    }
  }
  console.log(
    `# ${mode}: ${live.length} knobs tried, ${missing.length} not in this kernel, ${stuck.length} without another value: ${live.join(' ')}`,
  );
});

test.after(async () => {
  await box.cleanup();
  assertNoLeaks(before, await snapshot());
});

function stackOf(names: readonly string[]): string {
  return `tsbox: 1\nname: ${STACK}\ncgroups:\n${names.map((n) => `  ${cgroupName(n)}: { ${edits[n]?.yaml ?? ''} }\n`).join('')}`;
}

interface Item {
  address: string;
  attribute: string;
  declared: unknown;
  live: unknown;
}

test('each is applied, changed by hand, shown exactly, healed in place and gone', async () => {
  const file = box.write('knobs.yaml', stackOf(live));
  const applied = await box.tsbox('apply', '-y', '-f', file);
  assert.is(applied.code, 0, applied.stderr + applied.stdout);
  const empty = await box.tsbox('plan', '-f', file, '--detailed-exitcode');
  assert.is(empty.code, 0, empty.stdout);

  for (const name of live) {
    const edit = edits[name];
    const pair = edit === undefined ? undefined : versionOf(edit.controller) === 2 ? edit.v2 : edit.v1;
    if (edit !== undefined && pair !== undefined) {
      writeFileSync(`${directoryFor(edit.controller, `${STACK}/${cgroupName(name)}`)}/${pair[0]}`, pair[1]);
    }
  }
  const drift = await box.tsbox('drift', '-f', file, '--format', 'json');
  assert.is(drift.code, 2, drift.stdout + drift.stderr);
  const items = (JSON.parse(drift.stdout) as { items: Item[] }).items;
  const shown = items.map((i) => `${i.address} ${i.attribute}`).sort();
  const expected = live
    .flatMap((n) => [n, ...(edits[n]?.also ?? [])].map((a) => `cgroup/${cgroupName(n)} ${a}`))
    .sort();
  assert.equal(shown, expected, drift.stdout);
  for (const item of items) {
    assert.not.equal(item.declared, item.live, JSON.stringify(item));
  }

  const healed = await box.tsbox('apply', '-y', '-f', file);
  assert.is(healed.code, 0, healed.stderr + healed.stdout);
  assert.match(healed.stdout, `0 added, ${live.length} changed, 0 destroyed`);
  const again = await box.tsbox('drift', '-f', file);
  assert.is(again.code, 0, again.stdout);

  const dropped = box.write(
    'dropped.yaml',
    stackOf([]).replace('cgroups:\n', `cgroups:\n${live.map((n) => `  ${cgroupName(n)}: {}\n`).join('')}`),
  );
  const back = await box.tsbox('apply', '-y', '-f', dropped);
  assert.is(back.code, 0, back.stderr + back.stdout);
  const settled = await box.tsbox('plan', '-f', dropped, '--detailed-exitcode');
  assert.is(settled.code, 0, settled.stdout);
  const gone = await box.tsbox('destroy', '-y', '-f', file);
  assert.is(gone.code, 0, gone.stderr);
});

test('what this kernel lacks is refused with its name and line, and is a warning where it is optional', async () => {
  if (missing.length === 0) {
    return;
  }
  const plan = await box.tsbox('plan', '-f', box.write('missing.yaml', stackOf(missing)));
  assert.is(plan.code, 1, plan.stdout);
  for (const name of missing) {
    assert.match(plan.stderr, `cgroup/${cgroupName(name)}: ${name} cannot be set`);
  }
  assert.match(plan.stderr, /missing\.yaml:\d+:\d+/);
  const optional = box.write('optional.yaml', stackOf(missing).replace(/: \{ (.*) \}$/gm, ': { optional: true, $1 }'));
  const applied = await box.tsbox('apply', '-y', '-f', optional);
  assert.is(applied.code, 0, applied.stderr + applied.stdout);
  assert.match(applied.stderr, 'warning');
  assert.is((await box.tsbox('plan', '-f', optional, '--detailed-exitcode')).code, 0);
  assert.is((await box.tsbox('destroy', '-y', '-f', optional)).code, 0);
});

test.run();
