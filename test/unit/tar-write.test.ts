/** Tar headers as they are written: our own parser reads back what was meant, and GNU tar agrees. */
import { execFileSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TarParser, type TarEntry } from '../../src/kernel/tar/parser.ts';
import { padding, tarHeader, TAR_END, type OutEntry } from '../../src/kernel/tar/write.ts';

const PLAIN: OutEntry = {
  path: 'a',
  type: 'file',
  mode: 0o4755,
  uid: 1,
  gid: 2,
  time: { sec: 1_700_000_000, nsec: 0 },
  size: 0,
  link: '',
};

function read(archive: Buffer): { entries: TarEntry[]; data: Array<readonly [number, string]> } {
  const entries: TarEntry[] = [];
  const data: Array<readonly [number, string]> = [];
  const parser = new TarParser({
    entry: (e) => void entries.push(e),
    data: (bytes, offset) => void data.push([offset, bytes.toString()]),
    end: () => undefined,
  });
  parser.push(archive);
  parser.finish();
  return { entries, data };
}

test('what ustar has room for is ustar, one block each', () => {
  assert.is(tarHeader(PLAIN).length, 512);
  const entries: OutEntry[] = [
    PLAIN,
    { ...PLAIN, path: 'd/', type: 'dir', mode: 0o1777 },
    { ...PLAIN, path: 'l', type: 'symlink', link: '../x' },
    { ...PLAIN, path: 'h', type: 'link', link: 'a' },
  ];
  const found = read(Buffer.concat([...entries.map(tarHeader), TAR_END])).entries;
  assert.equal(
    found.map(({ path, type, mode, uid, gid, time, link }) => ({ path, type, mode, uid, gid, time, link, size: 0 })),
    entries,
  );
});

test('what it has no room for comes in a pax header', () => {
  const long = `${'long/'.repeat(60)}\xe4`;
  const odd: OutEntry[] = [
    { ...PLAIN, path: long },
    { ...PLAIN, type: 'symlink', link: long },
    { ...PLAIN, uid: 4_000_000_000, gid: 3_000_000_000 },
    { ...PLAIN, time: { sec: 5, nsec: 123_456_789 } },
    { ...PLAIN, time: { sec: -5, nsec: 250_000_000 } },
    { ...PLAIN, time: { sec: -1, nsec: 500_000_000 } },
  ];
  const found = read(Buffer.concat([...odd.map(tarHeader), TAR_END])).entries;
  assert.equal(
    found.map(({ path, uid, gid, time, link }) => [path, uid, gid, time, link]),
    odd.map(({ path, uid, gid, time, link }) => [path, uid, gid, time, link]),
  );
  // More than 8 GiB, of which a hole is nearly all.
  const size = 2 ** 40;
  const sparse = { ...PLAIN, size, pieces: [4096, 5, size - 3, 3] };
  const archive = Buffer.concat([tarHeader(sparse), Buffer.from('herelow'), Buffer.from('x'), padding(8), TAR_END]);
  const { entries, data } = read(archive);
  assert.is(entries[0]?.size, size);
  assert.is(entries[0]?.path, 'a');
  assert.equal(data, [
    [4096, 'herel'],
    [size - 3, 'owx'],
  ]);
  const listed = execFileSync('tar', ['-tv', '--numeric-owner'], {
    input: Buffer.concat([...odd.map(tarHeader), archive]),
    env: { ...process.env, TZ: 'UTC', LC_ALL: 'C', QUOTING_STYLE: 'literal' },
    encoding: 'latin1',
  });
  const lines = listed.trimEnd().split('\n');
  assert.ok(lines[0]?.includes('long/long/'), listed);
  assert.match(lines[2] ?? '', '4000000000/3000000000');
  assert.match(lines[6] ?? '', /1099511627776 .* a$/);
});

test.run();
