/** cp as a stream: what an archive keeps on its way out and in, and what one made to harm cannot do. */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, constants, existsSync, lstatSync, mkdirSync, mkdtempSync, openSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TarIn } from '../../src/cli/cp/tar-in.ts';
import { openWithin } from '../../src/kernel/container-root.ts';
import { openKernel } from '../../src/kernel/kernel.ts';
import { TarParser } from '../../src/kernel/tar/parser.ts';
import { tar, type Entry } from '../support/image.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { CLI, sandbox } from '../support/sandbox.ts';
import { until } from '../support/wait.ts';

const ROOT = { owner: (uid: number, gid: number) => ({ uid, gid }), setid: true };

interface World {
  readonly target: string;
  readonly outside: string;
  readonly into: (archive: Buffer) => TarIn['copied'];
}

function inWorld(body: (world: World) => void): void {
  const dir = mkdtempSync(join(tmpdir(), 'tsbox-tar-'));
  const [target, outside] = [join(dir, 'target'), join(dir, 'outside')];
  mkdirSync(target);
  mkdirSync(outside);
  writeFileSync(join(outside, 'victim'), 'as it was');
  const kernel = openKernel(process.env);
  const into = (archive: Buffer): TarIn['copied'] => {
    const fd = openSync(target, constants.O_RDONLY | constants.O_DIRECTORY);
    const sink = new TarIn((path, flags) => openWithin(kernel, fd, path, flags), ROOT);
    try {
      const parser = new TarParser(sink);
      parser.push(archive);
      parser.finish();
      sink.finish();
      return sink.copied;
    } finally {
      sink.closeAll();
      closeSync(fd);
    }
  };
  try {
    body({ target, outside, into });
    assert.is(readFileSync(join(outside, 'victim'), 'utf8'), 'as it was');
    assert.is(statSync(join(outside, 'victim')).nlink, 1);
    assert.is(statSync(outside).mode & 0o777, 0o755);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const link = (name: string, to: string): Entry => ({ name, type: '2', link: to });
const hard = (name: string, to: string): Entry => ({ name, type: '1', link: to });

test('archives made to harm are refused by the name of the entry, and reach nothing outside', () => {
  const refused: ReadonlyArray<readonly [what: string, entries: readonly Entry[], message: RegExp]> = [
    ['a name that climbs', [{ name: '../outside/new' }], /entry '\.\.\/outside\/new' is refused: its name goes up/],
    ['on its way', [{ name: 'a/../../outside/new' }], /goes up/],
    ['an absolute name', [{ name: '/tmp/evil' }], /entry '\/tmp\/evil' is refused: its name is absolute/],
    ['a NUL', [{ name: 'ok', pax: { path: 'a\0b' } }], /its name has a NUL/],
    ['a hard link out', [hard('a', '../outside/victim')], /what it links to goes up/],
    ['a hard link to nothing', [hard('a', 'no/such')], /entry 'a' is refused: 'no' is not there/],
    ['through a link that climbs', [link('l', '../../outside'), { name: 'l/victim', data: 'x' }], /mkdir 'l\/victim': EEXIST/],
    ['through an absolute link', [link('l', '/outside'), hard('a', 'l/victim')], /entry 'a' is refused: 'l' is not there/],
    ['a claim of everything', [{ name: 'big', pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': String(2 ** 52), 'GNU.sparse.name': 'big' }, data: `0\n${'\0'.repeat(510)}` }], /entry 'big' is refused: it claims 4503599627370496 bytes/], // prettier-ignore
    ['an owner that is none', [{ name: 'a', pax: { uid: '4294967295' } }], /its owner is not an id/],
    ['a file where a directory is', [{ name: 'd', type: '5' }, { name: 'd', data: 'x' }], /d is a directory there/],
    ['a directory where a file is', [{ name: 'f' }, { name: 'f', type: '5' }], /open f: ENOTDIR/],
  ]; // prettier-ignore
  for (const [what, entries, message] of refused) {
    inWorld(({ into }) => {
      assert.throws(
        () => into(tar(entries)),
        (error: Error) => {
          assert.match(error.message, message, what);
          return true;
        },
      );
    });
  }
  inWorld(({ target, outside, into }) => {
    // Links are made as they are; what is written through them stays beneath the target.
    symlinkSync(outside, join(target, 'there'));
    mkdirSync(join(target, outside), { recursive: true });
    into(tar([link('l', '/etc/passwd'), { name: 'l', data: 'mine' }, { name: 'there/victim', data: 'mine' }]));
    assert.is(readFileSync(join(target, 'l'), 'utf8'), 'mine');
    assert.is(readFileSync(join(target, outside, 'victim'), 'utf8'), 'mine');
    const { skipped } = into(
      tar([
        { name: 'sda', type: '4', major: 8 },
        { name: 'null', type: '3', major: 1, minor: 3 },
      ]),
    );
    assert.equal(skipped, [
      "'sda': neither a file, a directory nor a link",
      "'null': neither a file, a directory nor a link",
    ]);
    assert.not(existsSync(join(target, 'sda')));
  });
});

test('owners, modes, times, links and holes, out of one container and into another', async () => {
  const before = await snapshot();
  const box = await sandbox('cp-tar');
  const run = (args: readonly string[], input?: Buffer): { code: number | null; out: Buffer; err: string } => {
    const done = spawnSync(process.execPath, [CLI, ...args], { env: box.env, cwd: box.dir, input, maxBuffer: 2 ** 28 });
    return { code: done.status, out: done.stdout, err: done.stderr.toString() };
  };
  try {
    const make =
      'mkdir -p tree/sub; echo one > tree/one; chown 12:34 tree/one; chmod 4751 tree/one; touch -d @1000000000.5 tree/one; ln tree/one tree/sub/two; ln -s ../one tree/sub/link; truncate -s 1T tree/sparse; printf end | dd of=tree/sparse bs=1 seek=1000000 conv=notrunc 2>/dev/null; mkfifo tree/pipe; chmod 1733 tree/sub; mkdir in; touch done; exec sleep infinity';
    box.write(
      'tsbox.yaml',
      `tsbox: 1
name: tars
containers:
  from: { command: [sh, -c, 'cd /tmp; ${make}'], capabilities: [CHOWN, FOWNER, FSETID] }
  to: { command: [sh, -c, 'cd /tmp; ${make}'], capabilities: [CHOWN, FOWNER, FSETID], namespaces: { user: { uids: [{ inside: 0, outside: 200000, count: 1000 }], gids: [{ inside: 0, outside: 200000, count: 1000 }] } } }
`,
    );
    assert.is((await box.tsbox('apply', '--auto-approve')).code, 0);
    const { stdout } = await box.tsbox('ps', '--json');
    const pid = (JSON.parse(stdout) as { name: string; pid: number }[]).find((r) => r.name === 'to')?.pid ?? 0;
    await until('their files', () => existsSync(`/proc/${pid}/root/tmp/done`));

    const out = run(['cp', 'from:/tmp/tree', '-']);
    assert.is(out.code, 1, out.err);
    assert.match(out.err, 'not copied: pipe: neither a file');
    assert.match(out.err, '4 files copied');
    assert.ok(out.out.length < 100_000, 'the hole of a tebibyte is not written out');
    writeFileSync(join(box.dir, 'out.tar'), out.out);
    const listed = execFileSync('tar', ['-tvf', join(box.dir, 'out.tar'), '--numeric-owner'], { encoding: 'utf8' });
    assert.match(listed, /^drwxr-xr-x 0\/0 .* tree\/$/m);
    assert.match(listed, /^-rwsr-x--x 12\/34 .* tree\/one$/m);
    assert.match(listed, /^hrwsr-x--x 12\/34 .* tree\/sub\/two link to tree\/one$/m);
    assert.match(listed, /^lrwxrwxrwx .* tree\/sub\/link -> \.\.\/one$/m);
    assert.match(listed, /^drwx-wx-wt .* tree\/sub\/$/m);
    const contents = run(['cp', '--quiet', 'from:/tmp/tree/sub/.', '-']);
    const names = execFileSync('tar', ['-t'], { input: contents.out, encoding: 'utf8' }).trimEnd().split('\n');
    assert.equal(names.sort(), ['link', 'two']);

    // Packed, into a container with other ids.
    const into = run(['cp', '-', 'to:/tmp/in'], gzipSync(out.out));
    assert.is(into.code, 0, into.err);
    assert.match(into.out.toString(), '4 files copied');
    const at = (name: string): string => `/proc/${pid}/root/tmp/in/tree/${name}`;
    const one = lstatSync(at('one'));
    assert.equal(
      [one.mode & 0o7777, one.uid, one.gid, one.mtimeMs, one.nlink],
      [0o4751, 200_012, 200_034, 1e12 + 500, 2],
    );
    assert.is(lstatSync(at('sub/two')).ino, one.ino);
    assert.is(readlinkSync(at('sub/link')), '../one');
    assert.is(lstatSync(at('sub')).mode & 0o7777, 0o1733);
    const sparse = lstatSync(at('sparse'));
    assert.is(sparse.size, 2 ** 40);
    assert.ok(sparse.blocks * 512 < 2 ** 20);
    assert.is((await box.tsbox('exec', 'to', '--', 'sh', '-c', 'cmp -n 2000000 /tmp/tree/sparse /tmp/in/tree/sparse && echo same')).stdout, 'same\n'); // prettier-ignore

    for (const [args, input, message] of [
      [['cp', '-', 'to:/tmp/none'], tar([]), /\/tmp\/none does not exist/],
      [
        ['cp', '-', 'to:/tmp/in'],
        Buffer.from('no archive '.repeat(100)),
        /standard input: a header has a wrong checksum/,
      ],
      [['cp', '-', 'to:/tmp/in'], out.out.subarray(0, 700), /standard input: the archive is cut short/],
      [['cp', '-', 'to:/tmp/in'], tar([{ name: '../../up' }]), /entry '\.\.\/\.\.\/up' is refused/],
      [['cp', '-', './here'], tar([]), /one of source and target is in a container/],
    ] as const) {
      const { code, err } = run([...args], input);
      assert.is(code, 1, args.join(' '));
      assert.match(err, message);
    }
    assert.is((await box.tsbox('destroy', '--stack', 'tars', '--auto-approve')).code, 0);
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
});

test.run();
