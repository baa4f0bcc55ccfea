/** Roots of several directories: order, whiteouts between them, what is written and where it stays. */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseMountInfo } from '../../src/kernel/proc.ts';
import { busyboxRoot } from '../support/image.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { sandbox, type Sandbox } from '../support/sandbox.ts';

async function inBox(body: (box: Sandbox) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox('overlay');
  try {
    await body(box);
    assert.is((await box.tsbox('destroy', '--stack', 'layered', '--auto-approve')).code, 0);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
}

function stackOf(box: Sandbox, rootfs: string): string {
  return box.write(
    'stack.yaml',
    `tsbox: 1\nname: layered\ncontainers:\n  app:\n    rootfs: ${rootfs}\n    command: [ /bin/sleep, "1000" ]\n`,
  );
}

async function apply(box: Sandbox, file: string): Promise<void> {
  const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
  assert.is(applied.code, 0, applied.stderr + applied.stdout);
  const again = await box.tsbox('plan', '-f', file, '--detailed-exitcode');
  assert.is(again.code, 0, again.stdout + again.stderr);
}

async function pidOf(box: Sandbox): Promise<number> {
  const rows = JSON.parse((await box.tsbox('ps', '--json', '--stack', 'layered')).stdout) as Array<{ pid: number }>;
  return rows[0]?.pid ?? 0;
}

test('the topmost directory wins, and none of them is written', async () => {
  await inBox(async (box) => {
    const base = busyboxRoot(join(box.dir, 'base'));
    for (const [layer, text] of [
      ['middle', 'middle'],
      ['top,with:odd\\letters', 'top'],
    ] as const) {
      mkdirSync(join(box.dir, layer, 'etc'), { recursive: true });
      writeFileSync(join(box.dir, layer, 'etc/which'), text);
      writeFileSync(join(box.dir, layer, `etc/${text}`), text);
    }
    writeFileSync(join(base, 'etc/which'), 'base');
    chmodSync(join(box.dir, 'top,with:odd\\letters'), 0o711);
    const file = stackOf(box, `{ overlay: [ 'top,with:odd\\letters', middle, base ] }`);
    await apply(box, file);
    const pid = await pidOf(box);
    const root = `/proc/${pid}/root`;
    assert.is(readFileSync(`${root}/etc/which`, 'utf8'), 'top');
    assert.ok(existsSync(`${root}/etc/middle`) && existsSync(`${root}/bin/busybox`));
    assert.is(statSync(root).mode & 0o7777, 0o711, 'the root directory is that of the topmost layer');
    const said = await box.tsbox(
      'exec',
      'container/layered:app',
      '--',
      '/bin/sh',
      '-c',
      'echo new > /etc/which && rm /etc/middle',
    );
    assert.is(said.code, 0, said.stderr);
    assert.is(readFileSync(join(box.dir, 'top,with:odd\\letters/etc/which'), 'utf8'), 'top');
    assert.ok(existsSync(join(box.dir, 'middle/etc/middle')));
    assert.not.ok(existsSync(`${root}/etc/middle`));
    const mount = parseMountInfo(readFileSync(`/proc/${pid}/mountinfo`, 'utf8')).find((m) => m.target === '/');
    assert.is(mount?.fstype, 'overlay');
  });
});

test('127 directories with long paths', async () => {
  await inBox(async (box) => {
    const base = busyboxRoot(join(box.dir, 'base'));
    const long = join(box.dir, 'x'.repeat(200), 'y'.repeat(100));
    const dirs = Array.from({ length: 126 }, (_, i) => join(long, String(i)));
    for (const [i, dir] of dirs.entries()) {
      mkdirSync(dir, { recursive: true });
      writeFileSync(join(dir, `file${i}`), String(i));
      writeFileSync(join(dir, 'which'), String(i));
    }
    await apply(box, stackOf(box, `{ overlay: [ ${[...dirs, base].join(', ')} ] }`));
    const root = `/proc/${await pidOf(box)}/root`;
    assert.is(readFileSync(`${root}/which`, 'utf8'), '0');
    for (const i of dirs.keys()) {
      assert.is(readFileSync(`${root}/file${i}`, 'utf8'), String(i));
    }
  });
});

test('upper keeps what is written over a replacement', async () => {
  await inBox(async (box) => {
    busyboxRoot(join(box.dir, 'base'));
    const file = stackOf(box, '{ dir: base, upper: kept }');
    await apply(box, file);
    const wrote = await box.tsbox(
      'exec',
      'container/layered:app',
      '--',
      '/bin/sh',
      '-c',
      'echo kept > /etc/note; rm /bin/ls',
    );
    assert.is(wrote.code, 0, wrote.stderr);
    writeFileSync(file, readFileSync(file, 'utf8').replace('"1000"', '"1001"'));
    await apply(box, file);
    const root = `/proc/${await pidOf(box)}/root`;
    assert.is(readFileSync(`${root}/etc/note`, 'utf8'), 'kept\n');
    assert.not.ok(existsSync(`${root}/bin/ls`));
    assert.ok(existsSync(join(box.dir, 'base/bin/ls')), 'the directory below is as it was');
    assert.ok(existsSync(join(box.dir, 'kept/upper/etc/note')));
    const planned = await box.tsbox('plan', '-f', file, '--json');
    assert.is(planned.code, 0);
    writeFileSync(file, readFileSync(file, 'utf8').replace('upper: kept', 'upper: other'));
    const moved = await box.tsbox('plan', '-f', file);
    assert.match(moved.stdout, /rootfs .*forces replacement/);
    assert.match(moved.stdout, /writes\s+kept\s+in\s[^]*\/kept[^]*writes\s+kept\s+in\s[^]*\/other/);
  });
});

test('names of users are looked up layer by layer; a directory that is not there is named', async () => {
  await inBox(async (box) => {
    busyboxRoot(join(box.dir, 'base'));
    writeFileSync(join(box.dir, 'base/etc/passwd'), 'web:x:1234:1235::/:/bin/sh\n');
    mkdirSync(join(box.dir, 'top'));
    const file = stackOf(box, '{ overlay: [ top, base ] }\n    user: web');
    await apply(box, file);
    const status = readFileSync(`/proc/${await pidOf(box)}/status`, 'utf8');
    assert.match(status, /^Uid:\t1234\t1234/m);
    assert.match(status, /^Gid:\t1235\t1235/m);
    rmSync(join(box.dir, 'top'), { recursive: true });
    writeFileSync(file, readFileSync(file, 'utf8').replace('"1000"', '"1001"'));
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 1, applied.stdout + applied.stderr);
    assert.match(applied.stderr, `there is no ${join(box.dir, 'top')} for its root`);
  });
});

test.run();
