// Builds native/init into dist/tsbox-init: one static binary, rebuilt only when a source is newer.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = join(repository, 'native', 'init');
const output = join(repository, 'dist', 'tsbox-init');

const mtime = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

function fail(message) {
  process.stderr.write(`build-init: ${message}\n`);
  process.exit(1);
}

function compiler() {
  const candidates = process.env.CC ? [process.env.CC] : ['cc', 'gcc', 'clang'];
  const found = candidates.find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0);
  if (!found) fail(`no C compiler (tried ${candidates.join(', ')}); install gcc, or set CC`);
  return found;
}

const files = readdirSync(sources).filter((name) => /\.[ch]$/.test(name));
const newest = Math.max(mtime(fileURLToPath(import.meta.url)), ...files.map((name) => mtime(join(sources, name))));
if (mtime(output) >= newest) process.exit(0);

mkdirSync(dirname(output), { recursive: true });
// A name of its own until it is whole: another build, or a run, never sees half a binary.
const partial = `${output}.${process.pid}`;
const flags = ['-std=gnu11', '-D_GNU_SOURCE', '-Os', '-Wall', '-Wextra', '-Werror'];
// libc.c stands in for the C library, so nothing may call what only the real one has: no fortified variants, no stack
// canary (it lives in thread-local storage), no loops turned into calls of the function they implement.
const freestanding = [
  '-U_FORTIFY_SOURCE',
  '-fno-stack-protector',
  '-fno-builtin',
  '-fno-pie',
  '-ffunction-sections',
  '-fdata-sections',
  '-fno-asynchronous-unwind-tables',
];
// Without separate-code and relro the binary is a few pages, most of them shared between all supervisors.
const link = [
  '-static',
  '-no-pie',
  '-nostdlib',
  '-s',
  '-Wl,--gc-sections',
  '-Wl,-z,noseparate-code',
  '-Wl,-z,norelro',
  '-Wl,--build-id=none',
];
const cc = compiler();
const units = files.filter((name) => name.endsWith('.c')).map((name) => join(sources, name));
const run = spawnSync(cc, [...flags, ...freestanding, ...link, '-o', partial, ...units], { encoding: 'utf8' });
if (run.status !== 0) {
  rmSync(partial, { force: true });
  const text = `${run.stdout}${run.stderr}`;
  const noHeaders = /fatal error: '?(sys|linux|asm|stdio|poll|signal|time|net)[./]/.test(text);
  fail(
    noHeaders
      ? `the C library's headers are missing; install libc6-dev (glibc-devel, musl-dev)\n${text}`
      : `${cc} failed\n${text}`,
  );
}
renameSync(partial, output);
