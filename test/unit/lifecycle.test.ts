/** The order in which containers stop and start, from what their labels say. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startOrder, stopOrder } from '../../src/executor/lifecycle.ts';
import type { ScopeEntry } from '../../src/resources/scope.ts';

function member(name: string, ...needs: string[]): { address: string; entry: ScopeEntry } {
  const label = { v: 1, stack: 's', address: name, ino: 1, applied: null, needs };
  return { address: name, entry: { path: name, ino: 1, label, run: undefined } };
}

const names = (groups: ReadonlyArray<ReadonlyArray<{ address: string }>>): string[][] =>
  groups.map((g) => g.map((m) => m.address));

test('whoever depends on another stops before it, equals side by side', () => {
  const members = [member('db'), member('web', 'db', 'cgroup'), member('proxy', 'web'), member('side', 'db')];
  assert.equal(names(stopOrder(members)), [['proxy', 'side'], ['web'], ['db']]);
  assert.equal(names(startOrder(members)), [['db'], ['web'], ['proxy', 'side']]);
});

test('only the order among those that are there counts', () => {
  assert.equal(names(stopOrder([member('a', 'gone'), member('b')])), [['a', 'b']]);
  assert.equal(stopOrder([]), []);
});

test('a circle of old labels ends all the same', () => {
  const groups = stopOrder([member('a', 'b'), member('b', 'a'), member('c', 'a')]);
  assert.equal(names(groups), [['c'], ['a', 'b']]);
});

test.run();
