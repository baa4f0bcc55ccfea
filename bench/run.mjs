// What starting containers costs, against peers and against the kernel's own floor, in interleaved runs.
//
//   node bench/run.mjs [--n 100] [--runs 5] [--json]
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const option = (name, fallback) =>
  process.argv.includes(name) ? Number(process.argv[process.argv.indexOf(name) + 1]) : fallback;
const N = option('--n', 100);
const RUNS = option('--runs', 5);
const work = mkdtempSync(join(tmpdir(), 'tsbox-bench-'));
chmodSync(work, 0o755); // a runtime in a user namespace of its own has to reach the bundle
const id = `tsbox-bench-${process.pid}`;
const env = { ...process.env, TSBOX_CGROUP_ROOT: `/${id}`, TSBOX_RUN_DIR: `/run/${id}`, NO_COLOR: '1' };
const cli = join(root, 'dist', 'tsbox.mjs');

const have = (program) => spawnSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).stdout.trim();

/** Wall time of a whole process in ms; throws with its output when it fails. */
function timed(program, args, options = {}) {
  const began = performance.now();
  const result = spawnSync(program, args, { encoding: 'utf8', env, ...options });
  const ms = performance.now() - began;
  if (result.status !== 0) {
    throw new Error(`${program} ${args.join(' ')}: ${result.stdout}${result.stderr}`);
  }
  return { ms, stdout: result.stdout };
}

function compile(name) {
  const target = join(root, 'build', 'bench', name);
  mkdirSync(dirname(target), { recursive: true });
  timed('cc', ['-O2', '-w', '-o', target, join(root, 'bench', 'floor', `${name}.c`)]);
  return target;
}

const stack = join(work, 'many.yaml');
writeFileSync(
  stack,
  `tsbox: 1\nname: many\ncontainers:\n${Array.from(
    { length: N },
    (_, i) =>
      `  c${i}: { command: [/usr/bin/sleep, infinity], namespaces: { user: { uids: [{ inside: 0, outside: 100000, count: 65536 }] }, time: { monotonic: 1 } } }\n`,
  ).join('')}`,
);

