/** Long batches of reads: shared out over threads, answered in order, each path with its own error. */
import { mkdtempSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadNative } from '../../src/kernel/native.ts';
import { openReader } from '../../src/kernel/reader.ts';

const test = suite('batches');
const ENOENT = -2;
const EINVAL = -22;
const ENAMETOOLONG = -36;
/** Well above where sharing begins (native/batch.h), and no multiple of a block. */
const COUNT = 3001;

test('long batches answer as short ones do', () => {
  const native = loadNative();
  const dir = mkdtempSync(join(tmpdir(), 'tsbox-batch-'));
  try {
    for (let i = 0; i < 10; i++) {
      // Of every length around the buffers' sizes, one of them beyond.
      writeFileSync(join(dir, `f${i}`), String(i).repeat(i === 9 ? 200_000 : i * 1000));
      symlinkSync(`target-${i}`, join(dir, `l${i}`));
    }
    const odd = new Map<number, string>([
      [0, join(dir, 'missing')],
      [257, 'a\0b'],
      [1024, `/${'x'.repeat(5000)}`],
      [COUNT - 1, join(dir, 'missing')],
    ]);
    const errors = new Map([0, 257, 1024, COUNT - 1].map((i, n) => [i, [ENOENT, EINVAL, ENAMETOOLONG, ENOENT][n]]));
    const paths = (kind: string): string[] =>
      Array.from({ length: COUNT }, (_, i) => odd.get(i) ?? join(dir, `${kind}${i % 10}`));
    const files = native.readFiles(paths('f'));
    const links = native.readLinks(paths('l'));
    const stats = native.stats(paths('f'));
    assert.is(files.length, COUNT);
    for (let i = 0; i < COUNT; i++) {
      const expected = errors.get(i);
      const [file, link, stat] = [files[i], links[i], stats[i]];
      assert.equal(file, expected ?? String(i % 10).repeat(i % 10 === 9 ? 200_000 : (i % 10) * 1000), String(i));
      assert.is(link, expected ?? readlinkSync(join(dir, `l${i % 10}`)));
      assert.is(typeof stat === 'object' ? stat.ino : stat, expected ?? statSync(join(dir, `f${i % 10}`)).ino);
    }
    assert.equal(native.readFiles(paths('f').slice(0, 20)), files.slice(0, 20));
    assert.throws(() => native.readFiles([...paths('f'), 7 as unknown as string]), /string/);

    const begun = native.startReads([
      { call: 'readFiles', paths: paths('f') },
      { call: 'readLinks', paths: paths('l') },
      { call: 'readFiles', paths: [] },
      { call: 'readFiles', paths: paths('f').slice(0, 5) },
    ]);
    // In any order, those that are still to be read too.
    assert.equal(native.finishReads(begun, 3), files.slice(0, 5));
    assert.equal(native.finishReads(begun, 1), links);
    assert.equal(native.finishReads(begun, 0), files);
    assert.equal(native.finishReads(begun, 2), []);
    assert.throws(() => native.finishReads(begun, 4), /no such batch/);
    assert.throws(() => native.startReads([{ call: 'stats' as 'readFiles', paths: [] }]), /readFiles or readLinks/);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('what was read ahead answers once, and nothing but its very paths', () => {
  const dir = mkdtempSync(join(tmpdir(), 'tsbox-ahead-'));
  try {
    const reader = openReader({});
    const path = join(dir, 'f');
    const ahead = (): void => reader.readAhead([{ call: 'readFiles', paths: [path, path] }]);
    writeFileSync(path, 'before: \u00e9');
    ahead();
    // Time for the thread to have read it.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    writeFileSync(path, 'after');
    assert.equal(reader.readFiles([path]), ['after']);
    assert.equal(reader.readFiles([path, path]), ['before: \u00e9', 'before: \u00e9']);
    assert.equal(reader.readFiles([path, path]), ['after', 'after']);
    // Nobody has to ask for it: the process ends all the same.
    ahead();
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test.run();
