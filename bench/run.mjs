// What starting containers costs, against peers and against the kernel's own floor, in interleaved runs: many at once,
// a single one, and one more in a stack that is running already.
//
//   node bench/run.mjs [--n 100] [--runs 5] [--without podman,…] [--json]
import { existsSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { missingPeers, peers } from './peers.mjs';
import { bundle, cli, compile, median, option, scene, timed } from './tools.mjs';

const N = option('--n', 100);
const RUNS = option('--runs', 5);
const at = process.argv.indexOf('--without');
/** Peers left out: a hundred containers of podman alone take minutes. */
const WITHOUT = new Set(at < 0 ? [] : process.argv[at + 1].split(','));
const { work, id, env, cleanUp } = scene();

/** A stack of `n` containers, each with a user map and a time offset so that all eight namespaces are new. */
function stack(name, n) {
  const file = join(work, `${name}-${n}.yaml`);
  const containers = Array.from(
    { length: n },
    (_, i) =>
      `  c${i}: { command: [/usr/bin/sleep, infinity], namespaces: { user: { uids: [{ inside: 0, outside: 100000, count: 65536 }] }, time: { monotonic: 1 } } }\n`,
  );
  writeFileSync(file, `tsbox: 1\nname: ${name}\ncontainers:\n${containers.join('')}`);
  return file;
}

const tsbox = (command, file, ...more) => timed(process.execPath, [cli, command, '-f', file, ...more], { env }).ms;
const apply = (file) => tsbox('apply', file, '--auto-approve', '-q');
const destroy = (file) => tsbox('destroy', file, '--auto-approve', '-q');

const groups = new Map();
const problems = [];
function note(group, name, ms) {
  const rows = groups.get(group) ?? new Map();
  groups.set(group, rows);
  rows.set(name, [...(rows.get(name) ?? []), ms]);
}
/** A peer that fails once is named and left out from then on. */
function attempt(group, name, measure) {
  if (problems.some((p) => p.startsWith(name))) {
    return;
  }
  try {
    note(group, name, measure());
  } catch (error) {
    problems.push(`${name}: ${error.message.trim().split('\n').at(-1)}`);
  }
}

const end = () => cleanUp('many', 'one');
process.on('SIGINT', () => {
  end();
  process.exit(130);
});

try {
  const floor = compile('container');
  const native = await bundle('native');
  const others = peers(work, id).filter(({ name }) => !WITHOUT.has(name.split(' ')[0]));
  const many = stack('many', N);
  const more = stack('many', N + 1);
  const one = stack('one', 1);
  const floorOf = (n, inFlight) => Number(timed(floor, [String(n), String(inFlight), `/${id}-floor`]).stdout);
  const nativeOf = (file, inFlight) =>
    JSON.parse(timed(process.execPath, [native, file, '1', String(inFlight)], { env }).stdout).ms[0];
  for (let run = 0; run < RUNS; run++) {
    const group = `${N} containers`;
    note(group, 'tsbox apply', apply(many));
    note(group, 'tsbox plan, no changes', tsbox('plan', many, '--detailed-exitcode'));
    note('one more', `tsbox apply, ${N} running already`, apply(more));
    destroy(more);
    note(group, 'node -e 0', timed(process.execPath, ['-e', '0']).ms);
    note(group, 'native part, two in flight', nativeOf(many, 2));
    note(group, 'floor, one after another', floorOf(N, 1));
    note(group, 'floor, two in flight', floorOf(N, 2));
    note('1 container', 'tsbox apply', apply(one));
    destroy(one);
    note('1 container', 'native part', nativeOf(one, 1));
    note('1 container', 'floor', floorOf(1, 1));
    for (const { name, measure } of others) {
      attempt(group, name, () => measure(N));
      attempt('1 container', name, () => measure(1));
    }
  }
} finally {
  end();
}
problems.push(...missingPeers().map((p) => `${p}: not installed`));

const rows = [...groups].flatMap(([group, figures]) =>
  [...figures].map(([name, list]) => ({
    group,
    name,
    median: median(list),
    min: Math.min(...list),
    max: Math.max(...list),
  })),
);
if (process.argv.includes('--json')) {
  const machine = { kernel: release(), node: process.version, cpus: cpus().length };
  console.log(JSON.stringify({ n: N, runs: RUNS, ...machine, rows, problems }, null, 2));
} else {
  console.log(`${RUNS} interleaved runs, kernel ${release()}, node ${process.version}, ${cpus().length} processors`);
  for (const group of groups.keys()) {
    const own = rows.filter((r) => r.group === group);
    const reference = own.find((r) => r.name.startsWith('tsbox apply'))?.median ?? Number.NaN;
    console.log(`\n${group.padEnd(34)}  median ms   min ms   max ms   tsbox apply is`);
    for (const r of own) {
      const isOwn = /^(tsbox|node)/.test(r.name);
      const cell = (n) => n.toFixed(n < 100 ? 2 : 0).padStart(9);
      const ratio = isOwn ? '' : `   ${(reference / r.median).toFixed(2)} times this`;
      console.log(`${r.name.padEnd(34)}  ${cell(r.median)}${cell(r.min)}${cell(r.max)}${ratio}`);
    }
  }
  for (const p of problems) {
    console.log(`left out: ${p}`);
  }
}
process.exit(existsSync(work) ? 1 : 0);
