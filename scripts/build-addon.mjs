// Builds native/ into dist/tsbox.node with node-gyp; does nothing when no source is newer than the last build.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = dirname(dirname(fileURLToPath(import.meta.url)));
const native = join(repository, 'native');
const output = join(repository, 'dist', 'tsbox.node');

const mtime = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

function fail(message) {
  process.stderr.write(`build-addon: ${message}\n`);
  process.exit(1);
}

const works = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;

const sources = readdirSync(native).filter((name) => /\.(cc|h)$/.test(name) || name === 'binding.gyp');
const newest = Math.max(mtime(fileURLToPath(import.meta.url)), ...sources.map((name) => mtime(join(native, name))));
if (mtime(output) >= newest) process.exit(0);

const compilers = process.env.CXX ? [process.env.CXX.split(' ')[0]] : ['g++', 'c++', 'clang++'];
const compiler = compilers.find(works);
if (!compiler) fail(`no C++ compiler (tried ${compilers.join(', ')}); install g++ (at least 10), or set CXX`);
if (!works('make')) fail('make is missing; install it');
if (!works(process.env.PYTHON ?? process.env.npm_config_python ?? 'python3'))
  fail('node-gyp needs python3; install it');

let gyp;
try {
  const require = createRequire(import.meta.url);
  gyp = join(dirname(require.resolve('node-gyp/package.json')), 'bin', 'node-gyp.js');
} catch {
  fail('node-gyp is missing; run npm install first');
}

// Headers that came with this node are surely the right ones, and nothing has to be downloaded.
const prefix = dirname(dirname(process.execPath));
const headers = existsSync(join(prefix, 'include', 'node', 'node_version.h')) ? [`--nodedir=${prefix}`] : [];
const env = process.env.CXX ? process.env : { ...process.env, CXX: compiler };

// configure writes build/ anew only when it must; build is make's, hence incremental.
for (const step of ['configure', 'build']) {
  const run = spawnSync(process.execPath, [gyp, step, '-C', native, '--loglevel=warn', ...headers], {
    encoding: 'utf8',
    env,
  });
  const text = `${run.stdout}${run.stderr}`;
  if (run.status !== 0) {
    const hint = /getaddrinfo|ENOTFOUND|ECONNREFUSED|FetchError|install this version/.test(text)
      ? `\nnode's headers are not installed under ${prefix} and could not be downloaded`
      : '';
    fail(`node-gyp ${step} failed\n${text}${hint}`);
  }
  const warnings = text.split('\n').filter((line) => / (warning|note): /.test(line));
  if (warnings.length > 0) process.stderr.write(`${warnings.join('\n')}\n`);
}

mkdirSync(dirname(output), { recursive: true });
// Renamed into place: overwriting a library that a running process has mapped would crash that process.
const partial = `${output}.${process.pid}`;
copyFileSync(join(native, 'build', 'Release', 'tsbox.node'), partial);
renameSync(partial, output);
