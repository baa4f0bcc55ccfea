/** exec: variables from files and from here, and how it ends where there is no such command. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CLI } from '../support/sandbox.ts';
import { withStack } from '../support/supervised.ts';

test('exec takes variables from files, those given by hand over them', async () => {
  const yaml =
    'tsbox: 1\nname: vars\ncontainers:\n  app: { command: [sleep, infinity], env: { A: stack, B: stack } }\n';
  await withStack(yaml, async (box, file) => {
    assert.is((await box.tsbox('apply', '-f', file, '--auto-approve')).code, 0);
    const given = box.write(
      'vars',
      '# what we give\nB=from a file\n\nC="as it stands"\nTSBOX_CGROUP_ROOT\nNOT_SET_ANYWHERE\n',
    );
    const args = ['exec', 'app', '--env-file', given, '-e', 'D=hand', '--'];
    const { stdout } = await box.tsbox(
      ...args,
      'sh',
      '-c',
      'echo "$A,$B,$C,$D,$TSBOX_CGROUP_ROOT,${NOT_SET_ANYWHERE-unset}"',
    );
    assert.is(stdout, `stack,from a file,"as it stands",hand,${box.cgroupRoot},unset\n`);
    const bad = await box.tsbox('exec', 'app', '--env-file', box.write('bad', 'fine=1\n = odd\n'), '--', 'true');
    assert.is(bad.code, 1);
    assert.match(bad.stderr, /bad: line 2 is not KEY=VALUE/);

    // As a command of its own: Node itself has an option of this name, and reads it wherever it stands.
    const absent = await box.run(CLI, ['exec', 'app', '--env-file', '/no/such/file', '--', 'true']);
    assert.is(absent.code, 1);
    assert.match(absent.stderr, '--env-file /no/such/file: ENOENT');
    const own = box.write('own', 'TSBOX_SUBIDS=1:1\n');
    const told = ['exec', 'app', '--env-file', own, '-e', 'HERE', '-e', 'TSBOX_SUBIDS', '--', 'sh', '-c'];
    const passed = await box.run(CLI, [...told, 'echo "$HERE,$TSBOX_SUBIDS"'], { HERE: 'ours', TSBOX_SUBIDS: '7:9' });
    assert.is(passed.stdout, 'ours,7:9\n');
    assert.match((await box.tsbox('exec', 'app', '-e', '=x', '--', 'true')).stderr, "--env '=x' is not KEY=VALUE");
    assert.is((await box.tsbox('exec', 'app', '--', '/no/such/program')).code, 127);
    assert.is((await box.tsbox('exec', 'app', '--', '/etc/passwd')).code, 126);
  });
});

test.run();
