/** Claims: whose an attribute is, what ignore_changes leaves to a manager, and how a conflict is told. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { driftRefusal } from '../../src/cli/on-drift.ts';
import { withClaims } from '../../src/planner/claims.ts';
import { diffAttributes } from '../../src/planner/diff.ts';
import { leaveIgnored } from '../../src/planner/lifecycle.ts';
import { CLAIMS_XATTR, claimedAttribute, fieldsBetween, parseClaims } from '../../src/resources/claims.ts';
import type { KernelReader } from '../../src/kernel/reader.ts';
import type { Declared, Observed } from '../../src/resources/kind.ts';
import type { Lifecycle } from '../../src/resources/lifecycle.ts';
import { kindOf } from '../../src/resources/registry.ts';
import type { StackScope } from '../../src/resources/scope.ts';
import { changeOf, drifted, planOf } from '../support/drift-example.ts';

const CGROUP = kindOf('cgroup/a').attributes;

test('what any program can write is read with care', () => {
  assert.equal(parseClaims('{"memory.max":"autoscaler","io.max.8:0":"scaler@host"}'), {
    'memory.max': 'autoscaler',
    'io.max.8:0': 'scaler@host',
  });
  for (const text of [
    '',
    '[]',
    '"x"',
    'null',
    '{"a":1}',
    '{"a":""}',
    '{"a":"b\\u001b[31m"}',
    `{"a":"${'x'.repeat(64)}"}`,
  ]) {
    assert.is(parseClaims(text), undefined, text);
  }
});

test('an attribute is claimed by its own name, a map by its entries too', () => {
  const claimed = (field: string): string | undefined => claimedAttribute(CGROUP, field);
  assert.is(claimed('memory.max'), 'memory.max');
  assert.is(claimed('io.max.8:0'), 'io.max');
  assert.is(claimed('cpu.max.burst'), 'cpu.max.burst', 'an attribute of its own, not an entry of cpu.max');
  for (const field of ['memory', 'memory.*', 'hierarchies', 'nothing', '__proto__']) {
    assert.is(claimed(field), undefined, field);
  }
  assert.is(claimedAttribute(kindOf('container/a').attributes, 'state'), undefined);
  assert.is(claimedAttribute(kindOf('container/a').attributes, 'log'), undefined, 'the kernel does not show it');
  const between = (before: Record<string, string>, after: Record<string, string>): string[] =>
    fieldsBetween({ 'io.max.8:0': 'throttler' }, CGROUP, 'io.max', before, after);
  assert.equal(between({ '8:0 rbps': '1' }, { '8:0 rbps': '2' }), ['io.max.8:0'], 'every limit of the device');
  assert.equal(between({ '8:0 rbps': '1', '8:16 rbps': '1' }, { '8:0 rbps': '1' }), [], "another is nobody else's");
});

const lifecycle = (ignoreChanges: Lifecycle['ignoreChanges']): Lifecycle => ({
  preventDestroy: undefined,
  ignoreChanges,
  createBeforeDestroy: false,
  replaceTriggeredBy: [],
});

const IO = { 'io.max': { '8:0 rbps': '1', '8:0 wbps': '1', '8:16 rbps': '1' } };
const LIVE_IO = { 'io.max': { '8:0 rbps': '2', '8:0 wbps': '2', '8:16 rbps': '2' } };

function left(
  rules: Lifecycle['ignoreChanges'],
  claims: Record<string, string>,
): { desired: unknown; ignored: unknown; causes: unknown } {
  const wanted: Declared = {
    address: 'cgroup/a',
    kind: 'cgroup',
    desired: { ...IO, 'memory.max': '100', 'pids.max': '5', 'cpu.max': '1 10', 'cpu.max.burst': '0' },
    needs: [],
    shares: [],
    waits: [],
    at: undefined,
    lifecycle: lifecycle(rules),
  };
  const live: Observed = {
    address: 'cgroup/a',
    exists: true,
    live: { ...LIVE_IO, 'memory.max': '200', 'pids.max': '6', 'cpu.max': '2 10', 'cpu.max.burst': '1' },
    applied: wanted.desired,
    extras: [],
    unreadable: [],
    facts: {},
  };
  const declared = new Map([['cgroup/a', wanted]]);
  const ignored = leaveIgnored(declared, new Map([['cgroup/a', live]]), new Map([['cgroup/a', claims]]));
  const kept = declared.get('cgroup/a') as Declared;
  return {
    causes: diffAttributes(CGROUP, kept, live).map((a) => [a.name, a.cause]),
    desired: kept.desired,
    ignored: (ignored.get('cgroup/a') ?? []).map((a) => [a.name, a.before, a.after, a.manager]),
  };
}

test('ignore_changes leaves to the managers it names what they have claimed, and nothing else', () => {
  const claims = { 'memory.max': 'autoscaler', 'cpu.max': 'autoscaler', 'pids.max': 'other' };
  const { causes: _, ...both } = left([{ manager: 'autoscaler' }], claims);
  assert.equal(both, {
    desired: { ...IO, 'memory.max': '200', 'pids.max': '5', 'cpu.max': '2 10', 'cpu.max.burst': '0' },
    ignored: [
      ['memory.max', '200', '100', 'autoscaler'],
      ['cpu.max', '2 10', '1 10', 'autoscaler'],
    ].sort(),
  });
  assert.equal(left([{ manager: 'oth*' }, 'memory'], claims).ignored, [
    ['memory.max', '200', '100', undefined],
    ['pids.max', '6', '5', 'other'],
  ]);
  assert.equal(left([{ manager: 'autoscaler' }], {}).ignored, []);
  const theirs = { '8:0 rbps': '2', '8:0 wbps': '2', '8:16 rbps': '1' };
  for (const device of [left(['io.max.8:0'], {}), left([{ manager: 'scaler' }], { 'io.max.8:0': 'scaler' })]) {
    assert.equal((device.desired as { 'io.max': unknown })['io.max'], theirs, 'of a device every limit');
  }
  assert.equal(left(['io', 'memory', 'cpu', 'pids'], {}).causes, []);
  const rest = left(['io.max.8:16', 'memory', 'cpu', 'pids'], {});
  assert.equal(rest.causes, [['io.max', 'drift']], 'the ignored part is no change of the file');
});

test('without the rule a change of a claimed attribute names its manager, and --on-drift fail takes nothing back', () => {
  const texts: Record<string, string> = { '/cg/tsbox/s/a': '{"memory.max":"autoscaler"}', '/cg/tsbox/s/b': 'nonsense' };
  const reader = {
    settings: { cgroupRoot: '/tsbox' },
    layout: { primary: { mount: '/cg' } },
    getXattrs: (paths: readonly string[], name: string) =>
      paths.map((p) => (name === CLAIMS_XATTR ? (texts[p] ?? -61) : -61)),
  } as unknown as KernelReader;
  const scope = {
    stack: 's',
    byAddress: new Map(['a', 'b', 'c'].map((path) => [`cgroup/${path}`, { path }])),
  } as unknown as StackScope;
  const changes = ['a', 'b', 'c'].map((name) =>
    changeOf(`cgroup/${name}`, { attributes: [{ ...drifted('memory.max', '100', '200'), cause: 'config' }] }),
  );
  const marked = withClaims(reader, scope, changes);
  assert.equal(
    marked.changes.map((c) => c.attributes.map((a) => [a.manager, a.claimed])),
    [[['autoscaler', ['memory.max']]], [[undefined, undefined]], [[undefined, undefined]]],
  );
  assert.equal(marked.warnings, [
    'cgroup/b: its trusted.tsbox.managers is not a map of attributes to managers and counts for nothing',
  ]);
  const refusal = driftRefusal(planOf('s', marked.changes));
  assert.is(refusal?.code, 'TSB3012');
  assert.match(refusal?.message ?? '', 'memory.max of cgroup/a is owned by autoscaler');
  assert.is(driftRefusal(planOf('s', marked.changes.slice(1))), undefined);
});

test.run();
