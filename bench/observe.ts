/** One plan of a stack in this process: how long it took, how long of that reading took, and which files were read. */
import { writeFileSync } from 'node:fs';
import { openReader } from '../src/kernel/reader.ts';
import { makePlan } from '../src/planner/index.ts';
import { isEmpty } from '../src/planner/plan.ts';
import { loadStack } from '../src/stack/index.ts';

const [file = '', list = ''] = process.argv.slice(2);
const stack = loadStack([file], { variables: {}, env: process.env });
const reader = openReader(process.env);
const paths: string[] = [];
let reading = 0;
const read = reader.readFiles.bind(reader);
reader.readFiles = (wanted) => {
  const began = performance.now();
  const texts = read(wanted);
  reading += performance.now() - began;
  paths.push(...wanted.filter((_, i) => typeof texts[i] === 'string'));
  return texts;
};
const began = performance.now();
const { plan } = await makePlan(reader, stack.name, stack, { targets: [], destroy: false });
const whole = performance.now() - began;
if (!isEmpty(plan)) {
  throw new Error('the plan is not empty');
}
const files = paths.filter((p) => p.startsWith('/sys/fs/cgroup/'));
writeFileSync(list, `${files.join('\n')}\n`);
console.log(JSON.stringify({ whole, reading, files: files.length }));
