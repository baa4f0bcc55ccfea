/** Files that -o and fmt write: whole, at once, and only where they belong. */
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hideSecrets } from '../../src/cli/output.ts';
import { outOrFile, writeWhole } from '../../src/cli/write-file.ts';
import type { Arguments } from '../../src/cli/args.ts';
import { TsboxError } from '../../src/errors.ts';

let dir: string;
test.before.each(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsbox-write-'));
});
test.after.each(() => rmSync(dir, { recursive: true, force: true }));

const read = (name: string): string => readFileSync(join(dir, name), 'utf8');
const mode = (name: string): number => statSync(join(dir, name)).mode & 0o7777;
const refusal = (path: string): string => {
  try {
    writeWhole(path, 'x');
  } catch (error) {
    assert.instance(error, TsboxError);
    return `${(error as TsboxError).code} ${(error as TsboxError).message.replace(dir, '')}`;
  }
  return 'written';
};

test('modes: the umask for what is new, the old one for what is there, the given one always', () => {
  const before = process.umask(0o027);
  try {
    writeWhole(join(dir, 'a'), 'new');
    assert.is(mode('a'), 0o640);
  } finally {
    process.umask(before);
  }
  chmodSync(join(dir, 'a'), 0o604);
  const old = statSync(join(dir, 'a')).ino;
  writeWhole(join(dir, 'a'), 'again');
  assert.equal([read('a'), mode('a')], ['again', 0o604]);
  assert.is.not(statSync(join(dir, 'a')).ino, old, 'in its place, not over it');
  writeWhole(join(dir, 'a'), 'secret', 0o600);
  assert.is(mode('a'), 0o600);
  assert.equal(readdirSync(dir), ['a'], 'nothing is left beside it');
});

test('a link stays one, and one that leads nowhere leads to the new file', () => {
  mkdirSync(join(dir, 'd'));
  writeFileSync(join(dir, 'd/a'), 'old');
  symlinkSync('d/a', join(dir, 'link'));
  symlinkSync('d/none', join(dir, 'dangling'));
  writeWhole(join(dir, 'link'), 'one');
  writeWhole(join(dir, 'dangling'), 'two');
  assert.equal([readlinkSync(join(dir, 'link')), read('d/a')], ['d/a', 'one']);
  assert.equal([readlinkSync(join(dir, 'dangling')), read('d/none')], ['d/none', 'two']);
});

test('what cannot be written is one clear error, and nothing is left', () => {
  symlinkSync('b', join(dir, 'a'));
  symlinkSync('a', join(dir, 'b'));
  assert.is(refusal(dir), "TSB1001 cannot write '': it is not a regular file");
  assert.is(refusal(join(dir, 'no/such')), "TSB1001 cannot write '/no/such': ENOENT");
  assert.is(refusal(join(dir, 'a')), "TSB1001 cannot write '/a': ELOOP");
  assert.equal(readdirSync(dir), ['a', 'b']);
});

test('in a directory for everybody, what another user has put there is not taken', () => {
  if (process.geteuid?.() !== 0) {
    return;
  }
  const target = join(dir, 'target');
  writeFileSync(target, 'kept');
  mkdirSync(join(dir, 'tmp'));
  chmodSync(join(dir, 'tmp'), 0o1777);
  execFileSync('ln', ['-s', target, join(dir, 'tmp/link')]);
  execFileSync('chown', ['-h', '65534', join(dir, 'tmp/link')]);
  writeFileSync(join(dir, 'tmp/file'), 'theirs');
  chownSync(join(dir, 'tmp/file'), 65534, 65534);
  assert.is(refusal(join(dir, 'tmp/link')), "TSB1001 cannot write '/tmp/link': user 65534 has put it there");
  assert.is(refusal(join(dir, 'tmp/file')), "TSB1001 cannot write '/tmp/file': user 65534 has put it there");
  assert.equal([read('target'), read('tmp/file')], ['kept', 'theirs']);
  writeWhole(join(dir, 'tmp/own'), 'x');
  writeWhole(join(dir, 'tmp/own'), 'y');
  assert.is(read('tmp/own'), 'y');
});

test('a pipe is written to', async () => {
  const pipe = join(dir, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const reader = spawn('cat', [pipe], { stdio: ['ignore', 'pipe', 'inherit'] });
  let got = '';
  reader.stdout.on('data', (d: Buffer) => (got += d.toString()));
  const ended = new Promise((resolve) => reader.on('close', resolve));
  writeWhole(pipe, 'hello');
  await ended;
  assert.is(got, 'hello');
  assert.ok(lstatSync(pipe).isFIFO());
});

test('-o leaves no secret in a file', () => {
  hideSecrets({ sensitive: new Set(['hunter2-hunter2']) } as never, []);
  outOrFile({ values: { output: join(dir, 'report') } } as unknown as Arguments, 'token hunter2-hunter2\n');
  assert.is(read('report'), 'token (sensitive value #1)\n');
});

test.run();
