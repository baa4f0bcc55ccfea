/** Addresses as Terraform's readers have them, and what the command line takes for addresses. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { PlannedChange } from '../../src/planner/plan.ts';
import { addressMatcher } from '../../src/resources/address-forms.ts';
import { moduleTree } from '../../src/report/terraform/modules.ts';
import { reasonOf } from '../../src/report/terraform/reasons.ts';
import { namingOf, resourceHead } from '../../src/report/terraform/names.ts';
import { loadStack } from '../../src/stack/index.ts';

const stack = loadStack(['s.yaml'], {
  env: {},
  texts: new Map([
    [
      's.yaml',
      `tsbox: 1
name: s
modules:
  shop: { source: shop.yaml, for_each: { eu: { n: 2 }, us: { n: 1 } }, variables: { n: "\${each.value.n}" } }
  one: { source: inner.yaml }
cgroups:
  team: { for_each: [a, b], children: { jobs: {} } }
  plain: { children: { below: {} } }
containers:
  probe: { for_each: [x, y], command: [a] }
  v1.2: { command: [a] }
  web: { replicas: 2, command: [a] }
`,
    ],
    [
      'shop.yaml',
      `tsbox: 1
variables: { n: { type: integer } }
modules: { store: { source: inner.yaml } }
cgroups: { limits: { children: { deep: {} } } }
containers:
  front: { replicas: "\${n}", command: [a] }
  side: { for_each: [p], command: [a] }
`,
    ],
    ['inner.yaml', 'tsbox: 1\nvolumes: { data: {} }\ncontainers: { db: { command: [a] } }\n'],
  ]),
});
const naming = namingOf(stack.origins);
const NAMES: Readonly<Record<string, string>> = {
  'container/web[1]': 'tsbox_container.web[1]',
  'container/v1.2': 'tsbox_container.v1.2',
  'container/probe.x': 'tsbox_container.probe["x"]',
  'container/shop.eu.front[1]': 'module.shop["eu"].tsbox_container.front[1]',
  'container/shop.us.side.p': 'module.shop["us"].tsbox_container.side["p"]',
  'container/shop.eu.store.db': 'module.shop["eu"].module.store.tsbox_container.db',
  'volume/one.data': 'module.one.tsbox_volume.data',
  'cgroup/plain': 'tsbox_cgroup.plain',
  'cgroup/plain/below': 'tsbox_cgroup.plain["below"]',
  'cgroup/team.a': 'tsbox_cgroup.team["a"]',
  'cgroup/team.a/jobs': 'tsbox_cgroup.team["a/jobs"]',
  'cgroup/shop.eu.limits/deep': 'module.shop["eu"].tsbox_cgroup.limits["deep"]',
  // What the file had once: other keys of what it still has.
  'container/probe.old': 'tsbox_container.probe["old"]',
  'container/shop.asia.store.db': 'module.shop["asia"].module.store.tsbox_container.db',
  'container/shop.asia.gone': 'module.shop["asia"].tsbox_container.gone',
  'container/shop.asia.front[0]': 'module.shop["asia"].tsbox_container.front[0]',
};

test('modules and keys are parts of an address of their own', () => {
  for (const [address, expected] of Object.entries(NAMES)) {
    assert.is(naming(address).address, expected);
  }
  assert.equal(resourceHead('container/shop.eu.front[1]', naming), {
    address: 'module.shop["eu"].tsbox_container.front[1]',
    module_address: 'module.shop["eu"]',
    mode: 'managed',
    type: 'tsbox_container',
    name: 'front',
    index: 1,
    provider_name: 'registry.terraform.io/tsbox/tsbox',
  });
  const declared = [
    ...[...stack.containers.keys()].map((n) => `container/${n}`),
    ...[...stack.cgroups.keys()].map((n) => `cgroup/${n}`),
    ...[...stack.volumes.keys()].map((n) => `volume/${n}`),
  ];
  const names = declared.map((a) => naming(a).address);
  assert.is(new Set(names).size, names.length, 'no two have one name');
});

test('values of modules are nested', () => {
  const addresses = ['container/web[0]', 'container/shop.eu.store.db', 'container/shop.us.front[0]'];
  const tree = moduleTree(addresses.map((a) => resourceHead(a, naming)));
  assert.is(tree.resources[0]?.['address'], 'tsbox_container.web[0]');
  assert.equal(
    tree.child_modules?.map((m) => [m.address, m.resources.length, m.child_modules?.[0]?.address]),
    [
      ['module.shop["eu"]', 0, 'module.shop["eu"].module.store'],
      ['module.shop["us"]', 1, undefined],
    ],
  );
  const inner = tree.child_modules?.[0]?.child_modules?.[0]?.resources[0];
  assert.is(inner?.['address'], 'module.shop["eu"].module.store.tsbox_container.db');
  assert.is(inner?.['module_address'], undefined);
});

test('an address that was printed means what it was printed for', () => {
  for (const [address, printed] of Object.entries(NAMES)) {
    assert.ok(addressMatcher(address)(address), address);
    assert.ok(addressMatcher(printed)(address), printed);
  }
});

test('why something goes', () => {
  const declared = Object.keys(NAMES).slice(0, 12);
  const reason = (address: string): string | undefined => {
    const change = { address, action: 'delete', attributes: [], facts: {} } as unknown as PlannedChange;
    return reasonOf(change, false, { declared, origins: stack.origins ?? {} });
  };
  assert.is(reason('container/web[7]'), 'delete_because_count_index');
  assert.is(reason('container/probe.old'), 'delete_because_each_key');
  assert.is(reason('container/shop.asia.front[0]'), 'delete_because_no_module');
  assert.is(reason('container/shop.eu.gone'), 'delete_because_no_resource_config');
  assert.is(reason('container/other'), 'delete_because_no_resource_config');
});

test('patterns, replicas as plans fold them, and what is no address', () => {
  const all = ['cgroup/a', 'cgroup/a/b', 'container/a.b', 'container/web[0]', 'container/web[2]', 'container/web[10]'];
  const meant = (wanted: string): string[] => all.filter(addressMatcher(wanted));
  assert.equal(meant('container/*'), all.slice(2));
  assert.equal(meant('*/a?b'), ['cgroup/a/b', 'container/a.b']);
  assert.equal(meant('container/web[0..2]'), ['container/web[0]', 'container/web[2]']);
  assert.equal(meant('container/web[0,10]'), ['container/web[0]', 'container/web[10]']);
  assert.equal(meant('container/web'), all.slice(3));
  assert.equal(meant('cgroup/a'), ['cgroup/a', 'cgroup/a/b']);
  assert.equal(meant('tsbox_cgroup.a["b"]'), ['cgroup/a/b']);
  assert.equal(meant('tsbox_container.web'), all.slice(3));
  for (const nothing of [
    'container/we',
    'container/w+',
    'tsbox_container',
    'module.x',
    'tsbox_container.web["',
    '*x*',
  ]) {
    assert.equal(meant(nothing), [], nothing);
  }
});

test.run();
