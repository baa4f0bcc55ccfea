/** Several who are attached to one terminal: all hear it, all may type, and who goes takes nobody along. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { psRows, withStack } from '../support/supervised.ts';
import { typed } from '../support/typed.ts';
import { until } from '../support/wait.ts';

test('a terminal: two on it hear both; the keys let one go and the other stays', async () => {
  const yaml = `
tsbox: 1
name: two
containers:
  app: { command: [sh, -c, 'while read line; do test "$line" = end && exit 5; echo "got <$line>"; done'], tty: true }
`;
  await withStack(yaml, async (box, file) => {
    assert.is((await box.tsbox('apply', '-f', file, '--auto-approve')).code, 0);
    const pid = (await psRows(box)).get('app')?.pid;
    const first = typed(box, [['', 'one\r'], ['got <two>', 'three\r'], ['got <three>', '\x10\x11']], 'attach', 'app'); // prettier-ignore
    const log = async (): Promise<string> => (await box.tsbox('logs', 'app')).stdout;
    await until('the first', async () => (await log()).includes('got <one>'));
    const second = typed(box, [['', 'two\r'], ['got <three>', '']], 'attach', 'app', '--stack', 'two'); // prettier-ignore
    const one = await first;
    assert.is(one.code, 0, one.stdout);
    assert.match(one.stdout, /got <two>[^]*detached/);
    assert.is((await psRows(box)).get('app')?.pid, pid, 'it goes on');
    const third = await typed(box, [['', 'end\r']], 'attach', 'app');
    assert.is(third.code, 5, third.stdout);
    const two = await second;
    assert.is(two.code, 5, two.stdout);
    assert.match(two.stdout, 'got <three>');
  });
});

test.run();
