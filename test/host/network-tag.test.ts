/** Tags and rates of a cgroup's traffic as programs on v2: declared, detached by hand, shown, healed, gone. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadNative } from '../../src/kernel/native.ts';
import { buildProbe, hasCompiler } from '../support/device-probe.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { hierarchies, layout, sandbox, type Sandbox } from '../support/sandbox.ts';

const YAML = `tsbox: 1
name: tag
cgroups:
  box: { network_tag: { mark: 0x10, priority: 5 }, bandwidth: { egress: 10Mbit } }
`;
/** On v1 the tag is a file, where the controller is mounted. */
async function classIds(): Promise<void> {
  const mounted = hierarchies().some((h) => h.controllers.includes('net_cls'));
  const before = await snapshot();
  const box = await sandbox('tag');
  try {
    const file = box.write('tag.yaml', 'tsbox: 1\nname: tag\ncgroups:\n  box: { network_tag: { mark: 0x10 } }\n');
    const applied = await box.tsbox('apply', '-y', '-f', file);
    if (!mounted) {
      assert.is(applied.code, 1);
      assert.match(applied.stderr, 'the v1 controller net_cls is not mounted here');
      return;
    }
    assert.is(applied.code, 0, applied.stderr);
    const classid = `${box.cgroupDir('net_cls', 'tag/box')}/net_cls.classid`;
    assert.is(readFileSync(classid, 'utf8'), '16\n');
    writeFileSync(classid, '17');
    const drift = await box.tsbox('drift', '-f', file);
    assert.is(drift.code, 2);
    assert.match(drift.stdout, /network_tag\.mark/);
    assert.is((await box.tsbox('apply', '-y', '-f', file)).code, 0);
    assert.is(readFileSync(classid, 'utf8'), '16\n');
    assert.is((await box.tsbox('plan', '-f', file, '--detailed-exitcode')).code, 0);
    assert.is((await box.tsbox('destroy', '-y', '-f', file)).code, 0);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
}

/** BPF_CGROUP_INET_INGRESS, _EGRESS and _SOCK_CREATE of enum bpf_attach_type. */
const HOOKS = [0, 1, 2];

test('every program that is detached by hand is shown and attached again', async () => {
  if (layout() === 'v1') {
    await classIds();
    return;
  }
  const before = await snapshot();
  const box = await sandbox('tag');
  try {
    const file = box.write('tag.yaml', YAML);
    assert.is((await box.tsbox('apply', '-y', '-f', file)).code, 0);
    assert.is((await box.tsbox('plan', '-f', file, '--detailed-exitcode')).code, 0);
    const native = loadNative();
    const dir = box.cgroupDir('unified', 'tag/box');
    let detached = 0;
    for (const hook of HOOKS) {
      const [programs] = native.cgroupPrograms([dir], hook);
      for (const program of Array.isArray(programs) ? programs : []) {
        assert.is(native.cgroupProgramDetach(dir, hook, program.id), true);
        detached++;
        const drift = await box.tsbox('drift', '-f', file);
        assert.is(drift.code, 2, drift.stdout);
        assert.match(drift.stdout, /network_tag|bandwidth/);
        assert.is((await box.tsbox('apply', '-y', '-f', file)).code, 0);
        assert.is((await box.tsbox('plan', '-f', file, '--detailed-exitcode')).code, 0);
      }
    }
    assert.ok(detached >= 2, `${detached} programs found`);
    assert.is((await box.tsbox('destroy', '-y', '-f', file)).code, 0);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

interface Job {
  readonly name: string;
  readonly state: string;
}

/** Runs containers that are jobs to their end and returns what each wrote. */
async function outputs(box: Sandbox, text: string, names: readonly string[]): Promise<string[]> {
  const file = box.write('jobs.yaml', `tsbox: 1\nname: jobs\n${text}`);
  const applied = await box.tsbox('apply', '-y', '-f', file);
  assert.is(applied.code, 0, applied.stderr);
  for (const deadline = Date.now() + 60_000; ; await new Promise((resolve) => setTimeout(resolve, 100))) {
    const jobs = JSON.parse((await box.tsbox('ps', '--json', '--stack', 'jobs')).stdout) as Job[];
    if (jobs.every((j) => j.state === 'exited (0)')) {
      break;
    }
    const bad = jobs.find((j) => /exited \([^0]|killed|failed/.test(j.state));
    const said = bad === undefined ? '' : (await box.tsbox('logs', bad.name)).stdout;
    assert.ok(bad === undefined && Date.now() < deadline, `${JSON.stringify(jobs)} ${said}`);
  }
  const logs = await Promise.all(names.map(async (n) => (await box.tsbox('logs', `container/jobs:${n}`)).stdout));
  assert.is((await box.tsbox('destroy', '-y', '-f', file)).code, 0);
  return logs;
}

function withProbe(name: string, body: (box: Sandbox, root: string) => Promise<void>): void {
  if (layout() === 'v1' || !hasCompiler) {
    console.log(`# SKIP network-tag: ${name}: ${hasCompiler ? 'v1 has no such programs' : 'no C compiler'}`);
    return;
  }
  test(name, async () => {
    const before = await snapshot();
    const box = await sandbox('traffic');
    try {
      const root = join(box.dir, 'root');
      mkdirSync(root);
      buildProbe(root, 'net-probe');
      await body(box, root);
    } finally {
      await box.cleanup();
    }
    assertNoLeaks(before, await snapshot());
  });
}

withProbe('the tag is on the socket and arrives with the packet; the nearest one wins', async (box, root) => {
  const job = `rootfs: { dir: ${root} }, command: [/net-probe, tag], restart: 'no'`;
  const logs = await outputs(
    box,
    `cgroups:
  tenant: { network_tag: { mark: 0x20, priority: 3 } }
containers:
  plain: { ${job} }
  own: { ${job}, network_tag: { mark: 0x10, priority: 5 } }
  inherits: { ${job}, cgroup: tenant }
  nearest: { ${job}, cgroup: tenant, network_tag: { mark: 0x30 } }
`,
    ['plain', 'own', 'inherits', 'nearest'],
  );
  assert.equal(
    logs.map((l) => l.trim()),
    [
      'socket mark 0 priority 0, arrived mark 0',
      'socket mark 16 priority 5, arrived mark 16',
      'socket mark 32 priority 3, arrived mark 32',
      'socket mark 48 priority 3, arrived mark 48',
    ],
  );
});

withProbe('bandwidth holds for real traffic, either way', async (box, root) => {
  const seconds = 5;
  const job = `rootfs: { dir: ${root} }, command: [/net-probe, flow, '${seconds}'], restart: 'no'`;
  const limit = 10_000_000 / 8;
  // A full bucket, half a second's worth, may be emptied at once.
  const most = (limit * (seconds + 0.5)) / seconds;
  let rates: number[] = [];
  // Never above; on a machine that is busy elsewhere it may stay below for once.
  for (let attempt = 0; attempt < 3; attempt++) {
    const logs = await outputs(
      box,
      `containers:
  free: { ${job} }
  out: { ${job}, bandwidth: { egress: 10Mbit } }
  in: { ${job}, bandwidth: { ingress: 10Mbit } }
`,
      ['free', 'out', 'in'],
    );
    rates = logs.map((l) => Number(/^(\d+) bytes/.exec(l)?.[1] ?? NaN));
    const [free = 0, ...limited] = rates;
    assert.ok(free > limit * 4, `without a limit only ${free}`);
    assert.ok(
      limited.every((r) => r < most * 1.03),
      `${rates.join(' ')}: above ${limit}`,
    );
    if (limited.every((r) => r > limit * 0.85)) {
      return;
    }
  }
  throw new Error(`${rates.join(' ')}: stays below ${limit}`);
});

test.run();
