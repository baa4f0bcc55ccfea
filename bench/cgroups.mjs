// What cgroups cost, against a C program that makes the same system calls and against a shell loop, in interleaved runs.
//
//   node bench/cgroups.mjs [--runs 5] [--json]
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const option = (name, fallback) =>
  process.argv.includes(name) ? Number(process.argv[process.argv.indexOf(name) + 1]) : fallback;
const RUNS = option('--runs', 5);
/** Ten groups of a hundred: the group and 99 children. */
const GROUPS = 10;
const CHILDREN = 99;
const CHANGED = 500;
const work = mkdtempSync(join(tmpdir(), 'tsbox-bench-'));
const id = `tsbox-bench-${process.pid}`;
const env = {
  ...process.env,
  TSBOX_CGROUP_ROOT: `/${id}`,
  TSBOX_RUN_DIR: `/run/${id}`,
  TSBOX_STATE_DIR: join(work, 'state'),
  NO_COLOR: '1',
};
const cli = join(root, 'dist', 'tsbox');

function run(program, args, options = {}) {
  const began = performance.now();
  const result = spawnSync(program, args, { encoding: 'utf8', env, maxBuffer: 1 << 28, ...options });
  const ms = performance.now() - began;
  if (result.status !== 0) {
    throw new Error(`${program} ${args.join(' ')}: ${result.stdout}${result.stderr}`);
  }
  return { ms, stdout: result.stdout };
}
const tsbox = (...args) => run(process.execPath, [cli, ...args]);

function compile() {
  const target = join(root, 'build', 'bench', 'cgroups');
  mkdirSync(dirname(target), { recursive: true });
  run('cc', ['-O2', '-Wall', '-o', target, join(root, 'bench', 'floor', 'cgroups.c')]);
  return target;
}

