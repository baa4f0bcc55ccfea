/** The parts of reconcile that decide: windows, policies, sources, what is kept of a status. */
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Counts, reconcileIllness, reconcileMetrics } from '../../src/cli/reconcile/metrics.ts';
import { objection, planDigest, refusal } from '../../src/cli/reconcile/policy.ts';
import { readStatus, writeStatus } from '../../src/cli/reconcile/status.ts';
import { stacksOf } from '../../src/cli/reconcile/tree.ts';
import { closedBy, isOpen, parseWindow } from '../../src/cli/reconcile/windows.ts';
import type { TsboxError } from '../../src/errors.ts';
import { gitSource, withoutUser } from '../../src/kernel/git.ts';
import type { Action, Plan, PlannedChange } from '../../src/planner/plan.ts';
import type { Stack } from '../../src/stack/types.ts';

const at = (text: string): Date => new Date(text);

test('a window is open from its minute on for as long as it lasts, over midnight too', () => {
  const night = parseWindow('allow 0 22 * * * 4h');
  // Local times, as cron has them.
  assert.ok(isOpen(night, at('2026-03-03T22:00:00')));
  assert.ok(isOpen(night, at('2026-03-04T01:59:59')));
  assert.not.ok(isOpen(night, at('2026-03-04T02:00:00')));
  assert.not.ok(isOpen(night, at('2026-03-03T21:59:59')));
});

test('lists, ranges, steps, Sunday twice, and one of two days is enough', () => {
  const w = parseWindow('0,30 8-10/2 * * 7 10m');
  assert.ok(isOpen(w, at('2026-03-01T10:35:00')), 'a Sunday');
  assert.not.ok(isOpen(w, at('2026-03-01T09:35:00')), 'an hour between the steps');
  assert.not.ok(isOpen(w, at('2026-03-02T10:35:00')), 'a Monday');
  const either = parseWindow('0 0 13 * 5 24h');
  assert.ok(isOpen(either, at('2026-03-13T12:00:00')), 'Friday the 13th');
  assert.ok(isOpen(either, at('2026-03-06T12:00:00')), 'a Friday');
  assert.ok(isOpen(either, at('2026-04-13T12:00:00')), 'a 13th');
  const both = parseWindow('0 0 */2 * 5 24h');
  assert.ok(isOpen(both, at('2026-03-13T12:00:00')), 'a Friday that the steps meet');
  assert.not.ok(isOpen(both, at('2026-03-06T12:00:00')), 'a Friday that they do not');
  assert.not.ok(isOpen(both, at('2026-03-05T12:00:00')), 'no Friday');
});

test('deny wins; without any window it is open; with allows one must be', () => {
  const noon = at('2026-03-03T12:00:00');
  const allow = parseWindow('0 8 * * * 10h');
  const deny = parseWindow('deny 0 12 * * * 1h');
  assert.is(closedBy([], noon), undefined);
  assert.is(closedBy([allow], noon), undefined);
  assert.match(closedBy([allow, deny], noon) ?? '', /denies/);
  assert.is(closedBy([deny], at('2026-03-03T14:00:00')), undefined);
  assert.match(closedBy([allow, deny], at('2026-03-03T20:00:00')) ?? '', /outside of/);
});

test('a wrong window says what is wrong with it', () => {
  for (const [text, why] of [
    ['0 8 * * *', /fields where 6 belong/],
    ['60 8 * * * 1h', /'60' is not a list of numbers from 0 to 59/],
    ['0 8 0 * * 1h', /from 1 to 31/],
    ['0 8 * * * 30s', /from 1m to 7d/],
    ['0 8 * * * soon', /soon/],
    ['0 9-8 * * * 1h', /9-8/],
    ['0 */0 * * * 1h', /\*\/0/],
  ] as const) {
    assert.throws(
      () => parseWindow(text),
      (e: Error) => why.test(e.message),
    );
  }
  assert.throws(
    () => parseWindow('0 8 * * *'),
    (e: TsboxError) => e.info.expected !== undefined && e.info.hint === undefined,
  );
});

const plan = (...actions: Action[]): Plan => ({
  stack: 's',
  changes: actions.map(
    (action, i) => ({ address: `cgroup/${i}`, action, attributes: [], extras: [] }) as unknown as PlannedChange,
  ),
  complete: true,
  declared: [],
  warnings: [],
  unreadable: [],
});

const mark = (text: string): string => createHmac('sha256', 'a key').update(text).digest('hex');

test('policies', () => {
  assert.is(objection('auto', plan('delete', 'replace')), undefined);
  assert.is(objection('in-place', plan('create', 'update', 'no-op')), undefined);
  for (const hard of ['restart', 'replace', 'delete'] as const) {
    assert.match(objection('in-place', plan('update', hard)) ?? '', /not in place: cgroup\/1/);
  }
  assert.is(objection('approved', plan('no-op')), undefined);
  assert.match(objection('approved', plan('create')) ?? '', /waits for approval/);
  assert.is(planDigest([plan('create', 'no-op')], mark), planDigest([plan('create')], mark));
  assert.is.not(planDigest([plan('create')], mark), planDigest([plan('replace')], mark));
});

