/** The three-way truth table, and what a plan makes of it. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { diffAttributes, recordStale } from '../../src/planner/diff.ts';
import { attributeTable, type Value } from '../../src/resources/attribute.ts';
import type { Declared, Observed } from '../../src/resources/kind.ts';

const table = attributeTable([
  { name: 'limit', change: 'in-place', observed: 'live', default: 'max', doc: '', source: '' },
  { name: 'set', change: 'replace', reason: 'so it is', list: 'set', observed: 'live', doc: '', source: '' },
  {
    name: 'most',
    change: 'replace',
    list: 'set',
    observed: 'live',
    doc: '',
    source: '',
    satisfied: (d, k) => Array.isArray(d) && Array.isArray(k) && k.every((x) => d.includes(x)),
  },
  { name: 'named', change: 'in-place', observed: 'live', entries: 'named', doc: '', source: '' },
  { name: 'whole', change: 'in-place', observed: 'live', doc: '', source: '' },
]);

function declared(desired: Record<string, Value>): Declared {
  return { address: 'x/y', kind: 'x', desired, needs: [], shares: [], waits: [], at: undefined };
}

function observed(live: Record<string, Value | undefined>, applied: Record<string, Value> | null): Observed {
  return { address: 'x/y', exists: true, live, applied, extras: [], unreadable: [], facts: {} };
}

/** D, A, K and the cause that follows; undefined for no change. */
const ROWS: ReadonlyArray<readonly [string | undefined, string | undefined, string | undefined, string | undefined]> = [
  ['1', '1', '1', undefined],
  ['2', '1', '1', 'config'],
  ['1', '1', '2', 'drift'],
  ['2', '1', '2', undefined], // converged outside: only the record lags
  ['2', '1', '3', 'both'],
  ['1', undefined, '2', 'config'], // newly declared
  [undefined, '1', '1', 'config'], // dropped: back to the default
  [undefined, '1', 'max', undefined], // dropped, and already there
  [undefined, undefined, '5', undefined], // not ours
  ['1', '1', undefined, 'drift'], // gone
];

for (const [d, a, k, cause] of ROWS) {
  test(`declared ${d ?? '-'}, last applied ${a ?? '-'}, live ${k ?? '-'}: ${cause ?? 'nothing'}`, () => {
    const changes = diffAttributes(
      table,
      declared(d === undefined ? {} : { limit: d }),
      observed({ limit: k }, a === undefined ? {} : { limit: a }),
    );
    assert.equal(
      changes.map((c) => c.cause),
      cause === undefined ? [] : [cause],
    );
  });
}

test('sets ignore order, and an allowance may be used in part', () => {
  const want = declared({ set: ['a', 'b'], most: ['a', 'b'] });
  assert.equal(
    diffAttributes(table, want, observed({ set: ['b', 'a'], most: ['a'] }, { set: ['a', 'b'], most: ['a', 'b'] })),
    [],
  );
  const more = diffAttributes(
    table,
    want,
    observed({ set: ['a'], most: ['a', 'c'] }, { set: ['a', 'b'], most: ['a', 'b'] }),
  );
  assert.equal(
    more.map((c) => [c.name, c.mode, c.cause]),
    [
      ['set', 'replace', 'drift'],
      ['most', 'replace', 'drift'],
    ],
  );
});

test('an entry that the file has gained was there before, unless every entry is always read', () => {
  const [before, after] = [
    { a: '1', b: '0' },
    { a: '1', b: '2' },
  ];
  const causes = (live: Value): unknown =>
    diffAttributes(
      table,
      declared({ named: after, whole: after }),
      observed({ named: live, whole: live }, { named: { a: '1' }, whole: { a: '1' } }),
    ).map((c) => [c.name, c.cause]);
  assert.equal(causes(before), [
    ['named', 'config'],
    ['whole', 'both'],
  ]);
  // What was applied and is another by now is drift still, and so is what is gone.
  for (const live of [{ a: '3', b: '0' }, { b: '0' }]) {
    assert.equal(causes(live), [
      ['named', 'both'],
      ['whole', 'both'],
    ]);
  }
});

test('what cannot be read is not compared', () => {
  const blind = { ...observed({ limit: undefined }, { limit: '1' }), unreadable: ['limit'] };
  assert.equal(diffAttributes(table, declared({ limit: '1' }), blind), []);
});

test('a record that lags is noticed', () => {
  assert.ok(recordStale(table, declared({ limit: '2' }), observed({ limit: '2' }, { limit: '1' })));
  assert.ok(recordStale(table, declared({ limit: '2' }), observed({ limit: '2' }, null)));
  assert.not.ok(recordStale(table, declared({ limit: '2' }), observed({ limit: '2' }, { limit: '2' })));
});

test.run();