async function bundle() {
  const outfile = join(root, 'build', 'bench', 'observe.mjs');
  await build({
    entryPoints: [join(root, 'bench', 'observe.ts')],
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

/** The stack; the first `changed` of its cgroups may have another number of processes. */
function stackText(pids, changed) {
  let count = 0;
  const limits = () =>
    `cpu: { weight: 200, max: 50% }, memory: { max: 64MiB, low: 16MiB }, pids: { max: ${count++ < changed ? pids : 100} }`;
  const groups = Array.from({ length: GROUPS }, (_, g) => {
    const own = limits();
    const children = Array.from({ length: CHILDREN }, (_, c) => `        c${c}: { ${limits()} }\n`).join('');
    return `  g${g}:\n    ${own.replace('cpu: {', 'cpu: {').replace(', memory', '\n    memory').replace(', pids', '\n    pids')}\n    children:\n${children}`;
  });
  return `tsbox: 1\nname: bench\ncgroups:\n${groups.join('')}`;
}

/** Mount points of the hierarchies, and the one that holds a controller. */
const hierarchies = readFileSync('/proc/self/mountinfo', 'utf8')
  .split('\n')
  .flatMap((line) => {
    const [left, right] = line.split(' - ');
    const [type, , options = ''] = right?.split(' ') ?? [];
    const mount = left.split(' ')[4];
    return type === 'cgroup2'
      ? [{ mount, controllers: readFileSync(`${mount}/cgroup.controllers`, 'utf8').trim().split(' '), v2: true }]
      : type === 'cgroup' && !options.includes('name=')
        ? [{ mount, controllers: options.split(','), v2: false }]
        : [];
  });

/** What the stack comes to in system calls: every directory in every hierarchy, five limits each. */
function work_(prefix) {
  const dirs = [
    `/${prefix}`,
    ...Array.from({ length: GROUPS }, (_, g) => [
      `/${prefix}/g${g}`,
      ...Array.from({ length: CHILDREN }, (_, c) => `/${prefix}/g${g}/c${c}`),
    ]).flat(),
  ];
  const of = (controller) => hierarchies.find((h) => h.controllers.includes(controller));
  const limits = [
    ['cpu', 'cpu.weight', '200', 'cpu.shares', '2048'],
    ['cpu', 'cpu.max', '50000 100000', 'cpu.cfs_quota_us', '50000'],
    ['memory', 'memory.max', '67108864', 'memory.limit_in_bytes', '67108864'],
    ['memory', 'memory.low', '16777216', 'memory.soft_limit_in_bytes', '16777216'],
    ['pids', 'pids.max', '100', 'pids.max', '100'],
  ];
  const unified = hierarchies.find((h) => h.v2);
  const lines = [];
  for (const dir of dirs) {
    hierarchies.forEach((h) => lines.push(`d ${h.mount}${dir}`));
    if (dir.split('/').length < 4 && unified !== undefined && of('cpu') === unified) {
      lines.push(`w ${unified.mount}${dir}/cgroup.subtree_control +cpu +memory +pids`);
    }
    if (dir !== `/${prefix}`) {
      for (const [controller, v2, value, v1, old] of limits) {
        const h = of(controller);
        lines.push(h.v2 ? `w ${h.mount}${dir}/${v2} ${value}` : `w ${h.mount}${dir}/${v1} ${old}`);
      }
    }
  }
  const remove = hierarchies.flatMap((h) => [...dirs].reverse().map((dir) => `${h.mount}${dir}`));
  const changes = dirs.slice(1, CHANGED + 1).map((dir) => `w ${of('pids').mount}${dir}/pids.max 90`);
  return { make: lines, remove, changes };
}

/** The same as a shell script of mkdir and echo. */
const shellScript = (lines) =>
  lines
    .map((line) => {
      const [what, path, ...value] = line.split(' ');
      return what === 'd' ? `mkdir -p ${path}` : `echo '${value.join(' ')}' > ${path}`;
    })
    .join('\n');

const figures = new Map();
const note = (name, ms) => figures.set(name, [...(figures.get(name) ?? []), ms]);
const facts = {};
const floorRoot = `${id}-floor`;
const jobs = work_(floorRoot);

function cleanUp() {
  spawnSync(process.execPath, [cli, 'destroy', '--stack', 'bench', '--auto-approve', '-q'], { env });
  for (const dir of jobs.remove.filter((d) => existsSync(d))) {
    spawnSync('rmdir', [dir]);
  }
  rmSync(work, { recursive: true, force: true });
}
process.on('SIGINT', () => {
  cleanUp();
  process.exit(130);
});

const stack = join(work, 'bench.yaml');
const list = join(work, 'files');
try {
  const floor = compile();
  const observe = await bundle();
  const timedFloor = (mode, lines) => Number(run(floor, [mode], { input: `${lines.join('\n')}\n` }).stdout) / 1000;
  writeFileSync(join(work, 'make.sh'), `set -e\n${shellScript(jobs.make)}\n`);
  for (let i = 0; i < RUNS; i++) {
    note('node -e 0', run(process.execPath, ['-e', '0']).ms);
    writeFileSync(stack, stackText(100, 0));
    note('make: tsbox apply', tsbox('apply', '-f', stack, '-y', '-q').ms);
    note('make: floor', timedFloor('make', jobs.make));
    note('change: floor', timedFloor('make', jobs.changes));
    timedFloor('remove', jobs.remove);
    note('make: sh, mkdir and echo', run('sh', [join(work, 'make.sh')]).ms);
    timedFloor('remove', jobs.remove);
    note('plan: tsbox plan, no changes', tsbox('plan', '-f', stack, '--detailed-exitcode').ms);
    const { whole, reading, files } = JSON.parse(run(process.execPath, [observe, stack, list]).stdout);
    note('read: whole plan in process', whole);
    note('read: of that, reading files', reading);
    facts['files read'] = files;
    note('read: floor', timedFloor('read', readFileSync(list, 'utf8').trim().split('\n')));
    writeFileSync(stack, stackText(90, CHANGED));
    if (i === 0 && spawnSync('sh', ['-c', 'command -v strace']).status === 0) {
      const trace = join(work, 'trace');
      run('strace', ['-f', '-c', '-o', trace, process.execPath, cli, 'apply', '-f', stack, '-y', '-q']);
      facts['system calls of that apply'] = Number(/(\d+)\s+(?:\d+\s+)?total$/m.exec(readFileSync(trace, 'utf8'))?.[1]);
      writeFileSync(stack, stackText(100, 0));
      tsbox('apply', '-f', stack, '-y', '-q');
      writeFileSync(stack, stackText(90, CHANGED));
    }
    note(`change: tsbox apply, ${CHANGED} limits`, tsbox('apply', '-f', stack, '-y', '-q').ms);
    tsbox('destroy', '-f', stack, '-y', '-q');
  }
} finally {
  cleanUp();
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const of = (name) => median(figures.get(name) ?? [Number.NaN]);
const ratios = {
  'reading 1,000 cgroups against the floor': of('read: of that, reading files') / of('read: floor'),
  'the whole plan in process against the floor': of('read: whole plan in process') / of('read: floor'),
  "tsbox plan against Node's start": of('plan: tsbox plan, no changes') / of('node -e 0'),
  'making against the floor': of('make: tsbox apply') / of('make: floor'),
  'making against the shell': of('make: tsbox apply') / of('make: sh, mkdir and echo'),
};
if (process.argv.includes('--json')) {
  console.log(
    JSON.stringify({ runs: RUNS, kernel: release(), figures: Object.fromEntries(figures), facts, ratios }, null, 2),
  );
} else {
  const size = GROUPS * (CHILDREN + 1);
  console.log(
    `${size} cgroups with five limits each, ${hierarchies.length} hierarchies, ${RUNS} interleaved runs, kernel ${release()}, node ${process.version}, ${cpus().length} processors, load ${loadavg()[0].toFixed(1)}\n`,
  );
  console.log(`${''.padEnd(34)}median ms   min ms   max ms`);
  for (const name of [...figures.keys()].sort()) {
    const cell = (n) => (n < 100 ? n.toFixed(2) : n.toFixed(0)).padStart(9);
    const values = figures.get(name);
    console.log(`${name.padEnd(34)}${cell(median(values))}${cell(Math.min(...values))}${cell(Math.max(...values))}`);
  }
  console.log('');
  Object.entries(facts).forEach(([name, value]) => console.log(`${name}: ${value}`));
  Object.entries(ratios).forEach(([name, value]) => console.log(`${name}: ${value.toFixed(2)}`));
}
