/** How much of a stack's subtree is the stack's, and what of it is nobody's or another's. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findOthers } from '../../src/cli/drift/others.ts';
import { coverageOf, readSubtree } from '../../src/cli/drift/subtree.ts';
import type { KernelReader } from '../../src/kernel/reader.ts';
import type { Plan } from '../../src/planner/plan.ts';
import { conditionsOf, coverageText, percentText, ratioOf, sumOf } from '../../src/report/drift/coverage.ts';
import type { Finding } from '../../src/report/drift/items.ts';
import { driftReport } from '../../src/report/drift/model.ts';
import { encodeLabel, LABEL_XATTR, type Label } from '../../src/resources/label.ts';
import { readScope } from '../../src/resources/scope.ts';
import { changeOf, NOW, planOf } from '../support/drift-example.ts';

const ROOT = '/cg/tsbox/s';

interface Dir {
  readonly path: string;
  readonly label?: Partial<Label>;
  readonly pids?: readonly number[];
}

function seeing(dirs: readonly Dir[]): KernelReader {
  const at = (path: string): string => (path === '' ? ROOT : `${ROOT}/${path}`);
  return {
    settings: { cgroupRoot: '/tsbox' },
    layout: { primary: { mount: '/cg' }, hierarchies: [{ mount: '/cg' }] },
    installation: 'here',
    capabilities: ~0n,
    walkDirs: () => dirs.map(({ path }, i) => ({ path, ino: i + 1 })),
    listXattrs: () => [],
    getXattrs: (paths: readonly string[], name: string) =>
      paths.map((path) => {
        const i = dirs.findIndex((d) => at(d.path) === path);
        const label = dirs[i]?.label;
        return name === LABEL_XATTR && label !== undefined
          ? encodeLabel({ v: 1, stack: 's', address: 'cgroup/a', applied: {}, ...label, ino: i + 1 })
          : -61;
      }),
    readFiles: (paths: readonly string[]) =>
      paths.map((path) => (dirs.find((d) => `${at(d.path)}/cgroup.procs` === path)?.pids ?? []).join('\n')),
  } as unknown as KernelReader;
}

function found(dirs: readonly Dir[], plan: Plan = planOf('s', [])) {
  const reader = seeing(dirs);
  const scope = readScope(reader, 's');
  const subtree = readSubtree(reader, scope);
  return { findings: findOthers(reader, plan, scope, subtree), coverage: coverageOf(reader, plan, scope, subtree) };
}

const WEB = { address: 'container/web' };
const OURS: readonly Dir[] = [
  { path: '' },
  { path: '_supervisors', pids: [10, 11] },
  { path: 'a', label: {}, pids: [30] },
  { path: 'a/web', label: WEB, pids: [20, 21, 31] },
  { path: 'a/web/its-own', pids: [22] },
];

const tell = (findings: readonly Finding[]): string[] => findings.map((f) => `${f.class} ${f.address}: ${f.text}`);

test('what a container has below its leaf is its own; a process in an inner cgroup or brought in from outside is not', () => {
  const evicts = { what: 'process', text: 'process 31', steps: [{ op: 'evict', path: 'a/web', pids: [31] }] } as const;
  const { findings, coverage } = found(OURS, planOf('s', [changeOf('container/web', { extras: [evicts] })]));
  assert.equal(findings, []);
  assert.equal(coverage, { cgroups: { managed: 3, total: 3 }, processes: { managed: 5, total: 7 } });
  assert.is(found(OURS, planOf('s', [], { complete: false })).coverage, null, 'targets leave the rest unread');
});

test('without a label: the topmost of them, once', () => {
  const { findings, coverage } = found([
    ...OURS,
    { path: 'a/mine', pids: [40] },
    { path: 'a/mine/b' },
    { path: 'a/mine/b/c', pids: [41] },
    { path: 'other' },
  ]);
  assert.equal(tell(findings), [
    'unmanaged cgroup/a: cgroup a/mine, 1 process: /cg/tsbox/s/a/mine',
    'unmanaged stack/s: cgroup other, empty: /cg/tsbox/s/other',
  ]);
  assert.equal(coverage, { cgroups: { managed: 3, total: 7 }, processes: { managed: 6, total: 9 } });
});

test('what stands below our root and is no stack is told as a whole', () => {
  const { findings, coverage } = found([{ path: '' }, { path: 'x', pids: [5] }]);
  assert.equal(tell(findings), ['unmanaged stack/s: cgroup s, empty: /cg/tsbox/s']);
  assert.equal(coverage, { cgroups: { managed: 0, total: 2 }, processes: { managed: 0, total: 1 } });
});

test("another installation's or stack's: one line for each owner, and its cgroups are not covered", () => {
  const blue = { installation: 'blue' };
  const { findings, coverage } = found([
    ...OURS,
    { path: 'b', label: { ...blue, address: 'cgroup/b' } },
    { path: 'b/c', label: { ...blue, address: 'container/c' }, pids: [50] },
    { path: 'd', label: { stack: 'other', address: 'cgroup/d' } },
  ]);
  assert.equal(tell(findings), [
    'foreign stack/s: cgroup/b and 1 more belong to stack s of installation blue',
    'foreign stack/s: cgroup/d belongs to stack other',
  ]);
  assert.equal(coverage, { cgroups: { managed: 3, total: 6 }, processes: { managed: 6, total: 8 } });
  const report = driftReport({
    plan: planOf('s', [], { unreadable: ['x'] }),
    findings,
    coverage,
    against: 'record',
    files: [],
    heal: null,
    now: NOW,
  });
  assert.equal(conditionsOf(report), {
    changed: 0,
    missing: 0,
    stopped: 0,
    supervision: 0,
    unexpected: 0,
    unlabelled: 0,
    foreign_owner: 2,
    opaque: 1,
  });
  assert.ok(report.items.every((i) => i.severity === 'security' && i.heal.action === 'by-hand'));
});

test('a share is never rounded up to all', () => {
  const of = (managed: number, total: number) => ({ cgroups: { managed, total }, processes: { managed: 0, total: 0 } });
  assert.is(ratioOf(of(0, 0)), 1);
  assert.is(percentText(of(9999, 10_000)), '99.9%');
  assert.is(percentText(of(3, 3)), '100%');
  const sum = sumOf([of(1, 2), null, of(2, 2)]);
  assert.is(sum === null ? '' : coverageText(sum), 'Coverage: 75.0% (3 of 4 cgroups, 0 of 0 processes).');
  assert.is(sumOf([null]), null);
});

test.run();
