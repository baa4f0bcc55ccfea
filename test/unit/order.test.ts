/** The order of changes, and what labels that need each other do to it. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Split } from '../../src/planner/freezing.ts';
import { orderChanges } from '../../src/planner/order.ts';
import type { Label } from '../../src/resources/label.ts';
import { lastOf, stepCount, turnsOf } from '../../src/resources/step-order.ts';
import type { StackScope } from '../../src/resources/scope.ts';

function removal(address: string): Split {
  return {
    address,
    kind: 'container',
    action: 'delete',
    missing: false,
    attributes: [],
    extras: [],
    reasons: [],
    unreadable: [],
    facts: {},
    at: undefined,
    refresh: false,
    steps: [{ op: 'stop', path: address }],
    lateSteps: [],
    startsBelow: [],
  };
}

function scope(needs: Readonly<Record<string, readonly string[]>>): StackScope {
  const entries = Object.entries(needs).map(([address, list], i) => {
    const label: Label = { v: 1, stack: 's', address, ino: i, applied: {}, needs: list };
    return [address, { path: address, ino: i, label, run: undefined }] as const;
  });
  return {
    stack: 's',
    directory: '/s',
    exists: true,
    entries: new Map(),
    byAddress: new Map(entries),
    namespaces: new Map(),
    foreign: [],
    known: new Set(),
    blind: false,
    unreadable: [],
  };
}

function removed(needs: Readonly<Record<string, readonly string[]>>): Array<[string, readonly string[]]> {
  const drafts = new Map(Object.keys(needs).map((a) => [a, removal(a)]));
  return orderChanges(drafts, new Map(), scope(needs)).map((c) => [c.address, c.after]);
}

test('what rests on something goes before it', () => {
  assert.equal(removed({ 'container/db': [], 'container/web': ['container/db'] }), [
    ['container/web', []],
    ['container/db', ['container/web']],
  ]);
});

test('labels that need each other in a circle can be removed', () => {
  const order = removed({
    'container/a': ['container/b'],
    'container/b': ['container/c'],
    'container/c': ['container/a'],
  });
  assert.is(order.length, 3);
  const place = new Map(order.map(([address], i) => [address, i]));
  for (const [address, after] of order) {
    assert.ok(after.every((a) => (place.get(a) ?? 9) < (place.get(address) ?? -1)));
  }
  assert.is(order.flatMap(([, after]) => after).length, 2, 'one need is dropped');
});

test('steps have the numbers in which they come one at a time, late ones after what they wait for', () => {
  const change = (address: string, more: object): Parameters<typeof turnsOf>[0][number] => ({
    address,
    steps: [
      { op: 'stop', path: address },
      { op: 'start', container: address },
    ],
    lateSteps: [],
    after: [],
    lateAfter: [],
    ...more,
  });
  const changes = [
    change('cgroup/t', { lateSteps: [{ op: 'freeze', path: 't', frozen: true }], lateAfter: ['container/a', 'none'] }),
    change('cgroup/still', { steps: [] }),
    change('container/b', { after: ['container/a', 'container/a', 'cgroup/still'] }),
    change('container/a', { after: ['cgroup/t'] }),
  ];
  assert.equal(
    turnsOf(changes).map((t) => [t.key, t.first, lastOf(t), t.waitsFor.join()]),
    [
      ['cgroup/t', 1, 2, ''],
      ['container/a', 3, 4, 'cgroup/t'],
      ['cgroup/t#late', 5, 5, 'cgroup/t,container/a'],
      ['container/b', 6, 7, 'container/a'],
    ],
  );
  assert.is(stepCount(changes), 7);
});

test.run();
