/** A plan with every kind of change in it, made up: what reports are tried on without a kernel. */
import type { Plan, PlannedChange } from '../../src/planner/plan.ts';
import type { Documented } from '../../src/report/terraform/document.ts';
import type { Value } from '../../src/resources/attribute.ts';
import type { AttributeChange, Declared, Observed } from '../../src/resources/kind.ts';

export const SECRET = 'hunter2-hunter2';

function change(address: string, action: PlannedChange['action'], more: Partial<PlannedChange> = {}): PlannedChange {
  return {
    address,
    kind: address.split('/')[0] ?? '',
    action,
    missing: false,
    attributes: [],
    extras: [],
    reasons: [],
    unreadable: [],
    facts: {},
    steps: [],
    lateSteps: [],
    after: [],
    lateAfter: [],
    at: undefined,
    ...more,
  };
}

function attribute(name: string, before: Value | undefined, after: Value | undefined, more = {}): AttributeChange {
  return { name, before, after, applied: before, cause: 'config', mode: 'in-place', reason: undefined, ...more };
}

function live(address: string, values: Record<string, Value>, more: Partial<Observed> = {}): Observed {
  const facts = { path: `/tsbox/shop/${address.split('/').slice(1).join('/')}` };
  return { address, exists: true, live: values, applied: values, extras: [], unreadable: [], facts, ...more };
}

function wanted(address: string, desired: Record<string, Value>, needs: readonly string[] = []): Declared {
  return { address, kind: address.split('/')[0] ?? '', desired, needs, shares: [], waits: [], at: undefined };
}

const at = { file: 'shop.yaml', line: 7, column: 3, length: 3 };
const env = (token: string): Record<string, string> => ({ MODE: 'fast', TOKEN: token });

const changes: readonly PlannedChange[] = [
  change('cgroup/tenants', 'no-op'),
  change('cgroup/tenants/api', 'update', {
    attributes: [
      attribute('memory.max', 'max', '268435456', { applied: '134217728', cause: 'both' }),
      attribute('pids.max', '50', '10', { risk: '23 are running', manager: 'autoscaler', claimed: ['pids.max'] }),
    ],
    steps: [{ op: 'cgroup-write', path: 'tenants/api', controller: 'memory', writes: [] }],
    at,
  }),
  change('cgroup/old', 'delete', {
    attributes: [attribute('cpu.weight', '100', undefined, { mode: 'replace' })],
    steps: [{ op: 'cgroup-remove', path: 'old', kill: false }],
  }),
  change('cgroup/foreign', 'delete', {
    facts: { adopted: 'yes' },
    steps: [{ op: 'cgroup-release', path: '/foreign' }],
  }),
  change('namespace/bus', 'create', {
    attributes: [attribute('type', undefined, 'ipc', { cause: 'new' })],
    at,
  }),
  change('container/db', 'replace', {
    attributes: [
      attribute('namespace.ipc', 'new', 'namespace/bus', {
        mode: 'replace',
        reason: 'a process cannot change its ipc namespace',
      }),
      attribute('env', env('old'), env(SECRET), { mode: 'replace' }),
    ],
    facts: { pid: '4242' },
    steps: [
      { op: 'stop', path: 'db' },
      { op: 'cgroup-remove', path: 'db', kill: true },
      { op: 'cgroup-make', path: 'db', label: { address: 'container/db', applied: null }, controllers: [] },
      { op: 'start', container: 'db' },
    ],
    after: ['namespace/bus'],
    at,
  }),
  change('container/proxy', 'replace', { reasons: ['it lives in a namespace of container/db, which is replaced'] }),
  change('container/job', 'restart', {
    attributes: [attribute('state', 'exited 1', 'running', { applied: 'running', cause: 'drift', mode: 'restart' })],
    facts: { pid: '77' },
    steps: [
      { op: 'stop', path: 'job' },
      { op: 'start', container: 'job' },
    ],
  }),
  change('container/web[0]', 'update', {
    extras: [{ what: 'process', text: 'process 4711 (sleep)', steps: [] }],
    facts: { pid: '90' },
  }),
  change('container/web[1]', 'create', {
    missing: true,
    attributes: [attribute('command', undefined, ['sleep', '9'], { cause: 'new' })],
  }),
];

const plan: Plan = {
  stack: 'shop',
  changes,
  complete: false,
  declared: changes.filter((c) => c.action !== 'delete').map((c) => c.address),
  warnings: [`a warning that mentions ${SECRET}`],
  unreadable: ['cgroup/tenants: devices'],
};

const observed: readonly Observed[] = [
  live('cgroup/tenants', { 'cpu.weight': '100' }),
  live('cgroup/tenants/api', { 'memory.max': 'max', 'pids.max': '50' }),
  live('cgroup/old', { 'cpu.weight': '100' }),
  live('cgroup/foreign', { 'cpu.weight': '100' }),
  live('container/db', { 'namespace.ipc': 'new', env: env('old') }, { facts: { pid: '4242', path: '/tsbox/shop/db' } }),
  live('container/proxy', { 'namespace.ipc': 'container/db' }),
  live('container/job', { state: 'exited 1' }, { facts: { pid: '77', path: '/tsbox/shop/job' } }),
  live(
    'container/web[0]',
    { command: ['sleep', '9'] },
    { extras: [{ what: 'process', text: 'process 4711 (sleep)', steps: [] }] },
  ),
  live('container/web[1]', {}, { exists: false, applied: null, facts: {} }),
];

const declared: readonly Declared[] = [
  wanted('cgroup/tenants', { 'cpu.weight': '100' }),
  wanted('cgroup/tenants/api', { 'memory.max': '268435456', 'pids.max': '10' }, ['cgroup/tenants']),
  wanted('namespace/bus', { type: 'ipc' }),
  wanted('container/db', { 'namespace.ipc': 'namespace/bus', env: env(SECRET) }, ['namespace/bus']),
  wanted('container/proxy', { 'namespace.ipc': 'container/db' }, ['container/db']),
  wanted('container/job', { state: 'running' }),
  wanted('container/web[0]', { command: ['sleep', '9'] }),
  wanted('container/web[1]', { command: ['sleep', '9'] }),
];

export function everyChange(): Documented {
  return {
    plan,
    observed: new Map(observed.map((o) => [o.address, o])),
    declared: new Map(declared.map((d) => [d.address, d])),
    variables: { token: { value: SECRET, sensitive: true }, size: { value: 3, sensitive: false } },
    outputs: [
      { name: 'db_pid', sensitive: false, before: '4242', after: undefined, removed: false },
      { name: 'fixed', sensitive: false, before: 'x', after: 'x', removed: false },
      { name: 'token', sensitive: true, before: SECRET, after: SECRET, removed: false },
    ],
    destroy: false,
    version: '0.0.0',
    bootId: '00000000-0000-0000-0000-000000000000',
    time: '2026-01-01T00:00:00.000Z',
    mask: (text) => text.replaceAll(SECRET, '(sensitive value)'),
  };
}
