/** exec: variables from files. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
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
  });
});

test.run();
