/** `log:` none and journald: what reaches the journal's socket, its return, what is said where there is no journal. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { pidsOf } from '../support/namespaces.ts';
import { exists, sandbox } from '../support/sandbox.ts';
import { until } from '../support/wait.ts';

/** A journal namespace of our own: node has no datagram sockets of the unix family. */
const NAMESPACE = `tsbox-test-${process.pid}`;
const DIRECTORY = `/run/systemd/journal.${NAMESPACE}`;
const LISTENER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
with open(sys.argv[2], 'ab', buffering=0) as out:
    while True:
        out.write(s.recv(65536) + b'\\0')
`;

async function listen(file: string): Promise<ChildProcess> {
  rmSync(join(DIRECTORY, 'socket'), { force: true });
  const child = spawn('python3', ['-c', LISTENER, join(DIRECTORY, 'socket'), file], { stdio: 'ignore' });
  await until('the journal', () => exists(join(DIRECTORY, 'socket')));
  return child;
}

function entries(file: string): Array<Record<string, string>> {
  if (!existsSync(file)) {
    return [];
  }
  const texts = readFileSync(file, 'utf8').split('\0').slice(0, -1);
  return texts.map((text) =>
    Object.fromEntries(
      text
        .split('\n')
        .slice(0, -1)
        .map((line): [string, string] => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    ),
  );
}

const stack = (log: string): string => `
tsbox: 1
name: logged
containers:
  app:
    command: |
      echo one=1; echo two >&2; head -c 5000 /dev/zero | tr '\\0' x; echo
      while [ ! -e /run/go/a ]; do sleep 0.05; done; echo again; sleep 1000
    mounts: [ { bind: ./go, target: /run/go } ]
    log: ${log}
`;

test('journald: fields, priorities, parts of long lines; it may be started again', async () => {
  const before = await snapshot();
  const box = await sandbox('log-drivers');
  const heard = join(box.dir, 'heard');
  const made = !existsSync('/run/systemd');
  mkdirSync(join(box.dir, 'go'));
  let journal: ChildProcess | undefined;
  try {
    const file = box.write('stack.yaml', stack(`{ driver: journald, namespace: ${NAMESPACE} }`));
    const none = await box.tsbox('plan', '-f', file);
    assert.is(none.code, 1);
    assert.match(none.stderr, `there is no journal namespace ${NAMESPACE} here`);
    mkdirSync(DIRECTORY, { recursive: true });
    journal = await listen(heard);
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 0, applied.stderr + applied.stdout);
    await until('the long line', () => entries(heard).length >= 4);
    const lines = entries(heard);
    // The streams are two pipes: which is read first is open.
    const find = (text: string): Record<string, string> | undefined => lines.find((e) => e['MESSAGE'] === text);
    assert.equal(find('one=1'), {
      MESSAGE: 'one=1',
      PRIORITY: '6',
      SYSLOG_IDENTIFIER: 'app',
      CONTAINER_NAME: 'app',
      CONTAINER_TAG: 'logged/app',
      TSBOX_STACK: 'logged',
      TSBOX_ADDRESS: 'container/app',
    });
    assert.is(find('two')?.['PRIORITY'], '3');
    const long = lines.filter((e) => e['MESSAGE']?.startsWith('xxx') === true);
    assert.equal(
      long.map((e) => [e['MESSAGE']?.length, e['CONTAINER_PARTIAL_MESSAGE']]),
      [
        [4096, 'true'],
        [904, undefined],
      ],
    );
    assert.is((await box.tsbox('plan', '-f', file, '--detailed-exitcode')).code, 0);
    const logs = await box.tsbox('logs', 'app', '--stack', 'logged');
    assert.is(logs.stdout, '');
    assert.match(logs.stderr, `journalctl --namespace=${NAMESPACE} CONTAINER_NAME=app`);

    // Another socket, the same supervisor.
    journal.kill('SIGKILL');
    journal = await listen(heard);
    box.write('go/a', '');
    await until('the line after', () => entries(heard).some((e) => e['MESSAGE'] === 'again'));

    // Nowhere: it is replaced, and writes to nobody.
    const silent = box.write('silent.yaml', stack('none'));
    const changed = await box.tsbox('apply', '-f', silent, '--auto-approve');
    assert.is(changed.code, 0, changed.stderr + changed.stdout);
    assert.match(changed.stdout, /log +journald namespace=.*none/);
    assert.is((await box.tsbox('plan', '-f', silent, '--detailed-exitcode')).code, 0);
    const { app = 0 } = await pidsOf(box, 'logged');
    // A pipe that somebody reads: what is written does not fill it.
    assert.match(readFileSync(`/proc/${app}/fdinfo/1`, 'utf8'), /flags:\t0\d*2\n/);
    assert.match((await box.tsbox('logs', 'app', '--stack', 'logged')).stderr, 'keeps nothing');
    assert.not(existsSync(`${box.runDir}/logged/logs/app.log`));
    assert.is((await box.tsbox('destroy', '-f', silent, '--auto-approve')).code, 0);
  } finally {
    journal?.kill('SIGKILL');
    rmSync(made ? '/run/systemd' : DIRECTORY, { recursive: true, force: true });
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test.run();
