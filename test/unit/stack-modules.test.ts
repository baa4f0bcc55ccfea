/** Modules and for_each: what is written out, and what refers to what. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TsboxErrors } from '../../src/errors.ts';
import { loadStack, type Stack } from '../../src/stack/index.ts';

const SLEEP = 'command: [/usr/bin/sleep, infinity]';

function load(files: Readonly<Record<string, string>>): Stack {
  const dir = mkdtempSync(join(tmpdir(), 'tsbox-modules-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(dir, name, '..'), { recursive: true });
      writeFileSync(join(dir, name), text);
    }
    return loadStack([join(dir, 'stack.yaml')], { env: { TSBOX_VAR_size: '1MiB' } });
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function errors(files: Readonly<Record<string, string>>): string[] {
  try {
    load(files);
  } catch (error) {
    if (error instanceof TsboxErrors) {
      return error.errors.map((e) => `${e.info.at?.file.split('/').pop()}:${e.info.at?.line} ${e.message}`);
    }
    throw error;
  }
  return [];
}

test('a module has names of its own, and everything in it refers to them', () => {
  const module = `tsbox: 1
variables: { size: { type: string, default: 64MiB }, token: { sensitive: true, default: none } }
cgroups: { box: { memory: { max: "\${size}" }, devices: few } }
devices: { few: [{ allow: /dev/null rwm }] }
namespaces: { front: { type: net } }
volumes: { data: {} }
secrets: { key: { content: abcdef } }
containers:
  db:
    ${SLEEP}
    cgroup: box
    namespaces: { net: front }
    mounts: [{ volume: data, target: /data }]
    secrets: [key]
    env: { TOKEN: "\${token}" }
  web: { ${SLEEP}, share: db, depends_on: { db: started }, lifecycle: { replace_triggered_by: [container/db.env] } }
  more: { ${SLEEP}, replicas: 2, depends_on: [web] }
  after: { ${SLEEP}, depends_on: [more], namespaces: { ipc: "container/more[1]" } }
outputs: { pid: "\${container.db.pid}", size: "\${size}" }
`;
  const stack = load({
    'stack.yaml': `tsbox: 1
name: s
modules: { a: { source: mods, variables: { size: 32MiB } }, b: { source: ./mods/tsbox.yaml } }
containers: { last: { ${SLEEP}, depends_on: [a.more], env: { SIZE: "\${module.b.size}" } } }
outputs: { db: "pid \${module.a.pid}" }
`,
    'mods/tsbox.yaml': module,
  });
  assert.equal(
    [...stack.containers.keys()],
    [
      'last',
      'a.db',
      'a.web',
      'a.more[0]',
      'a.more[1]',
      'a.after',
      'b.db',
      'b.web',
      'b.more[0]',
      'b.more[1]',
      'b.after',
    ],
  );
  const db = stack.containers.get('a.db');
  assert.is(db?.cgroup, 'a.box');
  assert.equal(db?.namespaces.net, { kind: 'declared', name: 'a.front' });
  assert.is(stack.cgroups.get('a.box')?.knobs['memory.max'], String(32 << 20));
  assert.is(stack.cgroups.get('b.box')?.knobs['memory.max'], String(64 << 20), 'nothing comes from the environment');
  assert.is(stack.cgroups.get('a.box')?.devices, 'a.few');
  assert.equal(stack.meta.get('container/a.web')?.lifecycle?.replaceTriggeredBy, ['container/a.db.env']);
  assert.equal(stack.containers.get('a.after')?.dependsOn, { 'a.more[0]': 'started', 'a.more[1]': 'started' });
  assert.equal(Object.keys(stack.containers.get('last')?.dependsOn ?? {}), ['a.more[0]', 'a.more[1]']);
  assert.is(stack.containers.get('last')?.env['SIZE'], '64MiB');
  assert.is(stack.outputs.get('db')?.value, 'pid ${container.a.db.pid}');
  assert.match(stack.locate('container/a.db', ['cgroup'])?.file ?? '', /mods\/tsbox\.yaml$/);
  assert.is(stack.files.length, 2);
});

test('what a module calls sensitive is hidden, its own default too', () => {
  const stack = load({
    'stack.yaml': `tsbox: 1\nname: s\nmodules: { a: { source: ./m.yaml }, b: { source: ./m.yaml, variables: { token: given } } }\n`,
    'm.yaml': `tsbox: 1\nvariables: { token: { sensitive: true, default: built-in } }\ncontainers: { c: { ${SLEEP}, env: { T: "\${token}" } } }\n`,
  });
  assert.equal([...stack.sensitive].sort(), ['built-in', 'given']);
  assert.equal(Object.keys(stack.variables), []);
});

test('for_each: lists and maps, nested cgroups, and who depends on all of them', () => {
  const stack = load({
    'stack.yaml': `tsbox: 1
name: s
variables: { who: { default: carol } }
cgroups:
  tenants:
    children:
      t: { for_each: { alice: 10, bob: 20 }, pids: { max: "\${each.value}" }, children: { in: {} } }
containers:
  web: { for_each: ["\${who}", dave], ${SLEEP}, env: { WHO: "$$\${each.key}", IT: "\${each.value}" } }
  job: { for_each: { x: { cmd: /bin/true } }, command: ["\${each.value.cmd}"], cgroup: tenants/t.bob }
  end: { ${SLEEP}, depends_on: { web: started } }
`,
  });
  assert.equal([...stack.containers.keys()], ['web.carol', 'web.dave', 'job.x', 'end']);
  assert.equal(stack.containers.get('web.carol')?.env, { WHO: '$carol', IT: 'carol' });
  assert.equal(Object.keys(stack.containers.get('end')?.dependsOn ?? {}), ['web.carol', 'web.dave']);
  assert.is(stack.cgroups.get('tenants/t.bob')?.knobs['pids.max'], '20');
  assert.ok(stack.cgroups.has('tenants/t.alice/in'));
});

test('what is wrong is told where it stands', () => {
  const head = 'tsbox: 1\nname: s\n';
  assert.equal(
    errors({
      'stack.yaml': `${head}modules:
  a: { source: a.yaml }
  b: { source: none.yaml }
  c: { source: ../c.yaml }
  d.e: { source: a.yaml }
  f: { sorce: a.yaml }
`,
      'a.yaml': 'tsbox: 1\nmodules:\n  b: { source: b.yaml }\n',
      'b.yaml': 'tsbox: 1\nmodules:\n  c: { source: a.yaml }\n',
    }).map((e) => e.replace(/\/\S*\//g, '')),
    [
      "stack.yaml:5 there is no module 'none.yaml'",
      "stack.yaml:6 there is no module '../c.yaml'",
      "stack.yaml:7 'd.e' cannot name a module",
      "stack.yaml:8 unknown key 'sorce' in 'f'",
      'b.yaml:3 modules use each other in a circle: a.yaml → b.yaml → a.yaml (a.yaml:3, b.yaml:3)',
    ],
  );
  assert.equal(
    errors({
      'stack.yaml': `${head}modules: { a: { source: a.yaml, variables: { sise: 1, size: [1] } } }
containers: { x: { ${SLEEP}, env: { A: "\${module.a.pid}", B: "\${module.a.none}", C: "\${each.key}" } } }
`,
      'a.yaml': `tsbox: 1
variables: { size: { default: 1 } }
containers: { db: { ${SLEEP}, depends_on: [nobody] } }
outputs: { pid: "\${container.db.pid}" }
drift: {}
`,
    }),
    [
      "stack.yaml:3 the module declares no variable 'sise'",
      "stack.yaml:3 the variable 'size' has no single value here",
      "stack.yaml:4 '${module.a.pid}' is known only after apply",
      "stack.yaml:4 no module has the output 'a.none'",
      "stack.yaml:4 '${each.key}' means nothing here",
      "a.yaml:3 no container 'nobody' is declared",
      "a.yaml:5 'drift' has no place in a module",
    ],
  );
  assert.equal(
    errors({
      'stack.yaml': `${head}containers:
  a: { for_each: x, ${SLEEP} }
  b: { for_each: [p, p], replicas: 2, ${SLEEP} }
  c: { for_each: ["a b"], ${SLEEP} }
  d: { for_each: { k: [1] }, ${SLEEP} }
`,
    }),
    [
      'stack.yaml:4 for_each has no members to be made for',
      "stack.yaml:5 'b' has for_each and replicas",
      "stack.yaml:5 'p' is there twice",
      "stack.yaml:6 'a b' cannot be a key",
      "stack.yaml:7 the value of 'k' is a list",
    ],
  );
});

test.run();
