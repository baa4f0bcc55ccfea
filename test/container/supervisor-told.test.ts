/** What a running supervisor is told and remembers: a changed description through its mailbox, the history of ends. */
import { chmodSync, existsSync, linkSync, readFileSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseHistory } from '../../src/kernel/history-text.ts';
import { encodeInitSpec } from '../../src/kernel/init-encode.ts';
import { parseRunState } from '../../src/kernel/run-state.ts';
import type { SuperviseSpec } from '../../src/kernel/init-spec.ts';
import { loadNative } from '../../src/kernel/native.ts';
import { init, policy, processSpec, RUN, Scene, sleep, supervise, until as settled } from '../support/init-harness.ts';
import { psRows, withStack } from '../support/supervised.ts';
import { until } from '../support/wait.ts';

async function withScene(body: (scene: Scene) => Promise<void>): Promise<void> {
  const scene = new Scene();
  try {
    await body(scene);
  } finally {
    await scene.close();
  }
}

const argvOf = (pid: number): string[] => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);

const read = (scene: Scene, name: string): string =>
  String(loadNative().getXattrs([join(scene.cgroup, 'box')], name)[0] ?? '');

async function pidNow(scene: Scene, other: number): Promise<number> {
  return await settled('another process', () => {
    const run = parseRunState(read(scene, RUN));
    return run?.state === 'running' && run.pid !== other && scene.track(run.pid);
  });
}

test('a description is taken from the mailbox and used at the next start; others are left lying', async () => {
  await withScene(async (scene) => {
    const more = { policy: policy({ policy: 'always', backoffMs: 1 }) };
    const spec = supervise(scene, ['sleep', '1000'], more);
    const r = await init(scene, spec);
    assert.ok(r.report.ok, r.text);
    const supervisor = r.child.pid ?? 0;
    const pid = Number(r.report.ok ? r.report.fields['pid'] : 0);
    const changed: SuperviseSpec = { ...spec, process: processSpec(['sleep', '2000']) };
    const mailbox = spec.mailbox;
    const refused = async (what: string): Promise<void> => {
      process.kill(supervisor, 'SIGHUP');
      await sleep(150);
      assert.ok(existsSync(mailbox), what);
      unlinkSync(mailbox);
    };

    writeFileSync(mailbox, encodeInitSpec(changed), { mode: 0o600 });
    chmodSync(mailbox, 0o622);
    await refused('a file that others may write');
    writeFileSync(scene.path('elsewhere'), encodeInitSpec(changed), { mode: 0o600 });
    symlinkSync(scene.path('elsewhere'), mailbox);
    await refused('a link');
    linkSync(scene.path('elsewhere'), mailbox);
    await refused('a file with another name');
    writeFileSync(mailbox, encodeInitSpec({ ...changed, labelDir: '/sys/fs/cgroup' }), { mode: 0o600 });
    await refused('the description of another container');
    writeFileSync(mailbox, encodeInitSpec(changed).subarray(0, 900), { mode: 0o600 });
    await refused('half a description');
    process.kill(pid, 'SIGKILL');
    const same = await pidNow(scene, pid);
    await until('exec', () => argvOf(same).length === 2);
    assert.equal(argvOf(same), ['sleep', '1000'], 'none of them was taken');

    writeFileSync(mailbox, encodeInitSpec(changed), { mode: 0o600 });
    process.kill(supervisor, 'SIGHUP');
    await until('the answer', () => !existsSync(mailbox));
    assert.equal(argvOf(same), ['sleep', '1000'], 'what runs is left alone');
    process.kill(same, 'SIGKILL');
    const next = await pidNow(scene, same);
    await until('exec', () => argvOf(next).length === 2);
    assert.equal(argvOf(next), ['sleep', '2000']);
    process.kill(supervisor, 'SIGTERM');
    assert.is(await r.exit, 0);
  });
});

test('the last ten ends are remembered, each with its reason', async () => {
  await withScene(async (scene) => {
    const r = await init(
      scene,
      supervise(scene, ['sh', '-c', 'exit 7'], {
        policy: policy({ policy: 'always', backoffMs: 1, backoffMaxMs: 1, max: 12 }),
      }),
    );
    assert.ok(r.report.ok, r.text);
    assert.is(await r.exit, 0);
    const history = parseHistory(read(scene, 'trusted.tsbox.history'));
    assert.is(history.length, 10);
    assert.ok(history.every((e) => e.exit === 7 && e.signal === 0 && e.why === 'exit' && e.oomKills === 0));
    assert.ok(
      history.every((e, i) => i === 0 || e.endMs >= (history[i - 1]?.endMs ?? 0)),
      'oldest first',
    );
  });
});

test('a process killed for want of memory is told from one that was killed', async () => {
  const yaml = `
tsbox: 1
name: hungry
containers:
  eater: { command: [python3, -c, 'x = bytearray(400 << 20)'], memory: { max: 24MiB } }
  shot: { command: [sleep, infinity] }
`;
  await withStack(yaml, async (box, file) => {
    await box.tsbox('apply', '-f', file, '--auto-approve');
    process.kill((await psRows(box)).get('shot')?.pid ?? 0, 'SIGKILL');
    await until('both ends', async () => [...(await psRows(box)).values()].every((r) => r.pid === null));
    const eater = (await box.tsbox('show', 'container/eater', '-f', file)).stdout;
    assert.match(eater, /killed by SIGKILL, out of memory \(1 killed\), after \d+m?s/);
    const shot = (await box.tsbox('show', 'container/shot', '-f', file)).stdout;
    assert.match(shot, /killed by SIGKILL, after \d+m?s/);
  });
});

test.run();
