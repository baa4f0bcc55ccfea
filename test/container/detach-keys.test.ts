/** --detach-keys of exec and attach. */
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { pidsOf } from '../support/namespaces.ts';
import { withStack } from '../support/supervised.ts';
import { typed } from '../support/typed.ts';
import { until } from '../support/wait.ts';

const YAML = `
tsbox: 1
name: keys
containers:
  app: { command: [sleep, infinity], stop_grace_period: 0s }
  term:
    command: [sh, -c, 'echo ready; while read line; do echo "got <$line>"; done']
    tty: true
    stop_grace_period: 0s
`;

test('keys of choice leave a terminal, and what runs on it is neither hung up nor held up', async () => {
  await withStack(YAML, async (box, file) => {
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 0, applied.stderr);
    const pids = await pidsOf(box, 'keys');
    const script =
      'echo begun; read l; echo "got <$l>"; sleep 1; head -c 300000 /dev/zero; touch /tmp/done; exec sleep 4322';
    const done = await typed(
      box,
      [
        ['', ''],
        ['begun', 'a\x05b\r'],
        ['got <a\x05b>', '\x05e'],
      ],
      ...['exec', '-it', '--detach-keys', 'ctrl-e,e', 'app', '--', 'sh', '-c', script],
    );
    assert.is(done.code, 0, done.stdout);
    assert.match(done.stdout, 'detached');
    await until('what it writes is taken', () => existsSync(`/proc/${pids['app']}/root/tmp/done`));
    const procs = readFileSync(`${box.cgroupDir('unified', 'keys/app')}/cgroup.procs`, 'utf8')
      .trim()
      .split('\n');
    const [sleeper] = procs.filter((p) => readFileSync(`/proc/${p}/cmdline`, 'utf8').includes('4322')).map(Number);
    assert.ok(sleeper, procs.join());
    const keepers = async (): Promise<string> =>
      (await box.run('pgrep', ['-f', '^tsbox: exec keys/app \\(detached\\)'])).stdout;
    assert.match(await keepers(), /^\d+\n$/);
    process.kill(sleeper ?? 0, 'SIGKILL');
    await until('its keeper ends with it', async () => (await keepers()) === '');

    const left = await typed(
      box,
      [
        ['', 'x\r'],
        ['got <x>', 'Q'],
      ],
      ...['attach', '--detach-keys', 'Q', 'term'],
    );
    assert.is(left.code, 0, left.stdout);
    assert.match(left.stdout, 'detached');
    const read = ['app', '--', 'sh', '-c', 'read l; echo "got <$l>"'];
    const never = await typed(box, [['', '\x10y\r']], 'exec', '-it', '--detach-keys', '', ...read);
    assert.match(never.stdout, 'got <\x10y>');
    const bad = await box.tsbox('exec', '--detach-keys', 'ctrl-1', 'app', '--', 'true');
    assert.match(bad.stderr, "--detach-keys: 'ctrl-1' is not a key");
  });
});

test.run();
