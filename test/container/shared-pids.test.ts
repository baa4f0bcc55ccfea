/** Containers without a pid namespace of their own: with the first process all of theirs end, and nobody else's. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { exists, startTime } from '../support/sandbox.ts';
import type { Sandbox } from '../support/sandbox.ts';
import { psRows, withStack } from '../support/supervised.ts';
import { until } from '../support/wait.ts';

/** A session of its own, one whose parent is gone, both deaf to TERM, and a plain child. */
const CROWD =
  'trap "" TERM; setsid sleep 7001 & (setsid sh -c "sleep 7002 & sleep 7003" &) ; sleep 7004 & trap "exit 3" TERM USR1; while :; do sleep 0.1; done';
const LASTING = /sleep\x00700[1-4]/;

/** The lasting ones of a container, with their start times. */
function crowd(box: Sandbox, name: string): Map<number, string> {
  const procs = readFileSync(`${box.cgroupDir('pids', `shared/${name}`)}/cgroup.procs`, 'utf8');
  const pids = procs.trim().split('\n').filter((p) => p !== '').map(Number); // prettier-ignore
  const lasting = pids.filter(
    (pid) => exists(`/proc/${pid}`) && LASTING.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8')),
  );
  return new Map(lasting.map((pid) => [pid, startTime(pid)]));
}

/** Zombies are whoever's who does not wait for them. */
function isLeft([pid, start]: readonly [number, string]): boolean {
  return (
    exists(`/proc/${pid}`) &&
    startTime(pid) === start &&
    !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  );
}

test('stop, an end by itself and a restart leave nothing of it, and touch nothing else', async () => {
  const yaml = `
tsbox: 1
name: shared
containers:
  owner: { command: [sh, -c, '${CROWD}'] }
  sharer: { command: [sh, -c, '${CROWD}'], namespaces: { pid: container/owner } }
  host: { command: [sh, -c, '${CROWD}'], namespaces: { pid: host } }
  again: { command: [sh, -c, '${CROWD}'], namespaces: { pid: host }, restart: { policy: always, backoff: 50ms } }
`;
  await withStack(yaml, async (box, file) => {
    assert.is((await box.tsbox('apply', '-f', file, '--auto-approve')).code, 0);
    const names = ['owner', 'sharer', 'host', 'again'];
    await until('all of them', () => names.every((name) => crowd(box, name).size === 4));
    const before = new Map(names.map((name) => [name, [...crowd(box, name)]]));
    const left = (name: string): number => (before.get(name) ?? []).filter(isLeft).length;

    assert.is((await box.tsbox('stop', 'sharer')).code, 0);
    assert.is(left('sharer'), 0);
    const rows = await psRows(box);
    process.kill(rows.get('host')?.pid ?? 0, 'SIGUSR1');
    await until('the end of host', async () => (await psRows(box)).get('host')?.state === 'exited (3)');
    await until('the others of host to go', () => left('host') === 0);
    process.kill(rows.get('again')?.pid ?? 0, 'SIGUSR1');
    await until(
      'another run',
      async () => (await psRows(box)).get('again')?.restarts === 1 && crowd(box, 'again').size === 4,
    );
    await until('the others of again to go', () => left('again') === 0);
    assert.is(left('owner'), 4, 'whose pid namespace one of them shared');
    assert.equal([...crowd(box, 'owner')], before.get('owner'));
  });
});

test.run();
