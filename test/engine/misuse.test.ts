/** Words, names and directories that are not there: each is told, and nothing is done instead. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { withStack } from '../support/supervised.ts';
import { CLI } from '../support/sandbox.ts';
import { until } from '../support/wait.ts';

const STACK = `tsbox: 1
name: misuse
cgroups:
  top: { children: { below: { pids: { max: 9 } } } }
containers:
  app: { command: [sleep, infinity] }
  twin: { command: [sleep, infinity], replicas: 2 }
`;

test('a word that a command has no use for is an error, not another stack', async () => {
  await withStack(STACK, async (box, file) => {
    assert.is((await box.tsbox('apply', '-f', file, '--auto-approve')).code, 0);
    box.write('tsbox.yaml', STACK);
    for (const words of [
      ['destroy', 'container/twin', '--auto-approve'],
      ['plan', 'other.yaml'],
      ['ps', 'app'],
      ['show', 'container/app', 'container/twin'],
    ]) {
      const refused = await box.tsbox(...words);
      assert.is(refused.code, 1, words.join(' '));
      assert.match(refused.stderr, `${words[0]} has no use for '${words[0] === 'show' ? words[2] : words[1]}'`);
      assert.is(refused.stdout, '');
    }
    assert.match((await box.tsbox('plan')).stdout, 'No changes.');
    const elsewhere = await box.tsbox('ps', '--all', '--stack', 'other', '--json');
    assert.equal(JSON.parse(elsewhere.stdout), [], 'how each last ended, and of that stack alone');

    const shown = async (...names: string[]): Promise<string[]> => {
      const { stdout } = await box.tsbox('stats', ...names, '--format', 'json');
      const rows = JSON.parse(stdout) as Array<{ address: string | null }>;
      return rows.map((r) => r.address ?? '');
    };
    assert.equal(await shown('top'), ['cgroup/top']);
    assert.equal(await shown('misuse:top/below'), ['cgroup/top/below']);
    assert.equal(await shown('twin'), ['container/twin[0]', 'container/twin[1]']);

    const events = spawn(process.execPath, [CLI, 'events', 'misuse:twin', 'no-such', '--json'], { env: box.env });
    let told = '';
    events.stderr.on('data', (d: Buffer) => (told += d.toString()));
    events.stdout.on('data', (d: Buffer) => (told += d.toString()));
    try {
      await until('the watching', () => /watching/.test(told));
      assert.match(told, "warning: nothing is at 'no-such' yet");
      assert.not.match(told, "nothing is at 'misuse:twin'");
      assert.is((await box.tsbox('freeze', 'app')).code, 0);
      assert.is((await box.tsbox('freeze', 'twin[1]')).code, 0);
      await until('the frozen twin', () => /"container\/twin\[1\]".*"frozen"/.test(told));
      assert.not.match(told, 'container/app');
    } finally {
      events.kill('SIGTERM');
    }
  });
});

test('a root whose directory is not there is refused by the plan, with its place in the file', async () => {
  const yaml =
    'tsbox: 1\nname: rootless\ncontainers:\n  app: { command: [a], rootfs: { overlay: [/usr, ./absent] } }\n  one: { command: [a], rootfs: { dir: /etc/passwd } }\n';
  await withStack(yaml, async (box, file) => {
    for (const command of ['plan', 'apply']) {
      const refused = await box.tsbox(command, '-f', file);
      assert.is(refused.code, 1);
      assert.match(refused.stderr, `container/app: there is no ${box.dir}/absent for its root`);
      assert.match(refused.stderr, /:4:50\n.*\n 4 \|   app: .*\n +\| {50}\^{8}\n/);
      assert.match(refused.stderr, 'container/one: /etc/passwd is no directory');
    }
    assert.not.ok(existsSync(box.cgroupDir('unified', 'rootless')));
  });
});

test('an owner in another stack that does not run is told at plan, before something waits for it in vain', async () => {
  await withStack('tsbox: 1\nname: owner\ncontainers:\n  a: { command: [sleep, infinity] }\n', async (box, owner) => {
    const file = box.write(
      'sharer.yaml',
      'tsbox: 1\nname: sharer\ncontainers:\n  b: { command: [sleep, infinity], namespaces: { net: container/owner:a, ipc: container/owner:a } }\n',
    );
    const warning =
      'container/b: container/owner:a, whose net, ipc namespaces it shares, does not run: until it does container/b cannot be started';
    assert.match((await box.tsbox('plan', '-f', file)).stderr, warning);
    assert.is((await box.tsbox('apply', '-f', owner, '--auto-approve')).code, 0);
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 0, applied.stderr);
    assert.not.match(applied.stderr, 'does not run');
    assert.is((await box.tsbox('destroy', '-f', owner, '--auto-approve')).code, 0);
    const after = await box.tsbox('plan', '-f', file, '--detailed-exitcode');
    assert.is(after.code, 0, 'it lives on in what it shared');
    assert.match(after.stderr, warning);
    assert.is((await box.tsbox('destroy', '-f', file, '--auto-approve')).code, 0);
  });
});

test.run();
