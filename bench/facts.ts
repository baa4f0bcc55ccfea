/** One plan of a stack in this process: which facts it read, as bench/floor/facts.c takes them, and how long each part took. */
import { writeFileSync } from 'node:fs';
import { openReader, type KernelReader } from '../src/kernel/reader.ts';
import { makePlan } from '../src/planner/index.ts';
import { loadStack } from '../src/stack/index.ts';

const [file = '', list = ''] = process.argv.slice(2);
const began = performance.now();
const stack = loadStack([file], { variables: {}, env: process.env });
const loaded = performance.now();
const reader = openReader(process.env);
const lines: string[] = [];
let reading = 0;

const each = (letter: string) => (paths: readonly (string | number)[]) => paths.map((p) => `${letter} ${p}`);
/** How the arguments of a method are told to the floor. */
const TOLD: Partial<Record<keyof KernelReader, (...args: never[]) => string[]>> = {
  readFiles: each('f'),
  readLinks: each('l'),
  stats: each('s'),
  list: (path: string) => [`d ${path}`],
  walkDirs: (path: string) => [`d ${path}`],
  getXattrs: (paths: readonly string[], name: string) => paths.map((p) => `x ${p} ${name}`),
  namespaceIds: each('n'),
  namespaceTypes: each('n'),
  namespaceOwners: each('n'),
  devicePrograms: each('b'),
  effectiveDevicePrograms: each('b'),
  cgroupPrograms: (paths: readonly string[]) => paths.map((p) => `b ${p}`),
  scheduling: each('p'),
};
for (const [name, told] of Object.entries(TOLD) as Array<[keyof KernelReader, (...args: unknown[]) => string[]]>) {
  const method = (reader[name] as (...args: unknown[]) => unknown).bind(reader);
  Object.assign(reader, {
    [name]: (...args: unknown[]) => {
      const start = performance.now();
      const result = method(...args);
      reading += performance.now() - start;
      lines.push(...told(...args));
      return result;
    },
  });
}
const ready = performance.now();
const { plan } = await makePlan(reader, stack.name, stack, { targets: [], destroy: false });
const planned = performance.now();
writeFileSync(list, `${lines.join('\n')}\n`);
console.log(
  JSON.stringify({
    load: loaded - began,
    plan: planned - ready,
    reading,
    facts: lines.length,
    changes: plan.changes.filter((c) => c.action !== 'no-op').length,
  }),
);