test('the plan under the lock is held against the policy, and an approval is for the plan that was shown', () => {
  const shown = plan('update', 'replace');
  const approved = new Map([['s', planDigest([shown], mark)]]);
  assert.is(refusal('in-place', new Map(), plan('update'), mark), undefined);
  assert.match(refusal('in-place', new Map(), shown, mark) ?? '', /^not in place: cgroup\/1/);
  for (const policy of ['in-place', 'approved'] as const) {
    assert.is(refusal(policy, approved, shown, mark), undefined);
    assert.match(
      refusal(policy, approved, plan('update', 'delete'), mark) ?? '',
      /^it is no longer what was approved: /,
    );
  }
  assert.is(refusal('approved', approved, plan('no-op'), mark), undefined, 'what somebody else has done since');
  const extra = { what: 'process', text: 'process 4711 (sleep)', steps: [] } as const;
  const more = { ...shown, changes: shown.changes.map((c) => ({ ...c, extras: [extra] })) };
  assert.match(refusal('approved', approved, more, mark) ?? '', /no longer/);
});

test('sources: transports that run programs or are not safe are refused, tokens are not shown', () => {
  for (const text of ['ext::sh -c id', 'git://x/y', 'http://x/y', '--upload-pack=id', 'ftp://x']) {
    assert.throws(() => gitSource(text), /--git takes/);
  }
  assert.is(gitSource('https://h/x.git'), 'https://h/x.git');
  assert.is(gitSource('git@h:x.git'), 'git@h:x.git');
  assert.throws(() => gitSource('/nowhere/at/all'), /not there/);
  assert.is(withoutUser('https://me:token@h/x.git'), 'https://h/x.git');
});

test('a status is kept whole, and one of another source or half a file is none', () => {
  const dir = mkdtempSync(join(tmpdir(), 'tsbox-status-'));
  const path = join(dir, 'status.json');
  const status = readStatus(path, 's');
  status.good = { commit: 'c', at: 'now' };
  writeStatus(path, status, 0o600);
  assert.equal(readStatus(path, 's'), status);
  assert.is(readStatus(path, 'other').good, null);
  writeFileSync(path, '{"v":1,"sou');
  assert.is(readStatus(path, 's').good, null);
  rmSync(dir, { recursive: true });
});

test('metrics of a source: every result, zero ones too, and no token', () => {
  const status = readStatus('/nowhere', withoutUser('https://me:token@h/x.git'));
  status.seen = 'c2';
  status.good = { commit: 'c1', at: 'now' };
  status.attempt = { commit: 'c2', at: 'now', result: 'failed', reason: 'x' };
  status.drift = 3;
  const counts = new Counts();
  counts.attempt('failed');
  counts.attempt('failed');
  counts.round(Date.now(), true);
  const text = reconcileMetrics(status, [{ stack: 'a', sync: 'drifted', health: 'degraded' }], counts, true);
  assert.match(text, /^tsbox_stack_info\{stack="a",sync="drifted",health="degraded"\} 1$/m);
  assert.match(
    text,
    /^tsbox_reconcile_info\{source="https:\/\/h\/x.git",branch="",revision="c2",result="failed",health="unknown"\} 1$/m,
  );
  assert.match(text, /^tsbox_reconcile_in_sync\{.*\} 0$/m);
  assert.match(text, /^tsbox_reconcile_suspended\{.*\} 1$/m);
  assert.match(text, /^tsbox_reconcile_drift_items\{.*\} 3$/m);
  assert.match(text, /^tsbox_reconcile_attempts_total\{.*result="failed"\} 2$/m);
  assert.match(text, /^tsbox_reconcile_attempts_total\{.*result="applied"\} 0$/m);
  assert.match(text, /^tsbox_reconcile_rounds_total\{.*result="error"\} 1$/m);
  assert.not.match(text, 'token');
  status.good = { commit: 'c2', at: 'now' };
  assert.match(reconcileMetrics(status, [], counts, false), /^tsbox_reconcile_in_sync\{.*\} 1$/m);
});

test('it is well while rounds come to their end', () => {
  const counts = new Counts();
  assert.is(reconcileIllness(counts, 0, 30_000, 10_000, 5000), undefined);
  assert.is(reconcileIllness(counts, 0, 60_000, 10_000, 5000), 'no round came to its end for 60 s');
  counts.round(0, false);
  assert.is(reconcileIllness(counts, 0, Date.now(), 10_000, 5000), undefined);
});

test('the last stack takes its directory out of git: that is empty where a revision may be', async () => {
  const tree = mkdtempSync(join(tmpdir(), 'tsbox-tree-'));
  const load = (file: string): Promise<Stack> => Promise.reject(new Error(file));
  const of = (directory: string, gone?: 'empty'): Promise<string> =>
    stacksOf(tree, directory, load, gone).then(
      (stacks) => String(stacks.length),
      (error: unknown) => (error as Error).message,
    );
  try {
    writeFileSync(join(tree, 'file'), '');
    assert.is(await of('prod'), 'the revision has no directory prod');
    assert.is(await of('prod', 'empty'), '0');
    assert.is(await of('file', 'empty'), 'the revision has no directory file');
  } finally {
    rmSync(tree, { recursive: true });
  }
});

test.run();
