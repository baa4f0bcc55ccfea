/** Hooks, for real: order, where they run, what they are given, what a failure and a timeout do. */
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { psRows, withStack } from '../support/supervised.ts';
import { until } from '../support/wait.ts';

interface State {
  readonly ociVersion: string;
  readonly id: string;
  readonly status: string;
  readonly pid?: number;
  readonly bundle: string;
}

test('each moment in its order, with the state, in the namespaces it names, with its privileges', async () => {
  const yaml = (dir: string): string => `
tsbox: 1
name: hooked
containers:
  app:
    command: [sh, -c, 'trap "exit 0" TERM; while :; do sleep 0.1; done']
    env: { OWN: mine }
    hooks:
      pre_start:
        - { command: 'cat > ${dir}/created.json; echo host >> ${dir}/order; readlink /proc/self/ns/net > ${dir}/net', env: { GIVEN: given } }
        - { command: 'echo "host root $GIVEN" >> ${dir}/order; readlink /proc/self/ns/uts > ${dir}/uts', namespaces: container, root: host, env: { GIVEN: given } }
        - { command: 'echo "inside $OWN $(grep CapEff /proc/self/status)"', namespaces: container }
      post_start: { command: 'echo "after $OWN $(hostname)"' }
      pre_stop: { command: 'echo "before the stop"' }
      post_stop: { command: 'cat > ${dir}/stopped.json; echo stopped >> ${dir}/order' }
`;
  await withStack('tsbox: 1\nname: hooked\n', async (box, file) => {
    box.write('tsbox.yaml', yaml(box.dir));
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 0, applied.stderr);
    const pid = (await psRows(box)).get('app')?.pid ?? 0;
    const text = (name: string): string => readFileSync(join(box.dir, name), 'utf8');
    const created = JSON.parse(text('created.json')) as State;
    assert.equal([created.id, created.status, created.pid], ['hooked/app', 'created', pid]);
    assert.is(created.ociVersion, '1.2.0');
    assert.is(text('net').trim(), readlinkSync('/proc/self/ns/net'));
    assert.is(text('uts').trim(), readlinkSync(`/proc/${pid}/ns/uts`));
    assert.is(text('order'), 'host\nhost root given\n');
    await until('the hook after the start', async () =>
      (await box.tsbox('logs', 'app')).stdout.includes('after mine app'),
    );
    const log = (await box.tsbox('logs', 'app')).stdout;
    assert.match(log, /^inside mine CapEff:\t0000000000000000$/m, "the container's privileges");
    assert.is((await box.tsbox('plan', '-f', file, '--detailed-exitcode')).code, 0);

    box.write('tsbox.yaml', yaml(box.dir).replace('before the stop', 'changed meanwhile'));
    const changed = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(changed.code, 0, changed.stderr);
    assert.match(changed.stdout + changed.stderr, /hooks/);
    assert.is((await psRows(box)).get('app')?.pid, pid, 'in place');
    box.write('tsbox.yaml', yaml(box.dir).replace('[sh, -c,', '[/bin/sh, -c,').replace('before the stop', 'third'));
    assert.is((await box.tsbox('apply', '-f', file, '--auto-approve')).code, 0);
    const stopped = JSON.parse(text('stopped.json')) as State;
    assert.equal([stopped.id, stopped.status, stopped.pid], ['hooked/app', 'stopped', undefined]);
    assert.is(text('order'), 'host\nhost root given\nstopped\nhost\nhost root given\n');
    assert.match((await box.tsbox('logs', 'app')).stdout, 'changed meanwhile');
  });
});

test('a failure before the start ends it and says which; later ones are told in the log; a timeout kills the group', async () => {
  const yaml = (hooks: string): string => `
tsbox: 1
name: failing
containers:
  app: { command: [sleep, infinity], hooks: { ${hooks} } }
`;
  await withStack(yaml(''), async (box, file) => {
    const attempt = async (hooks: string): Promise<{ code: number; text: string }> => {
      box.write('tsbox.yaml', yaml(hooks));
      const { code, stderr } = await box.tsbox('apply', '-f', file, '--auto-approve');
      return { code, text: stderr };
    };
    const host = await attempt(
      `pre_start: [ { command: 'true' }, { command: 'exit 7' } ], post_stop: { command: 'touch ${box.dir}/after' }`,
    );
    assert.is.not(host.code, 0);
    assert.match(host.text, 'hook pre_start[1] (/bin/sh) exited 7');
    assert.ok(existsSync(join(box.dir, 'after')), 'what the first hook has begun, the last one may end');
    const inside = await attempt('pre_start: { command: [ /no/such ], namespaces: container }');
    assert.match(inside.text, 'hook pre_start[0] (/no/such) cannot be run: /no/such');
    const slow = await attempt("pre_start: { command: 'sleep 4713 & sleep 4713', timeout: 200ms }");
    assert.match(slow.text, 'was over its timeout');
    assert.is((await psRows(box)).get('app')?.pid ?? null, null);
    assert.is((await box.run('pgrep', ['-f', '^sleep 4713$'])).code, 1, 'nothing of it is left');
    const late = await attempt("post_start: { command: 'exit 9' }");
    assert.is(late.code, 0, late.text);
    await until('the failure in the log', async () =>
      (await box.tsbox('logs', 'app')).stdout.includes('tsbox: hook post_start[0] (/bin/sh) exited 9'),
    );
  });
});

test.run();
