// Plans of many containers that run: without changes, and with some; time and memory, against a C program that reads
// the same facts and against Node's own start, in interleaved runs.
//
//   node bench/plan.mjs [--n 1000] [--changed 10] [--runs 5] [--json]
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { join } from 'node:path';
import { bundle, cli, compile, median, option, scene, timed } from './tools.mjs';

const N = option('--n', 1000);
const CHANGED = option('--changed', 10);
const RUNS = option('--runs', 5);
const { work, env, cleanUp } = scene();

/** The stack; the first `changed` of its containers with another limit. */
function stack(name, changed) {
  const file = join(work, `${name}.yaml`);
  const containers = Array.from(
    { length: N },
    (_, i) =>
      `  c${i}: { command: [/usr/bin/sleep, infinity], memory: { max: ${i < changed ? 96 : 64}MiB }, pids: { max: 100 } }\n`,
  );
  writeFileSync(file, `tsbox: 1\nname: plan\ncontainers:\n${containers.join('')}`);
  return file;
}

const peak = join(work, 'peak');
const hook = join(work, 'peak.cjs');
writeFileSync(
  hook,
  `process.on('exit', () => require('node:fs').writeFileSync(${JSON.stringify(peak)}, String(process.resourceUsage().maxRSS)));\n`,
);
/** Milliseconds and peak resident memory in MiB of one plan. */
function plan(file, code) {
  const began = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, 'plan', '-f', file, '--detailed-exitcode'], {
    env: { ...env, NODE_OPTIONS: `--require ${hook}` },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const ms = performance.now() - began;
  if (status !== code) {
    throw new Error(`plan: exit code ${status} instead of ${code}: ${stdout.slice(-2000)}${stderr}`);
  }
  return { ms, mib: Number(readFileSync(peak, 'utf8')) / 1024 };
}

const figures = new Map();
const note = (name, value) => figures.set(name, [...(figures.get(name) ?? []), value]);
let facts = 0;
try {
  const floor = compile('facts');
  const inside = await bundle('facts');
  const same = stack('same', 0);
  const other = stack('other', CHANGED);
  timed(process.execPath, [cli, 'apply', '-f', same, '--auto-approve', '-q'], { env });
  const list = join(work, 'facts');
  for (let run = 0; run < RUNS; run++) {
    const quiet = plan(same, 0);
    note('plan, no changes', quiet.ms);
    note('plan, no changes, MiB', quiet.mib);
    const busy = plan(other, 2);
    note(`plan, ${CHANGED} changes`, busy.ms);
    note(`plan, ${CHANGED} changes, MiB`, busy.mib);
    note('node -e 0', timed(process.execPath, ['-e', '0']).ms);
    const parts = JSON.parse(timed(process.execPath, [inside, same, list], { env }).stdout);
    facts = parts.facts;
    note('of it: reading YAML', parts.load);
    note('of it: observing and planning', parts.plan);
    note('of that: in the kernel and the addon', parts.reading);
    note('C floor, the same facts', Number(timed(floor, [], { input: readFileSync(list) }).stdout) / 1000);
  }
} finally {
  cleanUp('plan');
}

const rows = [...figures].map(([name, list]) => ({
  name,
  median: median(list),
  min: Math.min(...list),
  max: Math.max(...list),
}));
const of = (name) => rows.find((r) => r.name === name)?.median ?? Number.NaN;
const bound = of('C floor, the same facts') + of('node -e 0');
const ratios = {
  'plan, no changes': of('plan, no changes') / bound,
  [`plan, ${CHANGED} changes`]: of(`plan, ${CHANGED} changes`) / bound,
};
const machine = { kernel: release(), node: process.version, cpus: cpus().length, load: loadavg()[0] };
if (process.argv.includes('--json')) {
  console.log(JSON.stringify({ n: N, changed: CHANGED, runs: RUNS, ...machine, facts, rows, ratios }, null, 2));
} else {
  console.log(
    `${N} containers, ${facts} facts, ${RUNS} interleaved runs, kernel ${machine.kernel}, node ${machine.node}, ${machine.cpus} processors, load ${machine.load.toFixed(1)}\n`,
  );
  console.log(`${''.padEnd(38)}  median ms   min ms   max ms`);
  for (const r of rows) {
    console.log(`${r.name.padEnd(38)}  ${[r.median, r.min, r.max].map((n) => n.toFixed(1).padStart(9)).join('')}`);
  }
  for (const [name, ratio] of Object.entries(ratios)) {
    console.log(`${name} is ${ratio.toFixed(2)} times the floor and Node's start together`);
  }
}
process.exit(existsSync(work) ? 1 : 0);
