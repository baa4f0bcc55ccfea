/** Configuration changes on a running stack: in place with the same process where the kernel allows, replaced with a reason where not. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { layout, sandbox, startTime } from '../support/sandbox.ts';

type Sandbox = Awaited<ReturnType<typeof sandbox>>;

interface Knobs {
  readonly memory?: string;
  readonly weight?: number;
  readonly hostname?: string;
  readonly devices?: string;
  readonly command?: string;
  readonly freeze?: boolean;
  readonly extra?: string;
}

function stack(k: Knobs): string {
  return `
tsbox: 1
name: change
cgroups:
  group: { cpu: { weight: ${k.weight ?? 100} }, freeze: ${k.freeze ?? false} }
containers:
  web:
    command: [sleep, "${k.command ?? '10000'}"]
    cgroup: group
    memory: { max: ${k.memory ?? '64MiB'} }
    namespaces: { uts: { hostname: ${k.hostname ?? 'web'} } }
    devices: ${k.devices ?? '[ { allow: /dev/null rw } ]'}
${k.extra ?? ''}
`;
}

async function pidOf(box: Sandbox, name: string): Promise<number> {
  const { stdout } = await box.tsbox('ps', '--json', '--stack', 'change');
  return (JSON.parse(stdout) as Array<{ name: string; pid: number | null }>).find((r) => r.name === name)?.pid ?? 0;
}

let box: Sandbox;
let before: Awaited<ReturnType<typeof snapshot>>;

async function apply(k: Knobs): Promise<{ code: number; stdout: string; stderr: string }> {
  return box.tsbox('apply', '-f', box.write('stack.yaml', stack(k)), '--auto-approve');
}

test.before(async () => {
  before = await snapshot();
  box = await sandbox('change');
  const applied = await apply({});
  assert.is(applied.code, 0, applied.stderr);
});

test.after(async () => {
  try {
    assert.is((await box.tsbox('destroy', '--stack', 'change', '--auto-approve')).code, 0);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

const inPlace: ReadonlyArray<readonly [string, Knobs, () => void]> = [
  [
    'memory.max',
    { memory: '128MiB' },
    () => {
      const dir = box.cgroupDir('memory', 'change/group/web');
      const file = layout() === 'unified' ? 'memory.max' : 'memory.limit_in_bytes';
      assert.is(readFileSync(`${dir}/${file}`, 'utf8').trim(), String(128 * 1024 * 1024));
    },
  ],
  [
    'cpu.weight',
    { memory: '128MiB', weight: 800 },
    () => {
      const dir = box.cgroupDir('cpu', 'change/group');
      const value = Number(readFileSync(`${dir}/${layout() === 'unified' ? 'cpu.weight' : 'cpu.shares'}`, 'utf8'));
      assert.ok(value === (layout() === 'unified' ? 800 : 8192), String(value));
    },
  ],
  ['hostname', { memory: '128MiB', weight: 800, hostname: 'renamed' }, () => undefined],
  [
    'devices',
    {
      memory: '128MiB',
      weight: 800,
      hostname: 'renamed',
      devices: '[ { allow: /dev/null rw }, { allow: /dev/full rw } ]',
    },
    () => undefined,
  ],
  [
    'cgroup.freeze',
    {
      memory: '128MiB',
      weight: 800,
      hostname: 'renamed',
      devices: '[ { allow: /dev/null rw }, { allow: /dev/full rw } ]',
      freeze: true,
    },
    () => undefined,
  ],
];

for (const [name, knobs, check] of inPlace) {
  test(`${name} changes in place`, async () => {
    const pid = await pidOf(box, 'web');
    const started = startTime(pid);
    const file = box.write('stack.yaml', stack(knobs));
    const plan = await box.tsbox('plan', '-f', file);
    assert.match(plan.stdout, 'in place');
    assert.match(plan.stdout, name);
    assert.match(plan.stdout, 'Plan: 0 to add, 1 to change, 0 to destroy.');
    const applied = await apply(knobs);
    assert.is(applied.code, 0, applied.stderr + applied.stdout);
    assert.is(await pidOf(box, 'web'), pid);
    assert.is(startTime(pid), started);
    check();
    assert.is((await box.tsbox('plan', '-f', file, '--detailed-exitcode')).code, 0);
  });
}

test('a container added below a frozen cgroup: thawed for its start, frozen again', async () => {
  const knobs = { ...inPlace[4]?.[1], extra: '  late: { command: [sleep, "10000"], cgroup: group }' };
  const file = box.write('stack.yaml', stack(knobs));
  const plan = await box.tsbox('plan', '-f', file);
  assert.match(plan.stdout, 'thawed while container/late starts');
  const applied = await apply(knobs);
  assert.is(applied.code, 0, applied.stderr + applied.stdout);
  assert.is((await box.tsbox('plan', '-f', file, '--detailed-exitcode')).code, 0);
});

test('the command forces replacement, and the plan says why', async () => {
  const pid = await pidOf(box, 'web');
  const knobs = { ...inPlace[3]?.[1], command: '20000' };
  const file = box.write('stack.yaml', stack(knobs));
  const plan = await box.tsbox('plan', '-f', file);
  assert.match(plan.stdout, /-\/\+ container\/web/);
  assert.match(plan.stdout, 'forces replacement: it is fixed when the process starts');
  const applied = await apply(knobs);
  assert.is(applied.code, 0, applied.stderr + applied.stdout);
  assert.is.not(await pidOf(box, 'web'), pid);
});

test('--target leaves the rest alone and says so', async () => {
  const file = box.write('stack.yaml', stack({ ...inPlace[3]?.[1], command: '20000', weight: 50, memory: '32MiB' }));
  const plan = await box.tsbox('plan', '-f', file, '--target', 'cgroup/group', '--detailed-exitcode');
  assert.is(plan.code, 2, plan.stderr);
  const narrow = await box.tsbox('apply', '-f', file, '--target', 'container/web', '--auto-approve');
  assert.is(narrow.code, 0, narrow.stderr);
  const wrong = await box.tsbox('plan', '-f', file, '--target', 'container/wep');
  assert.is(wrong.code, 1);
  assert.match(wrong.stderr, 'TSB2003');
});

test.run();
