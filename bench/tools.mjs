// What the benchmarks share: timing of whole processes, compiling, bundling, medians.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const cli = join(root, 'dist', 'tsbox');

export function option(name, fallback) {
  const at = process.argv.indexOf(name);
  return at < 0 ? fallback : Number(process.argv[at + 1]);
}

export function have(program) {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
}

/** Directories and an environment of a benchmark's own, and how they go again, with the stacks that were made. */
export function scene() {
  const work = mkdtempSync(join(tmpdir(), 'tsbox-bench-'));
  chmodSync(work, 0o755); // a runtime in a user namespace of its own has to reach what is in it
  const id = `tsbox-bench-${process.pid}`;
  const env = {
    ...process.env,
    TSBOX_CGROUP_ROOT: `/${id}`,
    TSBOX_RUN_DIR: `/run/${id}`,
    TSBOX_STATE_DIR: join(work, 'var'),
    NO_COLOR: '1',
  };
  const cleanUp = (...stacks) => {
    for (const name of stacks) {
      spawnSync(process.execPath, [cli, 'destroy', '--stack', name, '--auto-approve', '-q'], { env });
    }
    rmSync(work, { recursive: true, force: true });
    rmSync(`/run/${id}`, { recursive: true, force: true });
  };
  return { work, id, env, cleanUp };
}

/** Wall time of a whole process in ms; throws with its output when it fails. */
export function timed(program, args, options = {}) {
  const began = performance.now();
  const result = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 28, ...options });
  const ms = performance.now() - began;
  if (result.status !== 0) {
    throw new Error(`${program} ${args.join(' ')}: ${result.stdout}${result.stderr}${result.error ?? ''}`);
  }
  return { ms, stdout: result.stdout };
}

export function compile(name) {
  const target = join(root, 'build', 'bench', name);
  mkdirSync(dirname(target), { recursive: true });
  timed('cc', ['-O2', '-w', '-o', target, join(root, 'bench', 'floor', `${name}.c`)]);
  return target;
}

export async function bundle(name) {
  const outfile = join(root, 'build', 'bench', `${name}.mjs`);
  await build({
    entryPoints: [join(root, 'bench', `${name}.ts`)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    define: { TSBOX_VERSION: '"bench"' },
    banner: { js: "import { createRequire as c } from 'node:module';\nconst require = c(import.meta.url);" },
    logLevel: 'warning',
  });
  return outfile;
}

export const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