/** An OCI bundle that asks of a runtime what the stack asks of tsbox. */
function bundle() {
  const directory = join(work, 'bundle');
  mkdirSync(join(directory, 'rootfs'), { recursive: true });
  const mount = (destination, type, options, source = type) => ({ destination, type, source, options });
  writeFileSync(
    join(directory, 'config.json'),
    JSON.stringify({
      ociVersion: '1.0.2',
      process: {
        user: { uid: 0, gid: 0 },
        args: ['/usr/bin/sleep', 'infinity'],
        env: ['PATH=/usr/bin:/bin'],
        cwd: '/',
        noNewPrivileges: true,
        capabilities: { bounding: [], effective: [], permitted: [] },
      },
      root: { path: 'rootfs', readonly: true },
      hostname: 'bench',
      mounts: [
        mount('/proc', 'proc', ['nosuid', 'nodev', 'noexec']),
        mount('/sys', 'sysfs', ['nosuid', 'nodev', 'noexec', 'ro']),
        mount('/dev', 'tmpfs', ['nosuid', 'mode=755', 'size=65536k']),
        mount('/dev/pts', 'devpts', ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666']),
        mount('/dev/shm', 'tmpfs', ['nosuid', 'nodev', 'noexec', 'mode=1777']),
        mount('/dev/mqueue', 'mqueue', ['nosuid', 'nodev', 'noexec']),
        mount('/tmp', 'tmpfs', ['nosuid', 'nodev', 'mode=1777']),
        mount('/run', 'tmpfs', ['nosuid', 'nodev', 'mode=755']),
      ],
      linux: {
        namespaces: ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup', 'user'].map((type) => ({ type })),
        uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
        gidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
        maskedPaths: ['/proc/kcore', '/proc/keys', '/proc/timer_list', '/sys/firmware'],
        readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys'],
        cgroupsPath: `/${id}/PLACE`,
      },
    }),
  );
  return directory;
}

/** A loop of a runtime in a unified view of its own, timed inside it; what it made is deleted outside the timing. */
function loop(runtime, preload) {
  const state = join(work, `${runtime}-state`);
  const directory = bundle();
  const script = `
set -e
umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup
cd ${directory}; mount --bind / rootfs; mount --make-private rootfs
began=$(date +%s%N)
for i in $(seq ${N}); do
  sed "s/PLACE/c$i/" config.json > config.$i.json
done
began=$(date +%s%N)
for i in $(seq ${N}); do
  cp config.$i.json config.json
  ${preload}${runtime} --root ${state} run --detach bench-$i </dev/null >/dev/null 2>>${work}/${runtime}.err || { tail -3 ${work}/${runtime}.err >&2; failed=1; break; }
done
ended=$(date +%s%N)
for i in $(seq ${N}); do ${runtime} --root ${state} delete --force bench-$i >/dev/null 2>&1 || true; done
find /sys/fs/cgroup/${id} -depth -type d -exec rmdir {} + 2>/dev/null || true
[ -z "$failed" ] || exit 1
echo $(( (ended - began) / 1000 ))
`;
  rmSync(state, { recursive: true, force: true });
  const { stdout } = timed('unshare', ['-m', '--propagation', 'private', 'sh', '-c', script]);
  return Number(stdout.trim().split('\n').at(-1)) / 1000;
}

/** Where CAP_SYS_RESOURCE is missing, crun stops at setrlimit; this makes that call say yes. */
function preloadFor() {
  const source = join(work, 'yes.c');
  const library = join(work, 'yes.so');
  writeFileSync(
    source,
    'int setrlimit(int a, const void *b) { (void)a; (void)b; return 0; }\nint setrlimit64(int a, const void *b) { (void)a; (void)b; return 0; }\n',
  );
  timed('cc', ['-shared', '-fPIC', '-o', library, source]);
  return `LD_PRELOAD=${library} `;
}

const figures = new Map();
const note = (name, ms) => figures.set(name, [...(figures.get(name) ?? []), ms]);
const problems = [];

function cleanUp() {
  spawnSync(process.execPath, [cli, 'destroy', '--stack', 'many', '--auto-approve', '-q'], { env });
  rmSync(work, { recursive: true, force: true });
}
process.on('SIGINT', () => {
  cleanUp();
  process.exit(130);
});

const peers = [
  ['crun', have('crun') === '' ? undefined : () => loop('crun', preloadFor())],
  ['runc', have('runc') === '' ? undefined : () => loop('runc', '')],
];

try {
  const floor = compile('container');
  for (let run = 0; run < RUNS; run++) {
    note('tsbox apply', timed(process.execPath, [cli, 'apply', '-f', stack, '--auto-approve', '-q']).ms);
    note('tsbox plan, no changes', timed(process.execPath, [cli, 'plan', '-f', stack, '--detailed-exitcode']).ms);
    timed(process.execPath, [cli, 'destroy', '-f', stack, '--auto-approve', '-q']);
    note('node -e 0', timed(process.execPath, ['-e', '0']).ms);
    note('floor, one after another', Number(timed(floor, [String(N), '1', `/${id}-floor`]).stdout));
    note('floor, two in flight', Number(timed(floor, [String(N), '2', `/${id}-floor`]).stdout));
    for (const [name, measure] of peers) {
      if (measure === undefined || problems.some((p) => p.startsWith(name))) {
        continue;
      }
      try {
        note(`${name} run --detach, in a loop`, measure());
      } catch (error) {
        problems.push(`${name}: ${error.message.trim().split('\n').at(-1)}`);
      }
    }
  }
} finally {
  cleanUp();
}
for (const [name, measure] of peers) {
  if (measure === undefined) {
    problems.push(`${name}: not installed`);
  }
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const rows = [...figures].map(([name, list]) => ({
  name,
  median: median(list),
  min: Math.min(...list),
  max: Math.max(...list),
  each: name.startsWith('node') ? undefined : median(list) / N,
}));
const apply = rows.find((r) => r.name === 'tsbox apply')?.median ?? Number.NaN;
if (process.argv.includes('--json')) {
  console.log(
    JSON.stringify(
      { n: N, runs: RUNS, kernel: release(), node: process.version, cpus: cpus().length, rows, problems },
      null,
      2,
    ),
  );
} else {
  console.log(
    `${N} containers, ${RUNS} interleaved runs, kernel ${release()}, node ${process.version}, ${cpus().length} processors\n`,
  );
  console.log(`${''.padEnd(30)}  median ms   min ms   max ms   ms each   tsbox apply is`);
  for (const r of rows) {
    const ratio =
      r.name.startsWith('tsbox') || r.name.startsWith('node') ? '' : `${(apply / r.median).toFixed(2)} times this`;
    const cell = (n) => (n === undefined ? '' : n.toFixed(n < 100 ? 2 : 0)).padStart(9);
    console.log(`${r.name.padEnd(30)}  ${cell(r.median)}${cell(r.min)}${cell(r.max)}${cell(r.each)}   ${ratio}`);
  }
  for (const p of problems) {
    console.log(`left out: ${p}`);
  }
}
process.exit(existsSync(work) ? 1 : 0);
