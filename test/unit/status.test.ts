/** What ps says of a container. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ageText, statusText } from '../../src/cli/status.ts';

const NOW = 1_000_000_000;
const text = (facts: Partial<Parameters<typeof statusText>[0]>): string =>
  statusText(
    { state: 'running', alive: true, restarts: 0, sinceMs: NOW - 180_000, health: null, frozen: false, ...facts },
    NOW,
  );

test('what runs, since when, and how it is', () => {
  assert.is(text({}), 'running 3m');
  assert.is(text({ health: 'healthy' }), 'running 3m (healthy)');
  assert.is(text({ health: 'unhealthy', frozen: true }), 'running 3m (unhealthy, frozen)');
  assert.is(text({ state: 'running, unsupervised' }), 'running, unsupervised 3m');
});

test('what does not', () => {
  assert.is(text({ alive: false, state: 'exited (1)' }), 'exited (1) 3m ago');
  assert.is(text({ alive: false, state: 'backoff', restarts: 2 }), 'restarting (3) for 3m');
  assert.is(text({ alive: false, state: 'stopped', sinceMs: NOW - 5000 }), 'stopped 5s ago');
  assert.is(text({ alive: false, state: 'never started', sinceMs: undefined }), 'never started');
});

test('lengths of time', () => {
  assert.equal([-5, 119_000, 120_000, 7_200_000, 172_800_000].map(ageText), ['0s', '119s', '2m', '2h', '2d']);
});

test.run();
