/** Several who are attached to one container: all hear it, all may speak, and who goes takes nobody along. */
import { spawn, type ChildProcess } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CLI, type Sandbox } from '../support/sandbox.ts';
import { psRows, withStack } from '../support/supervised.ts';
import { typed } from '../support/typed.ts';
import { until } from '../support/wait.ts';

interface Client {
  readonly process: ChildProcess;
  readonly said: () => string;
  readonly code: Promise<number>;
}

function attach(box: Sandbox, ...args: string[]): Client {
  const child = spawn(process.execPath, [CLI, 'attach', ...args], { env: box.env, stdio: ['pipe', 'pipe', 'pipe'] });
  let out = '';
  child.stdout.on('data', (d: Buffer) => (out += d.toString()));
  child.stderr.on('data', (d: Buffer) => (out += d.toString()));
  const code = new Promise<number>((resolve) => child.on('close', (c) => resolve(c ?? -1)));
  return { process: child, said: () => out, code };
}

test('standard input: lines of all, whole; output to all; one that is killed disturbs nobody', async () => {
  const yaml = `
tsbox: 1
name: many
containers:
  app: { command: [sh, -c, 'while read line; do test "$line" = end && exit 4; echo "got <$line>"; done; echo closed'], stdin: true }
`;
  await withStack(yaml, async (box, file) => {
    assert.is((await box.tsbox('apply', '-f', file, '--auto-approve')).code, 0);
    const clients = [attach(box, 'app'), attach(box, 'app'), attach(box, 'app'), attach(box, 'app', '--no-stdin')];
    try {
      for (const [i, client] of clients.slice(0, 3).entries()) {
        client.process.stdin?.write(`hello ${i}\n`);
        await until(`hello ${i}`, () => client.said().includes(`got <hello ${i}>`));
      }
      // Said until all have heard it: from then on all are there, also the one that says nothing.
      await until('all to hear', () => {
        clients[0]?.process.stdin?.write('all\n');
        return clients.every((c) => c.said().includes('got <all>'));
      });
      clients[3]?.process.stdin?.write('not passed on\n');
      const words = [0, 1, 2].flatMap((i) => Array.from({ length: 50 }, (_, n) => `word ${i} ${n}`));
      for (const word of words) {
        clients[Number(word.split(' ')[1])]?.process.stdin?.write(`${word}\n`);
      }
      await until('every word', () => clients.every((c) => words.every((w) => c.said().includes(`got <${w}>\n`))));
      for (const i of [0, 1, 2]) {
        const heard = [...(clients[3]?.said() ?? '').matchAll(new RegExp(`got <word ${i} (\\d+)>`, 'g'))].map((m) =>
          Number(m[1]),
        );
        assert.equal(
          heard,
          Array.from({ length: 50 }, (_, n) => n),
          `the words of ${i} in their order, each once`,
        );
      }
      clients[1]?.process.kill('SIGKILL');
      await clients[1]?.code;
      clients[0]?.process.stdin?.write('still\n');
      await until('the others', () => [0, 2, 3].every((i) => clients[i]?.said().includes('got <still>') === true));
      assert.not.match(clients[0]?.said() ?? '', 'not passed on');
      assert.not.match(clients[0]?.said() ?? '', 'closed');
      clients[2]?.process.stdin?.write('end\n');
      assert.equal(await Promise.all([0, 2, 3].map((i) => clients[i]?.code)), [4, 4, 4], 'its exit code to each');
      const log = (await box.tsbox('logs', 'app')).stdout;
      assert.ok(words.every((w) => log.includes(`got <${w}>\n`)));
    } finally {
      clients.forEach((c) => c.process.kill('SIGKILL'));
    }
  });
});

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
