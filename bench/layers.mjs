// Containers of one image with many layers: unpacked once, shared by all. Time of the first start, of a second one that
// unpacks nothing, of a plan without changes; and the machine's memory that the running containers take.
//
//   node bench/layers.mjs [--n 100] [--layers 10] [--files 200] [--json]
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { bundle, cli, option, scene, timed } from './tools.mjs';

const N = option('--n', 100);
const LAYERS = option('--layers', 10);
const FILES = option('--files', 200);
const { work, env, cleanUp } = scene();
const stack = join(work, 'stack.yaml');
const tsbox = (command, ...more) => timed(process.execPath, [cli, command, '-f', stack, ...more], { env });

/** Memory that is not available to others, MiB: meminfo's total less MemAvailable. */
function used() {
  const text = readFileSync('/proc/meminfo', 'utf8');
  const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]) / 1024;
  return field('MemTotal') - field('MemAvailable');
}

/** The kernel frees namespaces and cgroups some time after their last process: what is going still counts as used. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 10_000));

const rows = [];
try {
  const layout = join(work, 'layout');
  mkdirSync(layout);
  timed(process.execPath, [await bundle('image'), layout, String(LAYERS), String(FILES)]);
  const containers = Array.from({ length: N }, (_, i) => `  c${i}: { image: "oci:./layout:bench" }\n`);
  writeFileSync(stack, `tsbox: 1\nname: layers\ncontainers:\n${containers.join('')}`);
  rows.push(['first apply, unpacking, ms', tsbox('apply', '--auto-approve', '-q').ms]);
  tsbox('destroy', '--auto-approve', '-q');
  await settle();
  const before = used();
  rows.push(['second apply, nothing to unpack, ms', tsbox('apply', '--auto-approve', '-q').ms]);
  rows.push(['plan without changes, ms', tsbox('plan', '--detailed-exitcode').ms]);
  await settle();
  rows.push(['memory of a running container, KiB', ((used() - before) * 1024) / N]);
  const disk = spawnSync('du', ['-sk', join(work, 'var', 'layers')], { encoding: 'utf8' }).stdout;
  rows.push(['layers on disk, once for all, KiB', Number(disk.split('\t')[0])]);
} finally {
  cleanUp('layers');
}
if (process.argv.includes('--json')) {
  console.log(JSON.stringify({ n: N, layers: LAYERS, files: FILES, kernel: release(), rows }, null, 2));
} else {
  console.log(`${N} containers of an image with ${LAYERS} layers of ${FILES} files, kernel ${release()}\n`);
  for (const [name, value] of rows) {
    console.log(`${name.padEnd(40)}${value.toFixed(0).padStart(8)}`);
  }
}
