/** The parts of watch that decide: how long a fight waits, what the metrics say, where it may listen, what is kept. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Backoff } from '../../src/cli/watch/backoff.ts';
import { illness, metricsText, NO_COUNTS, type StackMetrics } from '../../src/cli/watch/metrics.ts';
import { parseListen } from '../../src/cli/daemon/serve.ts';
import { lastOfEach } from '../../src/cli/watch/writers.ts';
import { lastWriters } from '../../src/report/drift/writers.ts';

test('the first healing is at once, the next wait 2 s, three times as long each, 300 s at most', () => {
  const backoff = new Backoff();
  let now = 1_000_000;
  assert.is(backoff.due('x', now), now);
  const delays: number[] = [];
  for (let i = 0; i < 7; i++) {
    delays.push(backoff.healed('x', now).delay);
    now = backoff.due('x', now);
  }
  assert.equal(delays, [2000, 6000, 18_000, 54_000, 162_000, 300_000, 300_000]);
  assert.is(backoff.due('y', now), now, 'another item is not held back');
  assert.is(backoff.healed('x', now + 700_000).times, 1, 'after a long calm it is a new drift');
});

const stack = (more: Partial<StackMetrics>): StackMetrics => ({
  stack: 'a',
  sync: 'synced',
  health: 'healthy',
  fields: { security: 0, capacity: 0, cosmetic: 0 },
  lastCheck: 10_000,
  checkMs: 20,
  ...more,
});

test('metrics: every series, zero ones too, with escaped labels', () => {
  const text = metricsText(
    [stack({ stack: 'a"\\b', sync: 'drifted', fields: { security: 2, capacity: 0, cosmetic: 0 } })],
    {
      ...NO_COUNTS,
      healed: 3,
      errors: 1,
    },
  );
  assert.match(text, /^tsbox_stack_info\{stack="a\\"\\\\b",sync="drifted",health="healthy"\} 1$/m);
  assert.match(text, /^tsbox_drift_fields\{stack="a\\"\\\\b",severity="security"\} 2$/m);
  assert.match(text, /^tsbox_drift_fields\{stack="a\\"\\\\b",severity="capacity"\} 0$/m);
  assert.match(text, /^tsbox_heal_total\{result="healed"\} 3$/m);
  assert.match(text, /^tsbox_heal_total\{result="failed"\} 0$/m);
  assert.match(text, /^tsbox_apply_total\{result="applied"\} 3$/m);
  assert.match(text, /^tsbox_apply_total\{result="locked"\} 0$/m);
  assert.match(text, /^tsbox_watch_errors_total 1$/m);
  const names = [...text.matchAll(/^(\w+)[ {]/gm)].map((m) => m[1]);
  for (const name of new Set(names)) {
    assert.match(text, new RegExp(`^# TYPE ${name} (gauge|counter)$`, 'm'));
  }
});

test('well while every stack is read in time', () => {
  assert.is(illness([stack({})], 20_000, 60_000), undefined);
  assert.match(illness([stack({})], 10_000 + 3 * 60_000 + 10_001, 60_000) ?? '', /not read in time: a/);
  assert.match(illness([stack({ lastCheck: undefined })], 0, 60_000) ?? '', /a/);
});

test('it listens on the loopback or a socket, elsewhere only when told to', () => {
  assert.equal(parseListen('127.0.0.1:9180', false), { host: '127.0.0.1', port: 9180 });
  assert.equal(parseListen('localhost:80', false), { host: '127.0.0.1', port: 80 });
  assert.equal(parseListen('[::1]:9180', false), { host: '::1', port: 9180 });
  assert.equal(parseListen('unix:/run/x.sock', false), { path: '/run/x.sock' });
  for (const text of ['0.0.0.0:9180', '[::]:9180', '10.0.0.1:9180', '[::ffff:127.0.0.1]:9180']) {
    assert.throws(() => parseListen(text, false), /can be reached by others/);
    assert.ok(parseListen(text, true));
  }
  for (const text of ['9180', 'example.org:80', 'unix:relative', '127.0.0.1:99999', '127.1.1:80', '']) {
    assert.throws(() => parseListen(text, true), /--listen takes/);
  }
});

test('of the writers the last of each path stay, in their order, and what is no record goes', () => {
  const line = (path: string, pid: number): string =>
    JSON.stringify({ time: '2026-01-01T00:00:00Z', path, pid, comm: null, exe: null, cgroup: null, gone: true });
  const lines = [...[1, 2, 3, 4, 5].map((pid) => line('/a', pid)), 'half a li', line('/b"', 9)];
  const kept = lastOfEach(lines);
  assert.equal(
    kept.map((l) => (JSON.parse(l) as { pid: number }).pid),
    [3, 4, 5, 9],
  );
  assert.is(lastWriters(kept.join('\n')).get('/b"')?.pid, 9);
});

test.run();
