/** Roots of containers in user namespaces: whose the files are, seen from inside and, by stat, from the host. */
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Sandbox } from '../support/sandbox.ts';
import { applied, destroyed, makeRoot, mappedScene, pidsOf, scene, tmpfsIdmaps } from '../support/userns.ts';

const MAPS = '{ uids: [{ inside: 0, outside: 300000, count: 65536 }] }';
const SLEEP = '[/bin/sleep, infinity]';

function rootMount(pid: number): string {
  const lines = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').split('\n');
  return lines.find((l) => l.split(' ')[4] === '/') ?? '';
}

async function inside(box: Sandbox, name: string, ...argv: string[]): Promise<string> {
  const run = await box.tsbox('exec', name, '--', ...argv);
  assert.is(run.code, 0, run.stderr);
  return run.stdout.trim();
}

test("a root directory that root owns is root's inside: overlay and bind", async () => {
  await mappedScene(async (box) => {
    makeRoot(join(box.dir, 'root'));
    const file = box.write(
      'stack.yaml',
      `tsbox: 1
name: idm
containers:
  layered: { rootfs: { dir: root }, command: ${SLEEP}, namespaces: { user: ${MAPS} } }
  plain: { rootfs: { dir: root, overlay: false }, command: ${SLEEP}, namespaces: { user: ${MAPS} } }
`,
    );
    await applied(box, file);
    const pids = await pidsOf(box, 'idm');
    for (const name of ['layered', 'plain']) {
      assert.is(
        await inside(box, `container/idm:${name}`, '/bin/stat', '-c', '%u:%g', '/', '/etc/passwd'),
        '0:0\n0:0',
        name,
      );
      await inside(box, `container/idm:${name}`, '/bin/touch', `/data/${name}`);
      assert.is(await inside(box, `container/idm:${name}`, '/bin/stat', '-c', '%u:%g', `/data/${name}`), '0:0');
    }
    // From the host: through the bind to id 0, in the private layer to the mapped one, and nothing in the directory.
    assert.is(statSync(join(box.dir, 'root/data/plain')).uid, 0);
    assert.not.ok(statSync(join(box.dir, 'root/data/layered'), { throwIfNoEntry: false }));
    assert.is(statSync(`/proc/${pids['layered']}/root/data/layered`).uid, 300000);
    assert.match(rootMount(pids['plain'] ?? 0), /\bidmapped\b/);
    await destroyed(box, file);
  });
});

test('a file written by another user of the container belongs to that number on disk', async () => {
  await mappedScene(async (box) => {
    makeRoot(join(box.dir, 'root'));
    const file = box.write(
      'stack.yaml',
      `tsbox: 1
name: idm
containers:
  app:
    rootfs: { dir: root, overlay: false }
    user: worker
    command: [/bin/sh, -c, "touch /tmp/mine; exec sleep 1000"]
    namespaces: { user: ${MAPS} }
`,
    );
    mkdirSync(join(box.dir, 'root/tmp'), { recursive: true, mode: 0o777 });
    await box.run('chmod', ['1777', join(box.dir, 'root/tmp')]);
    await applied(box, file);
    const { app = 0 } = await pidsOf(box, 'idm');
    assert.match(readFileSync(`/proc/${app}/status`, 'utf8'), /^Uid:\t301000\t/m);
    assert.is(statSync(join(box.dir, 'root/tmp/mine')).uid, 1000);
    await destroyed(box, file);
  });
});

