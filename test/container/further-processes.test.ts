/** What a command of exec, of a health check and of a hook has of its container: limits, scheduling, masks. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { psRows, withStack } from '../support/supervised.ts';
import { until } from '../support/wait.ts';

const FACTS =
  'echo $(id -u) $(umask) $(ulimit -n) $(ulimit -c) $(cat /proc/self/oom_score_adj) $(nice) $(ionice) $(grep -c . /proc/self/cgroup)';
const EXPECTED = /0 0027 77 5 500 5 idle \d+/;

test('exec, health commands and hooks run with the limits of the container, also with changed ones', async () => {
  const yaml = (files: number): string => `
tsbox: 1
name: further
containers:
  app:
    command: [sh, -c, 'trap "exit 0" TERM; while :; do sleep 0.1; done']
    umask: "027"
    rlimits: { nofile: ${files}, core: 2560 }
    oom_score_adj: 500
    nice: 5
    ioprio: idle
    healthcheck: { command: '${FACTS}', interval: 200ms }
    hooks:
      pre_start: { command: 'echo "pre_start $(ulimit -n)"', namespaces: container }
      post_start: { command: 'echo "post_start $(${FACTS})"' }
      pre_stop: { command: 'echo "pre_stop $(${FACTS})"' }
`;
  await withStack(yaml(77), async (box, file) => {
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 0, applied.stderr);
    const said = async (): Promise<string> => (await box.tsbox('show', 'container/app', '-f', file)).stdout;
    await until('a check', async () => (await psRows(box)).get('app')?.health === 'healthy');
    assert.match(await said(), new RegExp(`passed in .*: ${EXPECTED.source}`));
    assert.match((await box.tsbox('exec', 'app', '--', 'sh', '-c', FACTS)).stdout, EXPECTED);
    const pid = (await psRows(box)).get('app')?.pid ?? 0;
    assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /Max open files +77 /);

    assert.is((await box.tsbox('apply', '-f', box.write('tsbox.yaml', yaml(66)), '--auto-approve')).code, 0);
    assert.is((await psRows(box)).get('app')?.pid, pid, 'in place');
    await until('a check with the new limit', async () => / 0027 66 5 /.test(await said()));
    assert.match((await box.tsbox('exec', 'app', '--', 'sh', '-c', 'ulimit -n')).stdout, /^66\n/);
    assert.is((await box.tsbox('stop', 'app')).code, 0);
    const log = (await box.tsbox('logs', 'app')).stdout;
    assert.match(log, new RegExp(`post_start ${EXPECTED.source}`));
    assert.match(log, new RegExp(`pre_stop ${EXPECTED.source.replace('77', '66')}`));
    assert.match(log, /pre_start (?!77)\d+/);
  });
});

test.run();
