// Builds everything into dist/: the static supervisor, the addon, and the CLI as one file.
//   --tests       the tests too, into build/test
//   --tests-only  only those
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const version = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;

/** zod carries its messages in sixty languages; ours are our own, so only English comes along. */
const englishOnly = {
  name: 'english-only',
  setup(builder) {
    builder.onLoad({ filter: /zod[\\/]v4[\\/]locales[\\/]index\.(js|cjs|mjs)$/ }, () => ({
      contents: "export { default as en } from './en.js';",
      loader: 'js',
      resolveDir: join(root, 'node_modules', 'zod', 'v4', 'locales'),
    }));
  },
};

function run(script) {
  const result = spawnSync(process.execPath, [join(root, 'scripts', script)], { stdio: 'inherit', cwd: root });
  if (result.status !== 0) {
    process.exit(result.status ?? 1);
  }
}

async function buildCli() {
  const outfile = join(root, 'dist', 'tsbox.cjs');
  const cache = join(root, 'dist', 'tsbox.cache');
  // V8 tells a stale cache by the length of the source only.
  rmSync(cache, { force: true });
  await build({
    entryPoints: [join(root, 'src', 'cli', 'main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    charset: 'ascii',
    minifyWhitespace: true,
    minifySyntax: true,
    // Without splitting, esbuild wraps what is imported dynamically and evaluates it at the first import only.
    splitting: false,
    define: { TSBOX_VERSION: JSON.stringify(version), 'import.meta.url': 'tsboxUrl' },
    // An expression whose value is the program: the launcher calls it.
    banner: {
      js: "(function (require, filename) { const module = { exports: {} }; const exports = module.exports; const tsboxUrl = require('node:url').pathToFileURL(filename).href;",
    },
    footer: { js: '})' },
    plugins: [englishOnly],
    logLevel: 'warning',
  });
  const launcher = join(root, 'dist', 'tsbox');
  copyFileSync(join(root, 'scripts', 'launcher.cjs'), launcher);
  chmodSync(launcher, 0o755);
  // A file without an ending is what the nearest package says, and that of the sources says modules.
  writeFileSync(join(root, 'dist', 'package.json'), '{ "type": "commonjs" }\n');
  run('code-cache.mjs');
}

function testFiles(directory) {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((e) => e.isFile() && e.name.endsWith('.test.ts'))
    .map((e) => join(e.parentPath ?? e.path, e.name));
}

async function buildTests() {
  const out = join(root, 'build', 'test');
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const entryPoints = testFiles(join(root, 'test'));
  await build({
    entryPoints,
    outdir: out,
    outbase: join(root, 'test'),
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    sourcemap: 'inline',
    logLevel: 'warning',
  });
  console.error(`${entryPoints.length} test files in ${relative(root, out)}`);
}

if (!process.argv.includes('--tests-only')) {
  mkdirSync(join(root, 'dist'), { recursive: true });
  for (const script of ['build-init.mjs', 'build-addon.mjs']) {
    if (existsSync(join(root, 'scripts', script))) {
      run(script);
    }
  }
  await buildCli();
}
if (process.argv.includes('--tests') || process.argv.includes('--tests-only')) {
  await buildTests();
}