test('idmap: false and a directory that was given to the mapped ids are left as they are', async () => {
  await mappedScene(async (box) => {
    makeRoot(join(box.dir, 'root'));
    makeRoot(join(box.dir, 'given'), 300000);
    const file = box.write(
      'stack.yaml',
      `tsbox: 1
name: idm
containers:
  off: { rootfs: { dir: root, idmap: false }, command: ${SLEEP}, namespaces: { user: ${MAPS} } }
  given: { rootfs: { dir: given, overlay: false }, command: ${SLEEP}, namespaces: { user: ${MAPS} } }
`,
    );
    await applied(box, file);
    const pids = await pidsOf(box, 'idm');
    assert.is(await inside(box, 'container/idm:off', '/bin/stat', '-c', '%u', '/etc/passwd'), '65534');
    assert.is(await inside(box, 'container/idm:given', '/bin/stat', '-c', '%u', '/etc/passwd'), '0');
    assert.not.match(rootMount(pids['given'] ?? 0), /\bidmapped\b/);
    await inside(box, 'container/idm:given', '/bin/touch', '/data/x');
    assert.is(statSync(join(box.dir, 'given/data/x')).uid, 300000);
    await destroyed(box, file);
  });
});

test('a restart by the supervisor and a shared user namespace map the root the same way', async () => {
  await mappedScene(async (box) => {
    makeRoot(join(box.dir, 'root'));
    const file = box.write(
      'stack.yaml',
      `tsbox: 1
name: idm
namespaces:
  lab: { type: user, uids: [{ inside: 0, outside: 400000, count: 65536 }] }
containers:
  own: { rootfs: { dir: root }, command: ${SLEEP}, namespaces: { user: ${MAPS} }, restart: { policy: always, backoff: 1ms } }
  member: { rootfs: { dir: root, overlay: false }, command: ${SLEEP}, namespaces: { user: lab } }
  sharer: { rootfs: { dir: root }, command: ${SLEEP}, namespaces: { user: container/own } }
`,
    );
    await applied(box, file);
    const first = await pidsOf(box, 'idm');
    process.kill(first['own'] ?? 0, 'SIGKILL');
    await box.run('sleep', ['0.5']);
    const second = await pidsOf(box, 'idm');
    assert.is.not(second['own'], first['own']);
    for (const name of ['own', 'member', 'sharer']) {
      assert.is(await inside(box, `container/idm:${name}`, '/bin/stat', '-c', '%u:%g', '/etc/passwd'), '0:0', name);
    }
    assert.is((await box.tsbox('plan', '-f', file, '--detailed-exitcode')).code, 0);
    await destroyed(box, file);
  });
});

test("the host's root is not idmapped: what only its root may read stays closed", async () => {
  await scene(async (box) => {
    const file = box.write(
      'stack.yaml',
      `tsbox: 1
name: idm
containers:
  app: { command: [sleep, infinity], namespaces: { user: ${MAPS} } }
`,
    );
    await applied(box, file);
    assert.is(await inside(box, 'container/idm:app', 'stat', '-c', '%u', '/etc/shadow'), '65534');
    assert.is.not((await box.tsbox('exec', 'container/idm:app', '--', 'cat', '/etc/shadow')).code, 0);
    await destroyed(box, file);
  });
});

test('a file system that cannot: a warning by default, an error at its place when it was asked for', async () => {
  await scene(async (box) => {
    // sysfs has no idmapped mounts, and the container would not start from it either: only plans are made.
    const stack = (more: string, dir = '/sys/kernel'): string =>
      box.write(
        'stack.yaml',
        `tsbox: 1
name: idm
containers:
  app:
    rootfs: { dir: ${dir}${more} }
    command: [/x]
    namespaces: { user: ${MAPS} }
`,
      );
    const warned = await box.tsbox('plan', '-f', stack(''));
    assert.is(warned.code, 0, warned.stderr);
    assert.match(warned.stderr, /warning: container\/app: \/sys\/kernel is on sysfs, whose mounts .* does not idmap/);
    const refused = await box.tsbox('plan', '-f', stack(', idmap: true'));
    assert.is(refused.code, 1);
    assert.match(refused.stderr, /error\[TSB1009\]: container\/app: \/sys\/kernel is on sysfs/);
    assert.match(refused.stderr, /stack\.yaml:5:\d+/);
    if (!tmpfsIdmaps()) {
      const early = await box.tsbox('plan', '-f', stack(', idmap: true', '/dev/shm'));
      assert.is(early.code, 1);
      assert.match(early.stderr, 'error[TSB1009]: container/app: /dev/shm is on tmpfs');
    }
  });
});

test.run();
