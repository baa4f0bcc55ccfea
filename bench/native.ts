/**
 * The native part of an apply: the calls into the addon that change something, recorded from one real apply and made
 * again without any policy between them. Prints the milliseconds of each repetition as JSON.
 *
 *   native STACK RUNS INFLIGHT
 */
import { applyPlan } from '../src/executor/index.ts';
import { executionContext } from '../src/executor/context.ts';
import { openKernel, type Kernel } from '../src/kernel/kernel.ts';
import { loadNative } from '../src/kernel/native.ts';
import { makePlan } from '../src/planner/index.ts';
import { loadStack } from '../src/stack/index.ts';
import type { Native, SpawnOptions } from '../native/index.d.ts';

const [file = '', runs = '5', inflight = '2'] = process.argv.slice(2);
const CHANGING = ['mkdirs', 'writeFiles', 'setXattr', 'deviceProgramReplace', 'spawn'] as const;

interface Call {
  readonly name: (typeof CHANGING)[number];
  readonly args: readonly unknown[];
}

type AnyFunction = (...args: readonly unknown[]) => unknown;

const native = loadNative() as unknown as Record<string, AnyFunction>;
const original = new Map(CHANGING.map((name) => [name, (native[name] as AnyFunction).bind(native)]));

function record(calls: Call[]): void {
  for (const name of CHANGING) {
    native[name] = (...args) => {
      calls.push({ name, args });
      return original.get(name)?.(...args);
    };
  }
}

function stopRecording(): void {
  for (const [name, call] of original) {
    native[name] = call;
  }
}

async function apply(kernel: Kernel, destroy: boolean): Promise<void> {
  const stack = loadStack([file], { variables: {}, env: process.env });
  const { plan } = await makePlan(kernel, stack.name, stack, { targets: [], destroy });
  const context = executionContext(kernel, stack.name, destroy ? undefined : stack);
  const result = await applyPlan(context, plan, { parallelism: 2, interrupted: () => false, onEvent: () => undefined });
  if (result.failed.length > 0) {
    throw result.failed[0]?.error ?? new Error('apply failed');
  }
}

/** The calls that come before each start, and the start: one after the other, `width` starts on their way at once. */
async function replay(calls: readonly Call[], width: number): Promise<number> {
  const began = performance.now();
  const flying = new Set<Promise<unknown>>();
  for (const { name, args } of calls) {
    const result = original.get(name)?.(...args);
    if (name === 'spawn') {
      const start = (result as ReturnType<Native['spawn']>).then(({ report }) => {
        flying.delete(start);
        if (!report.startsWith('ok')) {
          throw new Error(`a start failed: ${report}`);
        }
      });
      flying.add(start);
      if (flying.size >= width) {
        await Promise.race(flying);
      }
    }
  }
  await Promise.all(flying);
  return performance.now() - began;
}

/** Ends everything below our root and takes its directories away. The labels made again name other inodes and are void. */
async function clear(kernel: Kernel): Promise<void> {
  const root = kernel.settings.cgroupRoot;
  const primary = kernel.layout.hierarchies.find((h) => h.version === 2);
  if (primary === undefined) {
    throw new Error('this needs a cgroup2 hierarchy');
  }
  kernel.write([{ path: `${primary.mount}${root}/cgroup.kill`, data: '1' }]);
  await kernel.waitFile(`${primary.mount}${root}/cgroup.events`, 'populated 0', 10_000);
  for (const { mount } of kernel.layout.hierarchies) {
    const entries = kernel.walkDirs(`${mount}${root}`, 1_000_000);
    if (typeof entries !== 'number') {
      kernel.removeDirs(entries.map((e) => `${mount}${root}/${e.path}`).reverse());
    }
  }
}

const kernel = openKernel(process.env);
const calls: Call[] = [];
record(calls);
await apply(kernel, false);
stopRecording();
await apply(kernel, true);
const starts = calls.filter((c) => c.name === 'spawn' && (c.args[0] as SpawnOptions).stdio === 'null').length;
const ms: number[] = [];
for (let run = 0; run < Number(runs); run++) {
  kernel.makeRunDir(`${kernel.settings.runDir}/${loadStack([file], { variables: {}, env: process.env }).name}/logs`);
  try {
    ms.push(await replay(calls, Number(inflight)));
  } finally {
    await clear(kernel);
  }
}
kernel.remove(kernel.settings.runDir);
console.log(JSON.stringify({ starts, calls: calls.length, ms }));
