// What watching costs at rest, and how soon a change is noticed.
//
//   node bench/watch.mjs [CONTAINERS] [SECONDS] [CHANGES]
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cli, median, scene } from './tools.mjs';

const [containers = 100, seconds = 60, changes = 20] = process.argv.slice(2).map(Number);
const HZ = 100;

const { work, id, env, cleanUp } = scene();
const file = join(work, 'bench.yaml');
const names = Array.from({ length: containers }, (_, i) => `c${i}`);
writeFileSync(
  file,
  `tsbox: 1\nname: bench\ncontainers:\n${names
    .map((n) => `  ${n}: { rootfs: host, command: [/bin/sleep, infinity], pids: { max: 50 } }\n`)
    .join('')}`,
);
const tsbox = (...args) => spawnSync(process.execPath, [cli, ...args], { env, encoding: 'utf8' });
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const pidsMount = readFileSync('/proc/self/mountinfo', 'utf8')
  .split('\n')
  .map((l) => l.split(' '))
  .find((f) => f.includes('cgroup') && f.at(-1).split(',').includes('pids'))?.[4];
const unified = readFileSync('/proc/self/mountinfo', 'utf8')
  .split('\n')
  .map((l) => l.split(' '))
  .find((f) => f.includes('cgroup2'))?.[4];
const knob = (name) => `${pidsMount ?? unified}/${id}/bench/${name}/pids.max`;

function ticks(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14]);
}

let watcher;
try {
  const applied = tsbox('apply', '-f', file, '-y', '-q');
  if (applied.status !== 0) {
    throw new Error(applied.stderr);
  }
  watcher = spawn(process.execPath, [cli, 'watch', '-f', file, '--json'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const waiting = [];
  let text = '';
  watcher.stdout.on('data', (data) => {
    text += data;
    const lines = text.split('\n');
    text = lines.pop();
    for (const line of lines) {
      const event = JSON.parse(line);
      waiting.splice(0).forEach((w) => (w.fits(event) ? w.resolve(performance.now()) : waiting.push(w)));
    }
  });
  const next = (fits) => new Promise((resolve) => waiting.push({ fits, resolve }));
  await next((e) => e.event === 'watching');
  await sleep(1000);
  const before = ticks(watcher.pid);
  await sleep(seconds * 1000);
  const used = (ticks(watcher.pid) - before) / HZ;
  const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${watcher.pid}/status`, 'utf8'))[1];
  console.log(`at rest with ${containers} containers, ${seconds} s, one reading each 60 s:`);
  console.log(
    `  ${used.toFixed(2)} s of processor time: ${((100 * used) / seconds).toFixed(2)} % of a core; ${Math.round(rss / 1024)} MiB resident`,
  );
  const latencies = [];
  for (let i = 0; i < changes; i++) {
    const name = names[i % names.length];
    const noticed = next((e) => e.event === 'drift' && e.address === `container/${name}`);
    const began = performance.now();
    writeFileSync(knob(name), String(60 + i));
    latencies.push((await noticed) - began);
    const ended = next((e) => e.event === 'drift_ended' && e.address === `container/${name}`);
    writeFileSync(knob(name), '50');
    await ended;
    // As it comes in life: not in the middle of a storm.
    await sleep(2000);
  }
  console.log(
    `a changed limit is told after ${Math.round(median(latencies))} ms (median of ${changes}; ${Math.round(Math.min(...latencies))} to ${Math.round(Math.max(...latencies))})`,
  );
} finally {
  watcher?.kill('SIGTERM');
  await new Promise((resolve) => (watcher === undefined ? resolve() : watcher.once('close', resolve)));
  cleanUp('bench');
  for (const m of readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((l) => l.split(' '))) {
    if (m.includes('cgroup') || m.includes('cgroup2')) {
      spawnSync('rmdir', [`${m[4]}/${id}`], { stdio: 'ignore' });
    }
  }
}
