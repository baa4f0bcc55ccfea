/** What health checks lead to: restarts, stops, and containers that wait for others to be healthy. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { psRows, withStack } from '../support/supervised.ts';
import { until } from '../support/wait.ts';

test('actions: restart with backoff and a bound, stop; the history tells', async () => {
  const yaml = `
tsbox: 1
name: acts
containers:
  again: { command: [sleep, infinity], restart: { policy: 'no', max: 2, backoff: 50ms }, healthcheck: { file: /tmp/no, interval: 60ms, retries: 2, action: restart } }
  ends: { command: [sleep, infinity], healthcheck: { file: /tmp/no, interval: 60ms, retries: 2, action: stop } }
`;
  await withStack(yaml, async (box, file) => {
    assert.is((await box.tsbox('apply', '-f', file, '--auto-approve')).code, 0);
    await until('both have ended', async () => {
      const all = [...(await psRows(box)).values()];
      return all.every((r) => r.pid === null && !/backoff|start/.test(r.state));
    });
    assert.is((await psRows(box)).get('again')?.restarts, 2);
    const shown = (await box.tsbox('show', 'container/again', '-f', file)).stdout;
    assert.is(shown.match(/because it was unhealthy/g)?.length, 3, shown);
    assert.match(shown, 'earlier runs, the last first; restarted 2 times:');
    const { stdout } = await box.tsbox('ps', '--json');
    const ends = (JSON.parse(stdout) as { name: string; history: unknown[] }[]).find(
      (r) => r.name === 'again',
    )?.history;
    assert.equal(
      (ends as { exit: null; signal: number; oom_kills: number; why: string }[]).map((e) => [
        e.signal,
        e.oom_kills,
        e.why,
      ]),
      [1, 2, 3].map(() => [9, 0, 'unhealthy']),
    );
    assert.match(
      (await box.tsbox('ps', '--all')).stdout,
      /LAST END[^]*again .* ago: killed by SIGKILL because it was unhealthy, after /,
    );
    const plan = (await box.tsbox('plan', '-f', file)).stdout;
    assert.match(plan, /stopped, unhealthy/);
    assert.match((await box.tsbox('logs', 'again')).stdout, 'tsbox: unhealthy: restarting');
  });
});

test('depends_on: healthy waits for it, and says what was wrong', async () => {
  const yaml = (path: string, period: string): string => `
tsbox: 1
name: waits
containers:
  db: { command: [sh, -c, 'sleep 0.7; touch /tmp/up; exec sleep infinity'], healthcheck: { file: ${path}, interval: 100ms, start_period: ${period}, start_interval: 50ms, retries: 1 } }
  web: { command: [sleep, infinity], depends_on: { db: healthy } }
`;
  await withStack(yaml('/tmp/up', '10s'), async (box, file) => {
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 0, applied.stderr);
    assert.ok(applied.ms > 700);
    assert.is((await psRows(box)).get('web')?.state, 'running');
    assert.is((await box.tsbox('destroy', '-f', file, '--auto-approve')).code, 0);

    box.write('tsbox.yaml', yaml('/tmp/never', '300ms'));
    const failed = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is.not(failed.code, 0);
    assert.match(failed.stderr, 'container/db had to be healthy first, but is unhealthy after 1 failed checks');
    assert.match(failed.stderr, 'no such file');
    assert.match(failed.stderr, 'tsbox logs container/db');
    assert.is((await psRows(box)).get('web')?.pid ?? null, null);
  });
});

test.run();
