/** Images mounted in a container: read-only, from the store's layers, added, changed and removed while it runs. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseMountInfo, type MountInfo } from '../../src/kernel/proc.ts';
import { tar, writeImage } from '../support/image.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { sandbox, startTime, type Sandbox } from '../support/sandbox.ts';
import { until } from '../support/wait.ts';

const STACK = 'gallery';

async function inBox(body: (box: Sandbox) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox('gallery');
  try {
    await body(box);
    assert.is((await box.tsbox('destroy', '--stack', STACK, '--auto-approve')).code, 0);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
}

function build(box: Sandbox, tag: string, ...notes: readonly string[]): string {
  const layers = notes.map((note, i) => ({
    tar: tar([
      { name: 'opt/', type: '5', mode: 0o755 },
      { name: `opt/${i}`, data: note, mode: 0o4755 },
      { name: 'opt/top', data: note },
    ]),
  }));
  return writeImage(join(box.dir, 'layout'), tag, layers).digest;
}

async function apply(box: Sandbox, container: string): Promise<string> {
  const text = `tsbox: 1\nname: ${STACK}\ncontainers:\n  app:\n    command: [sleep, infinity]\n    restart: { policy: always, backoff: 20ms }\n${container}\n`;
  const file = box.write('stack.yaml', text);
  const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
  assert.is(applied.code, 0, applied.stderr + applied.stdout);
  const plan = await box.tsbox('plan', '-f', file, '--detailed-exitcode');
  assert.is(plan.code, 0, plan.stdout + plan.stderr);
  return applied.stdout + applied.stderr;
}

async function pidOf(box: Sandbox): Promise<number> {
  const { stdout } = await box.tsbox('ps', '--json', '--stack', STACK);
  return (JSON.parse(stdout) as Array<{ pid: number | null }>)[0]?.pid ?? 0;
}

function at(pid: number, target: string): MountInfo[] {
  return parseMountInfo(readFileSync(`/proc/${pid}/mountinfo`, 'utf8')).filter((m) => m.target === target);
}

function inside(pid: number, ...command: string[]): string {
  return execFileSync('nsenter', ['-t', String(pid), '-m', '-p', '--', ...command], { encoding: 'utf8' });
}

const mounts = (...lines: readonly string[]): string =>
  `    mounts:\n${lines.map((l) => `      - { ${l} }\n`).join('')}`;

test('image mounts: there, read-only, changed in place, put right when somebody touches them', async () => {
  await inBox(async (box) => {
    build(box, 'many', 'low', 'mid', 'high');
    build(box, 'single', 'only');
    await apply(box, '');
    const pid = await pidOf(box);
    const began = startTime(pid);
    const both = mounts(
      'image: "oci:./layout:many", target: /run/many',
      'image: "oci:./layout:single", target: /run/single, noexec: true',
    );
    const said = await apply(box, both);
    assert.match(said, /on \/run\/many: 3 of 3 layers unpacked, .* on \/run\/single: 1 of 1 layers unpacked/);
    assert.match(said, /container\/app\s+in place/);
    assert.is(inside(pid, 'cat', '/run/many/opt/0', '/run/many/opt/2', '/run/many/opt/top'), 'lowhighhigh');
    assert.is(inside(pid, 'cat', '/run/single/opt/top'), 'only');
    for (const target of ['/run/many', '/run/single']) {
      const [mount] = at(pid, target);
      assert.ok(
        ['ro', 'nosuid', 'nodev'].every((f) => mount?.options.includes(f)),
        mount?.options.join(','),
      );
      assert.throws(() => inside(pid, 'sh', '-c', `echo > ${target}/x`), /Read-only/);
    }
    assert.ok(at(pid, '/run/single')[0]?.options.includes('noexec'));
    assert.not.ok(
      parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8')).some((m) => m.root.includes('layers/sha256')),
      'nothing of it is seen on the host',
    );
    assert.match((await box.tsbox('images')).stdout, /layout:many .* gallery:app on \/run\/many/);
    assert.match((await box.tsbox('images', 'prune', '--dry-run')).stdout, 'Nothing to remove');

    inside(pid, 'umount', '/run/many');
    inside(pid, 'mount', '-o', 'remount,bind,rw,nosuid,nodev,noexec', '/run/single');
    const drift = await box.tsbox('drift', '-f', join(box.dir, 'stack.yaml'));
    assert.is(drift.code, 2);
    assert.match(drift.stdout, /mounts[^]*\/run\/many[^]*\/run\/single/);
    assert.match(await apply(box, both), /container\/app\s+in place/);
    assert.ok(at(pid, '/run/single')[0]?.options.includes('ro'));
    // Another image in its place is told by its layers, whatever its options.
    inside(pid, 'umount', '/run/single');
    inside(pid, 'mount', '-t', 'overlay', '-o', `ro,nosuid,nodev,noexec,lowerdir=/usr:/etc`, 'overlay', '/run/single');
    assert.is((await box.tsbox('drift', '-f', join(box.dir, 'stack.yaml'))).code, 2);
    await apply(box, both);
    assert.is(inside(pid, 'cat', '/run/single/opt/top'), 'only');

    // A tag that moves is a change; the old layers are swapped out without a moment between.
    const moved = build(box, 'many', 'low', 'new');
    const planned = await box.tsbox('plan', '-f', join(box.dir, 'stack.yaml'));
    assert.match(planned.stdout, new RegExp(`~ container/app[^]*layout:many@${moved}`));
    assert.match(await apply(box, both), '1 of 2 layers unpacked, 1 there already');
    assert.is(inside(pid, 'cat', '/run/many/opt/top'), 'new');
    assert.equal([at(pid, '/run/many').length, at(pid, '/run/single').length], [1, 1]);
    assert.equal([await pidOf(box), startTime(pid)], [pid, began], 'never restarted');

    // What its supervisor starts next has them too.
    process.kill(pid, 'SIGKILL');
    let again = pid;
    await until('another run', async () => (again = await pidOf(box)) !== pid && again > 0);
    await until('its mounts', () => Promise.resolve(existsSync(`/proc/${again}/root/run/many/opt/top`)));
    assert.is(inside(again, 'cat', '/run/many/opt/top', '/run/single/opt/top'), 'newonly');
    await apply(box, mounts('image: "oci:./layout:many", target: /run/many'));
    assert.equal([at(again, '/run/single').length, await pidOf(box)], [0, again]);
  });
});

test('in a user namespace, from the start; and what is not there is told at its line', async () => {
  await inBox(async (box) => {
    build(box, 'many', 'low', 'high');
    await apply(
      box,
      `${mounts('image: "oci:./layout:many", target: /run/many')}    namespaces: { user: { uids: [{ inside: 0, outside: 100000, count: 65536 }] } }`,
    );
    const pid = await pidOf(box);
    assert.is(inside(pid, 'cat', '/run/many/opt/0'), 'low');
    assert.is(statSync(`/proc/${pid}/root/run/many/opt/0`).uid, 0, 'ids are those of the image');
    const file = box.write(
      'bad.yaml',
      `tsbox: 1\nname: ${STACK}\ncontainers:\n  app:\n    command: [sleep, "1"]\n    mounts:\n      - { tmpfs: /run/x }\n      - { image: "oci:./layout:none", target: /run/y }\n`,
    );
    const bad = await box.tsbox('plan', '-f', file);
    assert.is(bad.code, 1);
    assert.match(bad.stderr, /\/run\/y: .*no image 'none'[^]*bad\.yaml:8:/);
    writeFileSync(join(box.dir, 'empty'), '');
    const twice = box.write('twice.yaml', readFileSync(file, 'utf8').replace('/run/y', '/run/x'));
    assert.match((await box.tsbox('validate', '-f', twice)).stderr, /something else is mounted on \/run\/x/);
  });
});

test.run();
