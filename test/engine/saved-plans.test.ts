/** plan -o and apply FILE: what was shown is what is done, once, or it is refused with the fact that moved. */
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { signed, sha256, type PlanFile } from '../../src/cli/plan-file/document.ts';
import { planKey } from '../../src/cli/plan-file/key.ts';
import { openKernel } from '../../src/kernel/kernel.ts';
import { canonicalJson } from '../../src/planner/saved/canonical.ts';
import { LABEL_XATTR } from '../../src/resources/label.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { CLI, exists, sandbox, type Sandbox } from '../support/sandbox.ts';

const STACK = `
tsbox: 1
name: saved
include: [part.yaml]
variables:
  limit: { type: string, default: 64MiB }
  token: { type: string, sensitive: true, env: SAVED_TOKEN }
containers:
  web:
    command: [sleep, "1000"]
    stop_signal: KILL
    cgroup: tenants
    env: { TOKEN: "\${token}" }
    pids: { max: 20 }
`;

const PART = 'cgroups: { tenants: { memory: { max: "${limit}" } } }\n';
const TOKEN = 'tsbox-very-secret';

async function inBox(body: (box: Sandbox) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox('saved');
  box.env['SAVED_TOKEN'] = TOKEN;
  try {
    box.write('tsbox.yaml', STACK);
    box.write('part.yaml', PART);
    await body(box);
    assert.is((await box.tsbox('destroy', '--stack', 'saved', '-y')).code, 0);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
}

const limitFile = (box: Sandbox): string => {
  const dir = box.cgroupDir('memory', 'saved/tenants');
  const v2 = join(dir, 'memory.max');
  return exists(v2) ? v2 : join(dir, 'memory.limit_in_bytes');
};

test('a saved plan is done as it was shown, from its own copy of the files, and once', async () => {
  await inBox(async (box) => {
    const planned = await box.tsbox('plan', '-o', 'first.plan');
    assert.is(planned.code, 0, planned.stderr);
    const file = join(box.dir, 'first.plan');
    assert.is(statSync(file).mode & 0o777, 0o600);
    assert.is(statSync(join(box.dir, 'var/plan.key')).mode & 0o777, 0o600);
    assert.not.match(readFileSync(file, 'utf8'), TOKEN);
    const shown = await box.tsbox('show', 'first.plan');
    assert.is(shown.stdout, planned.stdout);
    const document = JSON.parse((await box.tsbox('show', 'first.plan', '--json')).stdout) as { format_version: string };
    assert.is(document.format_version, '1.2');
    // The files have changed meanwhile: the plan has its own.
    box.write('part.yaml', PART.replace('limit}', 'other}'));
    box.write('tsbox.yaml', 'not even YAML: [');
    const applied = await box.tsbox('apply', 'first.plan');
    assert.is(applied.code, 0, applied.stderr);
    assert.match(applied.stdout, 'Apply complete! Resources: 2 added, 0 changed, 0 destroyed.');
    assert.is(readFileSync(limitFile(box), 'utf8').trim(), String(64 * 1024 * 1024));
    const again = await box.tsbox('apply', 'first.plan');
    assert.is(again.code, 3);
    assert.match(again.stderr, /was applied already \(20.*\): a plan is applied once/);
  });
});

test('what moved is named: a value, one that the plan does not touch, a process', async () => {
  await inBox(async (box) => {
    assert.is((await box.tsbox('apply', '-y')).code, 0);
    const save = async (...more: string[]): Promise<void> =>
      assert.is((await box.tsbox('plan', '-o', 'p.plan', ...more)).code, 0);
    const refused = async (expected: RegExp | string): Promise<void> => {
      const { code, stderr, stdout } = await box.tsbox('apply', 'p.plan');
      assert.is(code, 3, stdout + stderr);
      assert.match(stderr, expected);
    };
    await save('--var', 'limit=32MiB');
    writeFileSync(limitFile(box), '41943040');
    await refused('cgroup/tenants: memory.max was 67108864 when planned, is 41943040 now');
    // Even where the edit is what the plan wanted.
    writeFileSync(limitFile(box), '33554432');
    await refused('cgroup/tenants: memory.max was 67108864 when planned, is 33554432 now');
    writeFileSync(limitFile(box), '67108864');
    const pids = join(box.cgroupDir('pids', 'saved/tenants/web'), 'pids.max');
    writeFileSync(pids, '21');
    await refused('container/web: pids.max was 20 when planned, is 21 now');
    writeFileSync(pids, '20');
    // A plan that replaces the container rests on its process.
    box.write('tsbox.yaml', STACK.replace('"1000"', '"1001"'));
    await save();
    assert.is((await box.tsbox('restart', 'web', '-t', '1')).code, 0);
    await refused(/container\/web: pid was \d+ when planned, is \d+ now/);
    // The same in JSON: an event of the stream.
    const json = await box.tsbox('apply', 'p.plan', '--json');
    const last = JSON.parse(json.stdout.trimEnd().split('\n').at(-1) ?? '') as { diagnostic: { summary: string } };
    assert.match(last.diagnostic.summary, 'pid was');
  });
});

test('--allow-subset does what is left of a plan, and nothing else', async () => {
  await inBox(async (box) => {
    box.write('part.yaml', PART.replace('cgroups: { ', 'cgroups: { old: {}, '));
    assert.is((await box.tsbox('apply', '-y')).code, 0);
    box.write('part.yaml', PART);
    box.write('tsbox.yaml', STACK.replace('max: 20', 'max: 25'));
    assert.is((await box.tsbox('plan', '-o', 'p.plan', '--var', 'limit=32MiB')).code, 0);
    // A part of it comes to be by other hands.
    writeFileSync(limitFile(box), '33554432');
    box.write('tsbox.yaml', STACK);
    assert.is((await box.tsbox('apply', '--var', 'limit=32MiB', '-y')).code, 0);
    const pids = join(box.cgroupDir('pids', 'saved/tenants/web'), 'pids.max');
    writeFileSync(pids, '21');
    const other = await box.tsbox('apply', 'p.plan', '--allow-subset');
    assert.is(other.code, 3, other.stderr);
    assert.match(other.stderr, 'container/web: pids.max was 20 when planned, is 21 now');
    assert.not.match(other.stderr, 'memory.max');
    writeFileSync(pids, '20');
    const { code, stdout, stderr } = await box.tsbox('apply', 'p.plan', '--allow-subset');
    assert.is(code, 0, stderr);
    assert.match(stderr, 'warning: less is left to do than was planned, this moved since: ');
    assert.match(stderr, 'cgroup/tenants: memory.max was 67108864 when planned, is 33554432 now');
    assert.match(stdout, 'Apply complete! Resources: 0 added, 1 changed, 0 destroyed.');
    assert.is(readFileSync(pids, 'utf8').trim(), '25');
  });
});

test('what a new secret takes the place of is not in the plan, and the plan rests on it all the same', async () => {
  await inBox(async (box) => {
    assert.is((await box.tsbox('apply', '-y')).code, 0);
    box.env['SAVED_TOKEN'] = 'the-next-secret';
    const planned = await box.tsbox('plan', '-o', 'p.plan');
    assert.is(planned.code, 0, planned.stderr);
    const text = readFileSync(join(box.dir, 'p.plan'), 'utf8');
    for (const secret of [TOKEN, 'the-next-secret']) {
      assert.not.match(text, secret);
    }
    assert.is((await box.tsbox('show', 'p.plan')).stdout, planned.stdout);
    // The label says what was applied: an edit of the secret in it alone is seen.
    const dir = box.cgroupDir('unified', 'saved/tenants/web');
    const kernel = openKernel(box.env);
    const was = String(kernel.getXattrs([dir], LABEL_XATTR)[0]);
    kernel.setXattr(dir, LABEL_XATTR, was.replaceAll(TOKEN, 'tsbox-very-second'));
    const stale = await box.tsbox('apply', 'p.plan');
    assert.is(stale.code, 3, stale.stderr);
    assert.match(stale.stderr, /env at the last apply was TOKEN=\(sensitive value\) \[[0-9a-f]{16}\] when planned/);
    assert.match(stale.stderr, 'container/web: cause of env was config when planned, is both now');
    assert.not.match(stale.stderr + stale.stdout, /very-se/);
    kernel.setXattr(dir, LABEL_XATTR, was);
    assert.is((await box.tsbox('apply', 'p.plan')).code, 0);
  });
});

test('a plan that was changed, is of another boot or version, or lacks its secret is refused', async () => {
  await inBox(async (box) => {
    assert.is((await box.tsbox('plan', '-o', 'p.plan')).code, 0);
    const text = readFileSync(join(box.dir, 'p.plan'), 'utf8');
    const { integrity, ...whole } = JSON.parse(text) as PlanFile;
    const refused = async (name: string, content: string, expected: string, env = {}): Promise<void> => {
      box.write(name, content);
      const { code, stderr } = await box.run(process.execPath, [CLI, 'apply', name], env);
      assert.is(code, 3, stderr);
      assert.match(stderr, expected);
    };
    const edited = text.replaceAll('67108864', '67108865');
    await refused('edited.plan', edited, 'it was changed since it was saved');
    // Somebody who repairs the digest but has no key.
    const { integrity: _, ...forged } = JSON.parse(edited) as PlanFile;
    const repaired = { ...forged, integrity: { ...integrity, sha256: sha256(canonicalJson(forged)) } };
    await refused('forged.plan', JSON.stringify(repaired), 'it does not bear the mark of this machine');
    await refused('p.plan', text, "the sensitive variable 'token' is not what it was when planned", {
      SAVED_TOKEN: 'other',
    });
    const key = planKey(join(box.dir, 'var'), false);
    assert.ok(key !== undefined);
    const elsewhere = (change: Partial<PlanFile>): string => JSON.stringify(signed({ ...whole, ...change }, key));
    await refused('boot.plan', elsewhere({ boot_id: 'x' }), 'the machine has been started anew since: boot x when');
    await refused('version.plan', elsewhere({ tsbox_version: '0.0.1' }), 'it was made by tsbox 0.0.1');
    await refused('machine.plan', elsewhere({ machine_id: 'm' }), 'it was made on the machine m');
    assert.not.ok(exists(box.cgroupDir('memory', 'saved/tenants')), 'nothing was made');
    assert.is((await box.tsbox('apply', 'p.plan')).code, 0);
  });
});

test('a plan that was refused is not used up, and one whose directory is gone says so', async () => {
  await inBox(async (box) => {
    assert.is((await box.tsbox('apply', '-y')).code, 0);
    writeFileSync(limitFile(box), '33554432');
    mkdirSync(join(box.dir, 'sub'));
    box.write('sub/tsbox.yaml', STACK.replace('include: [part.yaml]\n', PART));
    const saved = await box.run('sh', [
      '-c',
      `cd sub && exec "$0" "$@"`,
      process.execPath,
      CLI,
      'plan',
      '-o',
      '../p.plan',
    ]);
    assert.is(saved.code, 0, saved.stderr);
    const refused = await box.tsbox('apply', 'p.plan', '--on-drift', 'fail');
    assert.is(refused.code, 5, refused.stderr);
    rmSync(join(box.dir, 'sub'), { recursive: true });
    const gone = await box.tsbox('apply', 'p.plan');
    assert.is(gone.code, 3, gone.stderr);
    assert.match(
      gone.stderr,
      `error[TSB3006]: ${join(box.dir, 'p.plan')}: the directory ${join(box.dir, 'sub')} of its stack: ENOENT`,
    );
    mkdirSync(join(box.dir, 'sub'));
    const applied = await box.tsbox('apply', 'p.plan');
    assert.is(applied.code, 0, applied.stderr);
    assert.is(readFileSync(limitFile(box), 'utf8').trim(), '67108864');
    assert.match((await box.tsbox('apply', 'p.plan')).stderr, 'was applied already');
  });
});

test.run();
