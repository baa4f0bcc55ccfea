/** Layers made to harm: each is refused with the entry's name, nothing outside is touched and nothing half is left. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LAYER_LIMITS, type LayerLimits } from '../../src/kernel/layer-writer.ts';
import { layerDirectory, unpackLayer } from '../../src/kernel/layer-store.ts';
import { loadNative } from '../../src/kernel/native.ts';
import { sha256, tar, type Entry } from '../support/image.ts';

interface World {
  readonly dir: string;
  readonly state: string;
}

async function inWorld(body: (world: World) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'tsbox-layers-'));
  mkdirSync(join(dir, 'outside'));
  writeFileSync(join(dir, 'outside/victim'), 'as it was');
  try {
    await body({ dir, state: join(dir, 'state') });
    assert.equal(readdirSync(join(dir, 'outside')), ['victim']);
    assert.is(readFileSync(join(dir, 'outside/victim'), 'utf8'), 'as it was');
    assert.is(statSync(join(dir, 'outside/victim')).nlink, 1);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function unpack(
  { dir, state }: World,
  bytes: Buffer,
  limits: LayerLimits = LAYER_LIMITS,
  digest?: string,
): Promise<string> {
  const path = join(dir, 'layer');
  writeFileSync(path, bytes);
  const key = 'a'.repeat(64);
  const range = { path, start: 0, size: bytes.length };
  const source = { what: 'layer x', range, digest: digest ?? sha256(bytes), diffId: null, key };
  await unpackLayer(loadNative(), state, source, [], limits);
  return layerDirectory(state, key);
}

async function refusal(bytes: Buffer, limits?: LayerLimits, digest?: string): Promise<string> {
  let message = '';
  await inWorld(async (world) => {
    try {
      await unpack(world, bytes, limits, digest);
    } catch (error) {
      message = (error as Error).message;
    }
    assert.ok(message !== '', 'it was unpacked');
    for (const kind of ['sha256', 'partial']) {
      assert.equal(readdirSync(join(world.state, 'layers', kind)), [], `left in ${kind}`);
    }
  });
  return message;
}

const link = (name: string, to: string): Entry => ({ name, type: '2', link: to });
const hard = (name: string, to: string): Entry => ({ name, type: '1', link: to });
const LONG = 'd/'.repeat(2100);

const REFUSED: ReadonlyArray<readonly [what: string, entries: readonly Entry[], message: RegExp]> = [
  ['a name that climbs', [{ name: '../outside/new' }], /entry '\.\.\/outside\/new' is refused: its name goes up/],
  ['a name that climbs on its way', [{ name: 'a/../../outside/new' }], /goes up/],
  ['an absolute name', [{ name: '/tmp/evil' }], /entry '\/tmp\/evil' is refused: its name is absolute/],
  ['a name in an extended header', [{ name: 'ok', pax: { path: '../evil' } }], /entry '\.\.\/evil' is refused/],
  ['a NUL in a name', [{ name: 'ok', pax: { path: 'a\0b' } }], /entry 'a\\u\{0\}b' is refused: its name has a NUL/],
  [
    'a file through a link',
    [link('etc', '/tmp'), { name: 'etc/evil' }],
    /entry 'etc\/evil' is refused: 'etc' on its way is a link/,
  ],
  [
    'a file through links through links',
    [link('a', 'b'), link('b', '/tmp'), { name: 'a/evil' }],
    /'a' on its way is a link/,
  ],
  [
    'a directory where a link was',
    [link('a', '/tmp'), { name: 'a', type: '5' }],
    /entry 'a' is refused: it is there twice/,
  ],
  ['a file over a link', [link('a', '../outside/victim'), { name: 'a', data: 'x' }], /refused/],
  [
    'a link that climbs out',
    [link('a/b', '../../etc/passwd')],
    /entry 'a\/b' is refused: it links to '\.\.\/\.\.\/etc\/passwd', which is out/,
  ],
  ['a hard link out', [hard('a', '../outside/victim')], /entry 'a' is refused: what it links to goes up/],
  ['a hard link to an absolute name', [hard('a', '/etc/passwd')], /what it links to is absolute/],
  ['a hard link to what is not there', [hard('a', 'etc/passwd')], /which is no file before it/],
  ['a hard link to a directory', [{ name: 'd', type: '5' }, hard('a', 'd')], /which is no file before it/],
  ['a hard link through a link', [link('l', '/etc'), hard('a', 'l/passwd')], /which is no file before it/],
  ['a disk', [{ name: 'dev/sda', type: '4', major: 8 }], /entry 'dev\/sda' is refused: it is the device b 8:0/],
  ['a character device', [{ name: 'x', type: '3', major: 10, minor: 200 }], /it is the device c 10:200/],
  ["overlayfs's own whiteout", [{ name: 'x', type: '3' }], /it is the device c 0:0/],
  [
    'an attribute of overlayfs',
    [{ name: 'x', pax: { 'SCHILY.xattr.trusted.overlay.redirect': '/etc' } }],
    /attribute 'trusted\.overlay\.redirect'/,
  ],
  ['a whiteout of the parent', [{ name: 'a/.wh...' }], /entry 'a\/\.wh\.\.\.' is refused: it hides '\.\.'/],
  ['a whiteout of the directory itself', [{ name: 'a/.wh..' }], /it hides '\.'/],
  ['a whiteout of nothing', [{ name: '.wh.' }], /it hides ''/],
  ['a whiteout that is a link', [link('.wh.a', '/etc')], /a whiteout is an empty file/],
  [
    'a file twice',
    [
      { name: 'a', data: '1' },
      { name: 'a', data: '2' },
    ],
    /entry 'a' is refused: it is there twice/,
  ],
  [
    'a file under another spelling',
    [{ name: 'a/b' }, { name: './a//b' }],
    /entry '\.\/a\/\/b' is refused: it is there twice/,
  ],
  ['a file in a file', [{ name: 'a', data: '1' }, { name: 'a/b' }], /'a' on its way is no directory/],
  ['a path that is too long', [{ name: 'x', pax: { path: `${LONG}x` } }], /its name is too long/],
  ['a name that is too long', [{ name: 'x', pax: { path: 'x'.repeat(256) } }], /its name is too long/],
  ['a name with control characters', [{ name: '../\x1b[2J\n' }], /entry '\.\.\/\\u\{1b\}\[2J\\u\{a\}' is refused/],
  ['an owner that is no id', [{ name: 'x', pax: { uid: '4294967295' } }], /its owner is not an id/],
  ['an unknown type', [{ name: 'x', type: 'Z' }], /unknown type 'Z'/],
  [
    'a global header that renames all',
    [{ name: 'g', type: 'g', data: '16 path=../evil\n' }, { name: 'x' }],
    /global header sets path/,
  ],
  ['an extended header without end', [{ name: 'x', type: 'x', size: 2 ** 31 }], /extended header of 2147483648 bytes/],
  [
    'a malformed extended header',
    [{ name: 'x', type: 'x', data: '99 path=x\n' }, { name: 'y' }],
    /extended header is malformed/,
  ],
  [
    'a sparse file of overlapping pieces',
    [{ name: 'x', data: 'ab', pax: { 'GNU.sparse.size': '9', 'GNU.sparse.map': '0,1,0,1' } }],
    /overlap/,
  ],
  [
    'a sparse file larger than it says',
    [{ name: 'x', data: 'ab', pax: { 'GNU.sparse.size': '1', 'GNU.sparse.map': '0,2' } }],
    /do not fit its size/,
  ],
  [
    'a sparse giant',
    [{ name: 'x', data: 'a', pax: { 'GNU.sparse.size': '9000000000000000', 'GNU.sparse.map': '0,1' } }],
    /entry 'x' is refused: with it the layer has more than/,
  ],
];

for (const [what, entries, message] of REFUSED) {
  test(`${what} is refused`, async () => {
    assert.match(await refusal(tar(entries)), message);
    assert.match(await refusal(gzipSync(tar([{ name: 'innocent', data: 'x'.repeat(3000) }, ...entries]))), message);
  });
}

test('sizes that lie, damage and foreign data are refused', async () => {
  const good = tar([{ name: 'a', data: 'x'.repeat(2000) }]);
  assert.match(await refusal(tar([{ name: 'a', data: 'x', size: 5000 }], false)), /cut short/);
  assert.match(await refusal(good.subarray(0, 1000)), /cut short/);
  assert.match(await refusal(Buffer.from('#!/bin/sh\n'.repeat(100))), /wrong checksum/);
  const flipped = Buffer.from(good);
  flipped[3] = 0x41;
  assert.match(await refusal(flipped), /wrong checksum/);
  assert.match(await refusal(gzipSync(good).subarray(0, 60)), /unexpected end of file/);
  assert.match(await refusal(good, undefined, sha256(Buffer.from('other'))), /damaged or forged/);
});

test('too many entries, too many bytes and bombs are refused', async () => {
  const many = tar(Array.from({ length: 12 }, (_, i) => ({ name: `f${i}` })));
  assert.match(
    await refusal(many, { ...LAYER_LIMITS, entries: 10 }),
    /entry 'f10' is refused: it is one of more than 10 entries/,
  );
  const large = tar([
    { name: 'a', data: 'x'.repeat(600) },
    { name: 'b', data: 'x'.repeat(600) },
  ]);
  assert.match(
    await refusal(large, { ...LAYER_LIMITS, bytes: 1000 }),
    /entry 'b' is refused: with it the layer has more than 1000 bytes/,
  );
  const zeros = gzipSync(tar([{ name: 'z', data: Buffer.alloc(280 * 2 ** 20) }]), { level: 1 });
  assert.match(await refusal(zeros), /grows to more than 250 times its size/);
});

test('what only differs in case is two files, or refused where the file system takes it for one', async () => {
  await inWorld(async (world) => {
    const path = await unpack(
      world,
      tar([link('A', '/tmp'), { name: 'a/x', data: '1' }, { name: '.WH.x', data: '2' }]),
    );
    assert.ok(lstatSync(join(path, 'A')).isSymbolicLink() && lstatSync(join(path, 'a')).isDirectory());
    assert.is(readFileSync(join(path, '.WH.x'), 'utf8'), '2');
    assert.not.ok(existsSync('/tmp/x'));
  });
});

test('the usual nodes of a system are left out; setuid bits, odd names and times are kept', async () => {
  await inWorld(async (world) => {
    const path = await unpack(
      world,
      tar([
        { name: './', type: '5', mode: 0o711 },
        { name: 'dev/null', type: '3', major: 1, minor: 3 },
        { name: 'su', mode: 0o4755, uid: 5, gid: 6, data: 'x', mtime: 1_234_567 },
        { name: 'x', pax: { path: 'line\nbreak \u00e9', mtime: '1700000001.25', uid: '70000' } },
        { name: 'pipe', type: '6' },
        { name: 'dir/', type: '5', mode: 0o1777, mtime: 1_111_111 },
        { name: 'dir/inner', data: 'x' },
        hard('same', 'su'),
      ]),
    );
    assert.not.ok(existsSync(join(path, 'dev/null')));
    const su = statSync(join(path, 'su'));
    assert.equal([su.mode & 0o7777, su.uid, su.gid, su.mtimeMs, su.nlink], [0o4755, 5, 6, 1_234_567_000, 2]);
    const odd = statSync(join(path, 'line\nbreak \u00e9'));
    assert.equal([odd.mtimeMs, odd.uid], [1_700_000_001_250, 70_000]);
    assert.ok(lstatSync(join(path, 'pipe')).isFIFO());
    assert.equal(
      [statSync(join(path, 'dir')).mode & 0o7777, statSync(join(path, 'dir')).mtimeMs],
      [0o1777, 1_111_111_000],
    );
    assert.is(statSync(path).mode & 0o7777, 0o711);
  });
});

test.run();
