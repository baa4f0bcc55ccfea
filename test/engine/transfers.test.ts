/** moved, removed, import and create_before_destroy on the real kernel. */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { nsInode, procStatus, sandbox } from '../support/sandbox.ts';

type Sandbox = Awaited<ReturnType<typeof sandbox>>;

const SLEEP = 'command: [/usr/bin/sleep, infinity]';
const head = 'tsbox: 1\nname: moves\n';

async function pids(box: Sandbox): Promise<Record<string, number>> {
  const { stdout } = await box.tsbox('ps', '--stack', 'moves', '--json');
  return Object.fromEntries((JSON.parse(stdout) as Array<{ name: string; pid: number }>).map((c) => [c.name, c.pid]));
}

async function good(box: Sandbox, ...args: string[]): Promise<string> {
  const run = await box.tsbox(...args);
  assert.is(run.code, 0, run.stderr + run.stdout);
  return run.stdout;
}

test('moved: containers, namespaces and volumes go on under another address', async () => {
  const before = await snapshot();
  const box = await sandbox('moved');
  try {
    const file = box.write(
      'stack.yaml',
      `${head}namespaces: { front: { type: net } }
volumes: { data: {} }
containers:
  db: { ${SLEEP}, namespaces: { net: front } }
  web: { ${SLEEP}, namespaces: { ipc: container/db }, depends_on: [db] }
`,
    );
    await good(box, 'apply', '-f', file, '--auto-approve');
    const was = await pids(box);
    const net = nsInode(was['db'] ?? 0, 'net');
    const moved = `${head}namespaces: { lan: { type: net } }
volumes: { files: {} }
containers:
  store: { ${SLEEP}, namespaces: { net: lan } }
  web: { ${SLEEP}, namespaces: { ipc: container/store }, depends_on: [store] }
moved:
  - { from: container/db, to: container/store }
  - { from: namespace/front, to: namespace/lan }
  - { from: volume/data, to: volume/files }
`;
    box.write('stack.yaml', moved);
    const planned = await good(box, 'plan', '-f', file);
    assert.match(planned, /^ {2}> namespace\/lan\s+moved {3}# moved from namespace\/front$/m);
    assert.match(planned, /^ {2}~ container\/store\s+in place {3}# moved from container\/db; pid/m);
    assert.match(planned, /^Plan: 0 to add, 1 to change, 0 to destroy\.$/m);
    await good(box, 'apply', '-f', file, '--auto-approve');
    const now = await pids(box);
    assert.equal(now, { store: was['db'], web: was['web'] }, 'the same processes');
    assert.is(nsInode(now['store'] ?? 0, 'net'), net);
    assert.match(await good(box, 'plan', '-f', file), 'No changes.');
    // Without the blocks it is the same, a new container may have the old name, and a restart finds its way.
    box.write('stack.yaml', moved.replace(/moved:[^]*/, `  db: { ${SLEEP} }\n`));
    assert.match(await good(box, 'plan', '-f', file), 'Plan: 1 to add, 0 to change, 0 to destroy.');
    await good(box, 'apply', '-f', file, '--auto-approve');
    await good(box, 'restart', 'container/store', '--stack', 'moves');
    const again = await good(box, 'apply', '-f', file, '--replace', 'container/store', '--auto-approve');
    assert.match(again, /^-\/\+ container\/store\s+replaced {3}# as requested/m);
    assert.match(await good(box, 'plan', '-f', file), 'No changes.');
    await good(box, 'destroy', '-f', file, '--volumes', '--auto-approve');
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
});

test('the new one before the old one; what is forgotten goes on; what is there is imported', async () => {
  const box = await sandbox('import');
  const foreign = `${box.cgroupDir('pids', '').replace(/\/+$/, '')}-foreign`;
  try {
    mkdirSync(foreign);
    writeFileSync(`${foreign}/pids.max`, '77');
    const other = box.cgroupDir('unified', '').replace(/\/+$/, '') + '-foreign';
    mkdirSync(other, { recursive: true });
    const id = `${box.cgroupRoot}-foreign`;
    const stack = (release: string): string => `${head}
cgroups: { theirs: { pids: { max: 88 } } }
namespaces: { front: { type: net } }
containers:
  app:
    ${SLEEP}
    env: { RELEASE: "${release}" }
    lifecycle: { create_before_destroy: true }
  loose: { ${SLEEP} }
import:
  - { to: cgroup/theirs, id: ${id} }
  - { to: namespace/front, id: "pid:${process.pid}" }
`;
    const file = box.write('stack.yaml', stack('a'));
    const planned = await good(box, 'plan', '-f', file);
    assert.match(planned, /^ {2}~ cgroup\/theirs\s+imported {3}# from /m);
    assert.match(planned, /^Plan: 2 to import, 2 to add, 2 to change, 0 to destroy\.$/m);
    await good(box, 'apply', '-f', file, '--auto-approve');
    assert.is(readFileSync(`${foreign}/pids.max`, 'utf8').trim(), '88');
    const first = await pids(box);

    box.write('stack.yaml', stack('b').replace(/import:[^]*/, ''));
    const replaced = await good(box, 'apply', '-f', file, '--auto-approve');
    assert.match(replaced, 'the new one starts before the old one ends');
    const second = await pids(box);
    assert.is.not(second['app'], first['app']);
    const path = await good(box, 'show', 'container/app', '--stack', 'moves', '--json');
    assert.match(path, 'app~2');
    assert.match(await good(box, 'plan', '-f', file), 'No changes.');

    const { loose = 0 } = second;
    box.write(
      'stack.yaml',
      stack('b')
        .replace(/import:[^]*/, 'removed:\n  - { from: container/loose, destroy: false }\n')
        .replace(/ {2}loose: .*\n/, ''),
    );
    const forgotten = await good(box, 'apply', '-f', file, '--auto-approve');
    assert.match(forgotten, /^Plan: 0 to add, 0 to change, 0 to destroy, 1 to forget\.$/m);
    assert.is(process.kill(loose, 0), true, 'it runs');
    assert.equal(Object.keys(await pids(box)), ['app']);
    const supervisor = Number(procStatus(loose).get('PPid'));
    await good(box, 'destroy', '-f', file, '--auto-approve');
    assert.is(process.kill(loose, 0), true, 'the end of the stack is not its end');
    assert.is(process.kill(supervisor, 0), true, 'nor that of its supervisor');
    process.kill(supervisor, 'SIGKILL');
    process.kill(loose, 'SIGKILL');
    assert.is(readFileSync(`${foreign}/pids.max`, 'utf8').trim(), '77', 'given back as it was');
    rmdirSync(other);
  } finally {
    await box.cleanup();
    rmdirSync(foreign);
  }
});

test.run();
