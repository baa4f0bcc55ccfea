/** What planning makes of import, moved and removed. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { importSteps } from '../../src/planner/transfers.ts';
import type { Draft } from '../../src/planner/cascade.ts';
import type { Declared } from '../../src/resources/kind.ts';
import type { Lifecycle } from '../../src/resources/lifecycle.ts';

const lifecycle = (preventDestroy?: boolean): Lifecycle => ({
  preventDestroy,
  ignoreChanges: [],
  createBeforeDestroy: false,
  replaceTriggeredBy: [],
});

test('a namespace that is imported has the protection that is declared, or the one it had', () => {
  const address = 'namespace/front';
  const draft = { address, importing: { id: 'pid:1' } } as unknown as Draft;
  const protects = (declared: Lifecycle | undefined, was?: boolean): boolean | undefined => {
    const wanted = { address, desired: { type: 'net' }, lifecycle: declared } as unknown as Declared;
    const [first] = importSteps(draft, wanted, was);
    return first?.op === 'namespace-import' ? first.protect : undefined;
  };
  assert.is(protects(lifecycle(true)), true);
  assert.is(protects(lifecycle(false), true), undefined);
  assert.is(protects(undefined), undefined);
  assert.is(protects(undefined, true), true);
});

test.run();
