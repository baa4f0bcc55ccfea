/** Real plans, applies and states against the schemas of docs/schema, and a plan without anything but the kernel. */
import { Ajv } from 'ajv';
import { readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { repository, sandbox, type Sandbox } from '../support/sandbox.ts';

const ajv = new Ajv({ strict: true, allowUnionTypes: true, allErrors: true });

function assertFits(name: string, value: unknown): void {
  const path = join(repository(), 'docs/schema', `${name}.schema.json`);
  const check = ajv.getSchema(`${name}.schema.json`) ?? ajv.compile(JSON.parse(readFileSync(path, 'utf8')) as object);
  const errors = check(value) === true ? [] : (check.errors ?? []).map((e) => `${e.instancePath} ${e.message}`);
  assert.equal(errors, [], name);
}

const STACK = `
tsbox: 1
name: json
variables: { token: { type: string, sensitive: true, default: very-secret-token } }
cgroups: { t: { children: { api: { pids: { max: 50 } } } } }
namespaces: { bus: { type: ipc } }
containers:
  web: { command: [sleep, "1000"], stop_signal: KILL, cgroup: t/api, namespaces: { ipc: bus }, env: { TOKEN: "\${token}" } }
  cbd: { command: [sleep, "1000"], stop_signal: KILL, lifecycle: { create_before_destroy: true } }
  probe: { command: [sleep, "1000"], stop_signal: KILL, for_each: [x] }
  job: { command: [sleep, "1000"], replicas: 2, stop_signal: KILL }
outputs: { pid: "\${container.web.pid}", where: "\${container.web.cgroup}", token: { value: "\${token}", sensitive: true } }
`;

interface Event {
  readonly type: string;
  readonly hook?: { readonly action: string; readonly resource: { readonly addr: string } };
  readonly outputs?: Record<string, { readonly value?: string | null; readonly sensitive: boolean }>;
  readonly diagnostic?: { readonly summary: string };
}

function events(text: string): Event[] {
  const all = text
    .trimEnd()
    .split('\n')
    .map((l) => JSON.parse(l) as Event);
  all.forEach((e) => assertFits('event', e));
  assert.not.match(text, 'very-secret-token');
  return all;
}

async function inBox(body: (box: Sandbox) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox('json');
  try {
    box.write('tsbox.yaml', STACK);
    await body(box);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
}

test('documents and streams of a whole life fit their schemas', async () => {
  await inBox(async (box) => {
    const document = async (name: string, ...args: string[]): Promise<Record<string, unknown>> => {
      const { stdout, stderr, code } = await box.tsbox(...args);
      assert.ok(code === 0 || code === 2, stderr);
      assert.not.match(stdout, 'very-secret-token');
      const value = JSON.parse(stdout) as Record<string, unknown>;
      assertFits(name, value);
      return value;
    };
    await document('plan', 'plan', '--format', 'json');
    const made = events((await box.tsbox('apply', '-y', '--json')).stdout);
    assert.equal(made[0]?.type, 'version');
    const outputs = made.at(-1)?.outputs;
    assert.match(outputs?.['pid']?.value ?? '', /^\d+$/);
    assert.is(outputs?.['where']?.value, `${box.cgroupRoot}/json/t/api/web`);
    assert.is(outputs?.['token']?.value, null);
    writeFileSync(join(box.cgroupDir('pids', 'json/t/api'), 'pids.max'), '49');
    box.write('tsbox.yaml', STACK.replaceAll('"1000"', '"1001"'));
    const plan = await document('plan', 'plan', '--format', 'json', '-o', 'saved');
    assert.is((plan['resource_drift'] as unknown[]).length, 1);
    assertFits('saved-plan', JSON.parse(readFileSync(join(box.dir, 'saved'), 'utf8')));
    await document('drift', 'drift', '--format', 'json');
    events((await box.tsbox('plan', '--json')).stdout);
    const applied = events((await box.tsbox('apply', 'saved', '--json')).stdout);
    const passes = (address: string): string[] =>
      applied.filter((e) => e.hook?.resource.addr === address).map((e) => `${e.type} ${e.hook?.action ?? ''}`);
    const pass = (action: string): string[] => [`apply_start ${action}`, `apply_complete ${action}`];
    assert.equal(passes('tsbox_container.web'), [...pass('delete'), ...pass('create')]);
    assert.equal(passes('tsbox_container.cbd'), [...pass('create'), ...pass('delete')]);
    const actionsOf = (address: string): unknown =>
      (plan['resource_changes'] as Array<{ address: string; change: { actions: string[] } }>).find(
        (c) => c.address === address,
      )?.change.actions;
    assert.equal(actionsOf('tsbox_container.web'), ['delete', 'create']);
    assert.equal(actionsOf('tsbox_container.cbd'), ['create', 'delete']);
    const state = await document('state', 'show', '--json');
    const resources = (state['values'] as { root_module: { resources: Array<{ address: string }> } }).root_module
      .resources;
    assert.equal(
      resources.map((r) => r.address),
      [
        'tsbox_cgroup.t',
        'tsbox_cgroup.t["api"]',
        'tsbox_container.cbd',
        'tsbox_container.job[0]',
        'tsbox_container.job[1]',
        'tsbox_container.probe["x"]',
        'tsbox_container.web',
        'tsbox_namespace.bus',
      ],
    );
    // Bad input is an event too.
    box.write('bad.yaml', 'tsbox: 1\nname: json\ncontainers: { web: { comand: [x] } }\n');
    const bad = events((await box.tsbox('plan', '-f', 'bad.yaml', '--json')).stdout);
    assert.equal(bad.map((e) => e.type).slice(0, 2), ['version', 'diagnostic']);
    assert.match(bad[1]?.diagnostic?.summary ?? '', 'comand');
    const gone = events((await box.tsbox('destroy', '-y', '--json')).stdout);
    assert.ok(gone.some((e) => e.type === 'apply_complete' && e.hook?.action === 'delete'));
    // The same events beside the text.
    box.write('tsbox.yaml', STACK);
    box.write('into', 'of before');
    const { stdout, stderr, code } = await box.tsbox('apply', '-y', '--json-into', 'into');
    assert.is(code, 0, stderr);
    assert.match(stdout, 'Apply complete! Resources: 8 added');
    assert.match(stderr, 'container/web: Creation complete');
    assert.not.match(stdout, '"@level"');
    const into = events(readFileSync(join(box.dir, 'into'), 'utf8'));
    const kinds = (all: Event[]): string[] =>
      all.map((e) => `${e.type} ${e.hook?.action ?? ''} ${e.hook?.resource.addr ?? ''}`).sort();
    assert.equal(kinds(into), kinds(made));
    assert.is(statSync(join(box.dir, 'into')).mode & 0o777, 0o600);
    // A link is not followed, and nothing is done without the events.
    symlinkSync('tsbox.yaml', join(box.dir, 'link'));
    const linked = await box.tsbox('plan', '--json-into', 'link');
    assert.is(linked.code, 1);
    assert.match(linked.stderr, "cannot write 'link': ELOOP");
    assert.is(readFileSync(join(box.dir, 'tsbox.yaml'), 'utf8'), STACK);
    box.write('bad.yaml', 'tsbox: 1\nname: json\ncontainers: { web: { comand: [x] } }\n');
    assert.is((await box.tsbox('plan', '-f', 'bad.yaml', '--json-into', 'into')).code, 1);
    assert.equal(
      events(readFileSync(join(box.dir, 'into'), 'utf8'))
        .map((e) => e.type)
        .slice(0, 2),
      ['version', 'diagnostic'],
    );
    assert.is((await box.tsbox('destroy', '-y')).code, 0);
  });
});

test('a plan needs nothing but the kernel: without what is kept on disk it is the same in every byte', async () => {
  await inBox(async (box) => {
    box.write(
      'tsbox.yaml',
      STACK.replace('namespaces: { bus: { type: ipc } }', '').replace(', namespaces: { ipc: bus }', ''),
    );
    assert.is((await box.tsbox('apply', '-y')).code, 0);
    const same = (text: string): string => text.replace(/"timestamp": "[^"]*"/, '');
    const plans = async (): Promise<string[]> => {
      const runs = await Promise.all([
        box.tsbox('plan'),
        box.tsbox('plan', '--format', 'json'),
        box.tsbox('plan', '--var', 'token=other', '--format', 'json'),
        box.tsbox('plan', '--destroy'),
      ]);
      return runs.map((p) => same(p.stdout));
    };
    const before = await plans();
    assert.match(before[0] ?? '', 'No changes.');
    rmSync(box.runDir, { recursive: true, force: true });
    rmSync(join(box.dir, 'var'), { recursive: true, force: true });
    assert.equal(await plans(), before);
    assert.is((await box.tsbox('destroy', '-y')).code, 0);
  });
});

test.run();
