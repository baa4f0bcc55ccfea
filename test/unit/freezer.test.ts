/** Ends below a frozen v1 cgroup that run side by side, and a thaw or a freeze of the same apply among them. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { executionContext, type ExecutionContext } from '../../src/executor/context.ts';
import { setFrozen, thawedAbove } from '../../src/executor/steps/freezer.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';

const GROUP = '/freezer/tsbox/s/group';

/** A v1 machine whose freezer is one file. */
function machine(frozen: boolean): { context: ExecutionContext; state: () => string } {
  const files = new Map([[GROUP, frozen]]);
  const hierarchy = { name: 'freezer', mount: '/freezer', version: 1, controllers: ['freezer'] };
  const set = (path: string, data: string): void => {
    assert.is(path, `${GROUP}/freezer.state`);
    files.set(GROUP, data === 'FROZEN');
  };
  const kernel = {
    layout: { primary: hierarchy, hierarchies: [hierarchy], byController: new Map([['freezer', hierarchy]]) },
    settings: { cgroupRoot: '/tsbox' },
    readFiles: (paths: readonly string[]) =>
      paths.map((p) => (files.get(p.replace('/freezer.self_freezing', '')) === true ? '1\n' : '0\n')),
    tryWrite: (path: string, data: string) => {
      set(path, data);
      return 0;
    },
    write: (all: ReadonlyArray<{ path: string; data: string }>) => all.forEach(({ path, data }) => set(path, data)),
    waitFile: () => Promise.resolve(files.get(GROUP)),
  };
  const context = executionContext(kernel as unknown as Kernel, 's', undefined);
  return { context, state: () => (files.get(GROUP) === true ? 'FROZEN' : 'THAWED') };
}

/** An end below the group that goes on until it is let go. */
function ending(context: ExecutionContext, path: string): { done: Promise<void>; go: () => void } {
  let go = (): void => undefined;
  const waits = new Promise<void>((resolve) => (go = resolve));
  return { done: thawedAbove(context, path, () => waits), go };
}

const freeze = (context: ExecutionContext, frozen: boolean): Promise<void> =>
  setFrozen(context, { op: 'freeze', path: 'group', frozen });

test('the last of several ends freezes again, not the first', async () => {
  const { context, state } = machine(true);
  const [a, b] = [ending(context, 'group/a'), ending(context, 'group/b')];
  assert.is(state(), 'THAWED');
  a.go();
  await a.done;
  assert.is(state(), 'THAWED', 'the other is not done');
  b.go();
  await b.done;
  assert.is(state(), 'FROZEN');
});

test('what is thawed for good meanwhile is not frozen again', async () => {
  const { context, state } = machine(true);
  const a = ending(context, 'group/a');
  await freeze(context, false);
  a.go();
  await a.done;
  assert.is(state(), 'THAWED');
});

test('a freeze waits until what is ending below has ended', async () => {
  const { context, state } = machine(true);
  const a = ending(context, 'group/a');
  const frozen = freeze(context, true);
  await Promise.resolve();
  assert.is(state(), 'THAWED');
  a.go();
  await Promise.all([a.done, frozen]);
  assert.is(state(), 'FROZEN');
});

test('what was not frozen stays so, also when the end fails', async () => {
  const thawed = machine(false);
  const quiet = ending(thawed.context, 'group/a');
  quiet.go();
  await quiet.done;
  assert.is(thawed.state(), 'THAWED');
  const frozen = machine(true);
  const failed = thawedAbove(frozen.context, 'group/a', () => Promise.reject(new Error('no')));
  await failed.catch(() => undefined);
  assert.is(frozen.state(), 'FROZEN');
});

test.run();
