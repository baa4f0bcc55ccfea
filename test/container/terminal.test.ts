/** Terminals, standard input, attaching, and a first process that reaps. */
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CLI } from '../support/sandbox.ts';
import { psRows, withStack } from '../support/supervised.ts';
import { typed } from '../support/typed.ts';
import { until } from '../support/wait.ts';

const supervisorOf = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
};

test('a terminal: attach, type, window size, detach, a killed supervisor, the end', async () => {
  const yaml = `
tsbox: 1
name: term
containers:
  app: { command: [sh, -c, 'echo ready; tty; while read line; do test "$line" = end && exit 5; test "$line" = size && stty size; echo "got <$line>"; done'], tty: true }
`;
  await withStack(yaml, async (box, file) => {
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 0, applied.stderr);
    const pid = (await psRows(box)).get('app')?.pid ?? 0;
    assert.ok(statSync(`/proc/${pid}/root/dev/pts/0`).isCharacterDevice(), 'on its own devpts');
    await until('its first words', async () => (await box.tsbox('logs', 'app')).stdout.includes('/dev/pts/0'));
    assert.match(
      (await box.tsbox('logs', 'app')).stdout,
      /^ready\n\/dev\/pts\/0\n$/,
      'without the terminal characters',
    );
    const first = await typed(
      box,
      [
        ['', 'hello\r'],
        ['got <hello>', 'size\r'],
        ['33 111', '\x10\x11'],
      ],
      'attach',
      'app',
    );
    assert.is(first.code, 0, first.stdout);
    assert.match(first.stdout, 'detached');
    assert.match((await box.tsbox('logs', 'app')).stdout, 'got <hello>', 'the log goes on');

    process.kill(supervisorOf(pid), 'SIGKILL');
    await until('the loss to show', async () => (await psRows(box)).get('app')?.state === 'running, unsupervised');
    assert.is.not((await box.tsbox('attach', 'app')).code, 0);
    assert.is((await box.tsbox('apply', '-f', file, '--auto-approve')).code, 0);
    assert.is((await psRows(box)).get('app')?.pid, pid, 'it was not hung up');
    const second = await typed(
      box,
      [
        ['', 'two\r'],
        ['got <two>', 'end\r'],
      ],
      'attach',
      'app',
    );
    assert.is(second.code, 5, second.stdout);
    assert.match((await box.tsbox('logs', 'app')).stdout, 'got <two>');
  });
});

test('standard input without a terminal stays open, and ends when its client says so', async () => {
  const yaml = `
tsbox: 1
name: piped
containers:
  app: { command: [sh, -c, 'cat; echo over >&2; exit 3'], stdin: true }
`;
  await withStack(yaml, async (box, file) => {
    assert.is((await box.tsbox('apply', '-f', file, '--auto-approve')).code, 0);
    const child = spawn(process.execPath, [CLI, 'attach', 'app'], {
      env: box.env,
      cwd: box.dir,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (d: Buffer) => (out += d.toString()));
    child.stderr.on('data', (d: Buffer) => (err += d.toString()));
    const code = new Promise<number>((resolve) => child.on('close', (c) => resolve(c ?? -1)));
    child.stdin.write('one\n');
    await until('the echo', () => out.includes('one\n'));
    child.stdin.end('two\n');
    assert.is(await code, 3, err);
    assert.is(out, 'one\ntwo\n');
    assert.is(err, 'over\n');
  });
});

test('exec -it gives a terminal, end to end', async () => {
  const yaml = 'tsbox: 1\nname: it\ncontainers:\n  app: { command: [sleep, infinity] }\n';
  await withStack(yaml, async (box, file) => {
    assert.is((await box.tsbox('apply', '-f', file, '--auto-approve')).code, 0);
    const steps = [
      ['', 'stty size; tty\r'],
      ['33 111', 'exit 6\r'],
    ] as const;
    const done = await typed(box, steps, 'exec', '-it', 'app', '--', 'sh');
    assert.is(done.code, 6, done.stdout);
    assert.match(done.stdout, '/dev/pts/0');
  });
});

test('init: true reaps orphans, passes signals and the exit code on, and tells of a command that is not there', async () => {
  const yaml = (command: string): string => `
tsbox: 1
name: reap
containers:
  app: { command: ${command}, init: true }
  plain: { command: [sh, -c, '(sleep 0.1 & ) ; exec sleep infinity'] }
`;
  await withStack(
    yaml(`[sh, -c, '(sleep 0.1 & ) ; trap "exit 9" USR1; while :; do sleep 0.1; done']`),
    async (box, file) => {
      const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
      assert.is(applied.code, 0, applied.stderr);
      const rows = await psRows(box);
      const pid = rows.get('app')?.pid ?? 0;
      assert.is(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0], 'init');
      assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /CapEff:\t0000000000000000/);
      assert.equal(readdirSync(`/proc/${pid}/fd`).length <= 4, true, 'no descriptors of the supervisor');
      const zombies = (of: number): string =>
        execFileSync('sh', ['-c', `cat /proc/[0-9]*/stat 2>/dev/null | grep ') Z ${of} ' || true`], {
          encoding: 'utf8',
        });
      await until('a zombie of the plain one', () => zombies(rows.get('plain')?.pid ?? 0) !== '');
      assert.is(zombies(pid), '');
      process.kill(pid, 'SIGUSR1');
      await until('the end', async () => (await psRows(box)).get('app')?.state === 'exited (9)');
      box.write('tsbox.yaml', yaml('[no-such-program]'));
      const failed = await box.tsbox('apply', '-f', file, '--auto-approve');
      assert.is.not(failed.code, 0);
      assert.match(failed.stderr, 'exec no-such-program: ENOENT');
    },
  );
});

test.run();
