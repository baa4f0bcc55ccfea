/** How the stacks of a source stand now. Nothing is changed. */
import type { Kernel } from '../../kernel/kernel.ts';
import { makePlan } from '../../planner/index.ts';
import { driftCount } from '../../planner/plan.ts';
import { stackHealth } from '../daemon/health.ts';
import type { StackInfo } from '../daemon/stack-info.ts';
import type { TreeStack } from './tree.ts';

export interface Standing {
  readonly stacks: readonly StackInfo[];
  /** Items that differ from the last apply, over all of them. */
  readonly drift: number;
}

/** @param names of stacks that were applied; of those that are not among the others only their health is known */
export async function standingOf(
  kernel: Kernel,
  stacks: readonly TreeStack[],
  names: readonly string[],
): Promise<Standing> {
  const declared = new Set(stacks.map((s) => s.stack.name));
  const infos = names
    .filter((name) => !declared.has(name))
    .map((stack): StackInfo => ({ stack, sync: 'unknown', health: stackHealth(kernel, stack) }));
  let drift = 0;
  for (const { stack } of stacks) {
    const { plan } = await makePlan(kernel, stack.name, stack, { targets: [], destroy: false });
    const drifted = plan.changes.reduce((n, c) => n + driftCount(c), 0);
    infos.push({
      stack: stack.name,
      sync: drifted > 0 ? 'drifted' : 'synced',
      health: stackHealth(kernel, stack.name),
    });
    drift += drifted;
  }
  return { stacks: infos, drift };
}
