/** Twenty supervisors killed: the containers go on, plan shows it, apply puts supervision back without a restart. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startTime } from '../support/sandbox.ts';
import { psRows, withStack } from '../support/supervised.ts';
import { until } from '../support/wait.ts';

const COUNT = 20;

const YAML = `
tsbox: 1
name: many
containers:
${Array.from(
  { length: COUNT },
  (_, i) =>
    `  c${i}: { command: [sh, -c, 'echo begun; trap "echo asked" USR1; while :; do sleep 0.2; done'], restart: { policy: on-failure, backoff: 50ms }, healthcheck: { command: 'exit 0', interval: 500ms, retries: 3 } }`,
).join('\n')}
`;

function supervisorOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

test('twenty of them at once', async () => {
  await withStack(YAML, async (box, file) => {
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 0, applied.stderr);
    await until('all healthy', async () => [...(await psRows(box)).values()].every((r) => r.health === 'healthy'));
    const before = new Map([...(await psRows(box))].map(([name, r]) => [name, r.pid ?? 0]));
    const started = new Map([...before].map(([name, pid]) => [name, startTime(pid)]));
    for (const pid of before.values()) {
      process.kill(supervisorOf(pid), 'SIGKILL');
    }
    const plan = await box.tsbox('plan', '-f', file, '--detailed-exitcode');
    assert.is(plan.code, 2);
    assert.is(plan.stdout.match(/supervisor +missing -> present/g)?.length, COUNT, plan.stdout);
    assert.match(plan.stdout, 'Restarted: 0. Replaced: 0.');
    const first = before.get('c0') ?? 0;
    process.kill(first, 'SIGUSR1');
    const healed = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(healed.code, 0, healed.stderr);
    for (const [name, pid] of before) {
      assert.is(startTime(pid), started.get(name), `${name} was not restarted`);
    }
    assert.is((await box.tsbox('plan', '-f', file, '--detailed-exitcode')).code, 0);
    await until('what it said meanwhile', async () => (await box.tsbox('logs', 'c0')).stdout === 'begun\nasked\n');
    const rows = await psRows(box);
    assert.ok([...rows.values()].every((r) => r.health === 'healthy' && r.state === 'running'));
    const last = (await box.tsbox('show', 'container/c1', '-f', file)).stdout;
    await until('checks going on', async () => {
      const now = (await box.tsbox('show', 'container/c1', '-f', file)).stdout;
      return /last check (\S+)/.exec(now)?.[1] !== /last check (\S+)/.exec(last)?.[1];
    });
    process.kill(first, 'SIGKILL');
    await until('a restart by the new supervisor', async () => {
      const row = (await psRows(box)).get('c0');
      return row?.state === 'running' && row.pid !== first;
    });
    assert.match((await box.tsbox('show', 'container/c0', '-f', file)).stdout, /killed by SIGKILL, after/);
  });
});

test.run();
