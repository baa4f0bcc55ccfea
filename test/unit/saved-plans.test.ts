/** What a saved plan is compared by: which facts moved, and whether what is left is a part of it. */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planKey } from '../../src/cli/plan-file/key.ts';
import type { Basis, BasisChange } from '../../src/planner/saved/basis.ts';
import { digested } from '../../src/planner/saved/digested.ts';
import { factsBeyond } from '../../src/planner/saved/subset.ts';
import type { AttributeChange } from '../../src/resources/kind.ts';
import type { KnobWrite, Step } from '../../src/resources/step.ts';

const attribute = (name: string, before: string, after: string): AttributeChange => ({
  name,
  before,
  after,
  applied: before,
  cause: 'config',
  mode: 'in-place',
  reason: undefined,
});

const write = (attribute: string, data: string): KnobWrite => ({ attribute, file: attribute, data }) as KnobWrite;
const writes = (...of: KnobWrite[]): Step => ({ op: 'cgroup-write', path: 'web', controller: 'memory', writes: of });
const record: Step = { op: 'label', path: 'web', label: { address: 'container/web', applied: { x: '1' } } };

function change(more: Partial<BasisChange> = {}): BasisChange {
  return {
    address: 'container/web',
    action: 'update',
    missing: false,
    attributes: [attribute('memory.high', '1', '2'), attribute('memory.max', '3', '4')],
    extras: [],
    reasons: [],
    facts: { pid: '42' },
    inode: 7,
    steps: [writes(write('memory.high', '2'), write('memory.max', '4')), record],
    lateSteps: [],
    after: ['cgroup/tenants'],
    lateAfter: [],
    rollout: null,
    blocked: null,
    ...more,
  };
}

const basis = (...changes: BasisChange[]): Basis => ({
  stack: 's',
  complete: true,
  declared: ['container/web'],
  unchanged: [],
  changes,
});

/** What is told of two plans with one change each, in one line. */
const beyond = (approved: Partial<BasisChange>, now: Partial<BasisChange>): string =>
  factsBeyond(basis(change(approved)), basis(change(now)))
    .map((m) => `${m.what} ${JSON.stringify(m.planned)} -> ${JSON.stringify(m.now)}`)
    .join('; ');

const part: Partial<BasisChange> = {
  attributes: [attribute('memory.max', '3', '4')],
  steps: [writes(write('memory.max', '4')), record],
  after: [],
};

test('less is left of it: nothing, a part of an update, only the record', () => {
  assert.equal(factsBeyond(basis(change()), basis(change())), []);
  assert.equal(factsBeyond(basis(change()), basis()), []);
  assert.is(beyond({}, part), '');
  assert.is(beyond({}, { action: 'no-op', attributes: [], steps: [record] }), '');
  const removal: Partial<BasisChange> = { action: 'delete', steps: [{ op: 'cgroup-remove', path: 'web', kill: true }] };
  assert.equal(
    factsBeyond(basis(change(removal), change({ address: 'container/b' })), basis(change({ address: 'container/b' }))),
    [],
  );
  const restart: Partial<BasisChange> = {
    action: 'restart',
    steps: [{ op: 'stop', path: 'web' }, ...(change().steps as Step[]), { op: 'start', container: 'web' }],
  };
  assert.is(beyond(restart, { ...part, action: 'update' }), '', 'what made it restart is there already');
  const evicted = (...pids: number[]): Partial<BasisChange> => ({
    extras: pids.map((p) => `process ${p}`),
    steps: [{ op: 'evict', path: 'web', pids }, record],
  });
  assert.is(beyond(evicted(4, 5), evicted(5)), '');
});

test('more, stronger, other and out of order are told by the fact that moved', () => {
  const more = factsBeyond(basis(change()), basis(change(), change({ address: 'container/b' })));
  assert.equal(
    more.map((m) => m.address),
    Array(more.length).fill('container/b'),
  );
  assert.ok(more.length > 0);
  const lower = { attributes: [attribute('memory.high', '1', '2'), attribute('memory.max', '9', '4')] };
  assert.is(beyond({}, lower), 'memory.max "3" -> "9"');
  assert.is(beyond(part, {}), 'memory.high "2" -> "1"', 'what was as declared is not any more');
  assert.is(beyond({}, { facts: { pid: '43' } }), 'pid "42" -> "43"');
  assert.is(beyond({}, { inode: 8 }), 'inode "7" -> "8"');
  assert.is(beyond({}, { extras: ['process 5'] }), 'unmanaged [] -> ["process 5"]');
  assert.is(beyond({}, { action: 'restart' }), 'action "update" -> "restart"');
  assert.match(beyond({}, { steps: [...change().steps, { op: 'start', container: 'web' }] }), 'steps');
  assert.match(beyond({}, { steps: [...change().steps].reverse() }), 'steps');
  assert.match(beyond({}, { steps: [writes(write('memory.max', '5')), record] }), 'steps');
  assert.match(beyond({}, { after: ['cgroup/tenants', 'container/b'] }), 'details');
  assert.match(
    beyond({ action: 'create', missing: true }, { action: 'update' }),
    'existence "does not exist" -> "exists"',
  );
  const turns = (atOnce: number): Partial<BasisChange> => ({
    rollout: { container: 'container/web', atOnce, onFailure: 'pause', after: [] },
  });
  assert.match(beyond(turns(1), turns(2)), 'details');
  const declared = { ...basis(), declared: ['container/b'] };
  assert.is(factsBeyond(basis(), declared)[0]?.what, 'resources');
});

test('a secret is kept as a digest of itself beside what is shown', () => {
  const whole = { a: ['x', 'token-1'], 'key-token-1': 1, none: undefined, same: { b: 'c' } };
  const shown = { a: ['x', '(sensitive value #2)'], 'key-(sensitive value #2)': 1, same: { b: 'c' } };
  assert.equal(
    digested<unknown>(shown, whole, (text) => `<${text.length}>`),
    { a: ['x', '(sensitive value) [<7>]'], 'key-(sensitive value) [<11>]': 1, same: { b: 'c' } },
  );
  const one = digested<Record<string, unknown>>({ '(s)': 1 }, { a: 1, b: 1 }, () => '0');
  assert.equal(one, { '(s)': 1, '[0]': true });
});

test('the key is made once, whole, and for its owner alone', () => {
  const dir = mkdtempSync(join(tmpdir(), 'tsbox-key-'));
  try {
    const state = join(dir, 'state');
    assert.is(planKey(state, false), undefined);
    const [first, second] = [planKey(state, true), planKey(state, true)];
    assert.is(first?.mark('x', 'y'), second?.mark('x', 'y'));
    assert.equal(readdirSync(state), ['plan.key']);
    assert.is(statSync(join(state, 'plan.key')).mode & 0o777, 0o600);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test.run();
