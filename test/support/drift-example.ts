/** A report with every class, severity and kind of evidence, hostile text included; times and pids are fixed. */
import type { Plan, PlannedChange } from '../../src/planner/plan.ts';
import { parseRuns, type RunRecord } from '../../src/report/drift/history.ts';
import { findItems } from '../../src/report/drift/items.ts';
import { driftReport, type DriftReport, type Evidence } from '../../src/report/drift/model.ts';
import type { AttributeChange, Extra } from '../../src/resources/kind.ts';
import type { DriftSettings } from '../../src/resources/drift-settings.ts';

export const NOW = Date.parse('2026-11-26T12:00:00Z');
const HOUR = 3_600_000;
const at = (hoursAgo: number): string => new Date(NOW - hoursAgo * HOUR).toISOString();

export function changeOf(address: string, more: Partial<PlannedChange>): PlannedChange {
  return {
    address,
    kind: address.split('/')[0] ?? '',
    action: 'update',
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

export function drifted(
  name: string,
  applied: AttributeChange['applied'],
  live: AttributeChange['before'],
  mode: AttributeChange['mode'] = 'in-place',
): AttributeChange {
  return { name, before: live, after: applied, applied, cause: 'drift', mode, reason: undefined };
}

export function extra(what: Extra['what'], text: string): Extra {
  return { what, text, steps: [] };
}

export function planOf(stack: string, changes: readonly PlannedChange[], more: Partial<Plan> = {}): Plan {
  return {
    stack,
    changes,
    complete: true,
    declared: changes.map((c) => c.address),
    warnings: [],
    unreadable: [],
    ...more,
  } as Plan;
}

const span = (line: number) => ({ file: 'stacks/shop.yaml', line, column: 3, length: 5 });

const SHOP = planOf(
  'shop',
  [
    changeOf('cgroup/tenants', {
      at: span(4),
      attributes: [
        drifted('memory.max', '268435456', 'max'),
        drifted('cpu.max', '150000 100000', '50000 100000'),
        drifted('devices', ['allow c 1:3 rwm'], ['allow c 1:3 rwm', 'allow c 10:200 rw']),
      ],
      extras: [extra('process', 'process 4711 (sleep) in pids')],
    }),
    changeOf('cgroup/tenants/batch', { at: span(9) }),
    changeOf('container/db', {
      at: span(14),
      action: 'restart',
      attributes: [drifted('state', 'running', 'killed by SIGKILL', 'restart')],
    }),
    changeOf('container/web', {
      at: span(20),
      attributes: [
        drifted('supervisor', 'present', 'missing'),
        drifted('hostname', 'web', '<img src=x onerror=alert(1)>\u001b[31m| `@everyone` ](https://example.org)'),
        { ...drifted('pids.max', '64', '32'), manager: 'autoscaler' },
      ],
      extras: [extra('mount', 'mount /evil tmpfs rw appeared'), extra('program', 'program 99 (by_hand) at egress')],
    }),
    changeOf('namespace/bus', { at: span(30), action: 'create', missing: true }),
    changeOf('container/batch', { at: span(33), attributes: [drifted('cpu.weight', '100', '50')] }),
  ],
  { unreadable: ['container/batch: sysctls'] },
);

const SETTINGS: DriftSettings = {
  ignore: [
    {
      address: 'container/batch',
      attribute: 'cpu.weight',
      reason: 'tuned by hand during the sale',
      until: '2026-12-01',
    },
    { address: 'container/web', attribute: 'pids.*', reason: 'trial', until: '2026-11-20' },
  ],
  severity: [{ address: '*', attribute: 'supervisor', severity: 'security', reason: 'our audit trail is its log' }],
};

function run(hoursAgo: number, ids: ReadonlyArray<readonly [string, string]>): string {
  const items = ids.map(([id, severity]) => ({ id, severity, address: 'x', attribute: 'y', class: 'changed' }));
  return JSON.stringify({ v: 1, time: at(hoursAgo), boot: 'b', items, ignored: 1, more: 0 });
}

export function example(): { reports: DriftReport[]; runs: RunRecord[] } {
  const items = findItems(SHOP, 'tsbox apply -f stacks/shop.yaml');
  const idOf = (attribute: string): string => items.find((i) => i.attribute === attribute)?.id ?? '';
  const [memory, cpu, host] = [idOf('memory.max'), idOf('cpu.max'), idOf('hostname')];
  const both = [
    [memory, 'security'],
    [cpu, 'capacity'],
  ] as const;
  const runs = parseRuns(
    [
      run(240, []),
      run(150, both),
      run(126, []),
      '{"v":1,"time":"torn',
      run(102, [[memory, 'security']]),
      run(78, []),
      run(54, []),
      run(30, [[host, 'cosmetic']]),
      run(12, [[host, 'cosmetic']]),
      run(6, [[host, 'cosmetic']]),
    ].join('\n'),
  );
  const evidence = new Map<string, Evidence>([
    [
      memory,
      {
        since: {
          from: at(3),
          to: at(3),
          exact: false,
          source: 'mtime of /sys/fs/cgroup/tsbox/shop/tenants/memory.max',
        },
        whom: {
          time: at(3),
          pid: 4700,
          comm: 'bash',
          exe: '/usr/bin/bash',
          cgroup: '/user.slice/user-1000.slice',
          gone: false,
          source: 'watch',
        },
      },
    ],
    [
      idOf('process'),
      {
        since: { from: at(2), to: null, exact: false, source: 'the start of process 4711' },
        whom: { time: at(1), pid: 4712, comm: null, exe: null, cgroup: null, gone: true, source: 'watch' },
      },
    ],
    [idOf('state'), { since: { from: at(1), to: at(1), exact: true, source: 'the record of its supervisor' } }],
  ]);
  const shop = driftReport({
    plan: SHOP,
    against: 'file',
    files: ['stacks/shop.yaml'],
    settings: SETTINGS,
    evidence,
    history: runs,
    lastApply: at(200),
    coverage: { cgroups: { managed: 12, total: 12 }, processes: { managed: 27, total: 28 } },
    now: NOW,
    heal: 'tsbox apply -f stacks/shop.yaml',
  });
  const calm = driftReport({
    plan: planOf('calm', [changeOf('container/app', { action: 'no-op' })]),
    against: 'record',
    files: [],
    coverage: { cgroups: { managed: 1, total: 1 }, processes: { managed: 3, total: 3 } },
    now: NOW,
    heal: null,
  });
  return { reports: [shop, calm], runs };
}
