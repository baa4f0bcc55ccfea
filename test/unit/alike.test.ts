/** Folding what replicas say into one, and only what is the same but for their numbers. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { folded, foldOf, foldText, indexRanges } from '../../src/report/alike.ts';

function fold(texts: Readonly<Record<number, string>>): string | undefined {
  let all: ReturnType<typeof folded>;
  for (const [index, text] of Object.entries(texts)) {
    all = all === undefined ? foldOf(Number(index), text) : folded(all, Number(index), text);
    if (all === undefined) {
      return undefined;
    }
  }
  return all === undefined ? undefined : foldText(all);
}

test('own numbers are folded, others stay', () => {
  assert.is(fold({ 0: 'user 0:0', 1: 'user 0:0', 2: 'user 0:0' }), 'user 0:0');
  assert.is(fold({ 0: 'web-0 port 80', 1: 'web-1 port 80' }), 'web-${index} port 80');
  assert.is(fold({ 9: 'web-9', 10: 'web-10', 11: 'web-11' }), 'web-${index}');
  assert.is(fold({ 3: 'alone 3' }), 'alone 3');
});

test('what differs otherwise is not folded', () => {
  assert.is(fold({ 0: 'a', 1: 'b' }), undefined);
  assert.is(fold({ 0: 'port 80', 1: 'port 81' }), undefined);
  assert.is(fold({ 0: 'x 1', 1: 'x 1', 2: 'x 2' }), undefined, 'a number that happens to be its own');
  assert.is(fold({ 1: 'x 1', 2: 'x 2', 3: 'x 2' }), undefined);
  assert.is(fold({ 1: 'x 1', 2: 'x 2 2' }), undefined);
});

test('ranges', () => {
  assert.is(indexRanges([0]), '0');
  assert.is(indexRanges([5, 4, 3, 1, 0]), '0..1,3..5');
});

test.run();
