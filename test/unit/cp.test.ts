/** Copying between directories held by descriptors, and the owners that files get on the other side. */
import {
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  chmodSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { containerPath, copy, openHere } from '../../src/cli/cp/copy.ts';
import { idOutside } from '../../src/cli/cp/ids.ts';
import { idInside, parseIdMap } from '../../src/kernel/proc.ts';
import { copyTree } from '../../src/cli/cp/tree.ts';

const RULES = { owner: (uid: number, gid: number) => ({ uid, gid }), setid: false };

function inDirectory(body: (dir: string) => void): void {
  const dir = mkdtempSync(join(tmpdir(), 'tsbox-test-'));
  try {
    body(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test('modes, times and links are kept, set-id bits are not; what is there is replaced', () => {
  inDirectory((dir) => {
    mkdirSync(join(dir, 'from/sub'), { recursive: true });
    writeFileSync(join(dir, 'from/tool'), 'x'.repeat(3_000_000));
    chmodSync(join(dir, 'from/tool'), 0o4751);
    utimesSync(join(dir, 'from/tool'), 1000, 2000);
    symlinkSync('/nowhere', join(dir, 'from/sub/link'));
    chmodSync(join(dir, 'from/sub'), 0o1755);
    mkdirSync(join(dir, 'to'));
    symlinkSync('/etc/passwd', join(dir, 'to/tool'));
    const copied = copy(openHere, `${dir}/from/.`, openHere, join(dir, 'to'), RULES);
    assert.equal(copied, { files: 2, skipped: [] });
    const stat = lstatSync(join(dir, 'to/tool'));
    assert.ok(stat.isFile(), 'the link that was there is gone, and nothing was written through it');
    assert.is(stat.mode & 0o7777, 0o751);
    assert.is(stat.mtimeMs, 2_000_000);
    assert.is(stat.size, 3_000_000);
    assert.is(readlinkSync(join(dir, 'to/sub/link')), '/nowhere');
    assert.is(lstatSync(join(dir, 'to/sub')).mode & 0o7777, 0o1755);
  });
});

test('where a copy goes', () => {
  inDirectory((dir) => {
    const path = (name: string): string => join(dir, name);
    const run = (from: string, to: string): unknown => copy(openHere, path(from), openHere, dir + '/' + to, RULES);
    writeFileSync(path('file'), 'text');
    mkdirSync(path('tree'));
    writeFileSync(path('tree/leaf'), 'leaf');
    mkdirSync(path('place'));
    run('file', 'place');
    assert.is(readFileSync(path('place/file'), 'utf8'), 'text');
    run('file', 'place/other');
    assert.ok(existsSync(path('place/other')));
    run('tree', 'place');
    assert.ok(existsSync(path('place/tree/leaf')));
    run('tree', 'place/renamed');
    assert.ok(existsSync(path('place/renamed/leaf')));
    assert.throws(() => run('file', 'place/new/'), /place\/new\/ does not exist/);
    assert.throws(() => run('file', 'no/such'), /no does not exist/);
    assert.throws(() => run('none', 'place'), /none does not exist/);
    assert.throws(() => run('tree', 'file'), /is no directory, so the directory/);
    mkdirSync(path('place/file2'));
    writeFileSync(path('file2'), '');
    assert.throws(() => run('file2', 'place'), /file2 is a directory there/);
  });
});

test('a link that takes the place of a name is not followed', () => {
  inDirectory((dir) => {
    mkdirSync(join(dir, 'inside'));
    mkdirSync(join(dir, 'outside'));
    writeFileSync(join(dir, 'outside/secret'), 'secret');
    symlinkSync('../outside', join(dir, 'inside/dir'));
    mkdirSync(join(dir, 'tree/dir'), { recursive: true });
    writeFileSync(join(dir, 'tree/dir/mine'), 'mine');
    // Into it: the directory that the copy would go on with is a link by now.
    assert.throws(() => copy(openHere, `${dir}/tree/.`, openHere, join(dir, 'inside'), RULES), /ENOTDIR|ELOOP/);
    assert.not.ok(existsSync(join(dir, 'outside/mine')));
    const fd = openSync(join(dir, 'inside'), constants.O_DIRECTORY);
    const out = openSync(dir, constants.O_DIRECTORY);
    try {
      copyTree({ dir: fd, name: Buffer.from('dir') }, { dir: out, name: Buffer.from('got') }, RULES, {
        files: 0,
        skipped: [],
      });
      assert.is(readlinkSync(join(dir, 'got')), '../outside', 'the link, not what it leads to');
    } finally {
      closeSync(fd);
      closeSync(out);
    }
  });
});

test('owners', () => {
  const map = parseIdMap('         0     100000      65536\n     70000       1000          1\n');
  assert.is(idInside(map, 100_000), 0);
  assert.is(idInside(map, 1000), 70_000);
  assert.is(idInside(map, 0), undefined, 'nobody');
  assert.equal(parseIdMap('0 1\nx 2 3\n\n'), [], 'lines that are none');
  assert.is(idOutside(map, 33), 100_033);
  assert.is(idOutside(map, 70_000), 1000);
  assert.is(idOutside(map, 90_000), 100_000, "the container's root");
});

test('paths in the container', () => {
  assert.is(containerPath('etc/x'), '/etc/x');
  assert.is(containerPath('/etc/../x'), '/etc/../x', 'left to the kernel');
  assert.is(containerPath('data/.'), '/data/.');
});

test.run();
