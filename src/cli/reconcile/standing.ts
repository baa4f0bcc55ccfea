/** How the stacks of a source stand now. Nothing is changed. */
import type { Kernel } from '../../kernel/kernel.ts';
import { makePlan } from '../../planner/index.ts';
import { driftCount } from '../../planner/plan.ts';
import { healthOf, isHealthy } from '../daemon/health.ts';
import type { StackInfo } from '../daemon/stack-info.ts';
import type { TreeStack } from './tree.ts';

export interface Standing {
  readonly stacks: readonly StackInfo[];
  /** Items that differ from the last apply, over all of them. */
  readonly drift: number;
}

export async function standingOf(kernel: Kernel, stacks: readonly TreeStack[]): Promise<Standing> {
  const infos: StackInfo[] = [];
  let drift = 0;
  for (const { stack } of stacks) {
    const { plan } = await makePlan(kernel, stack.name, stack, { targets: [], destroy: false });
    const drifted = plan.changes.reduce((n, c) => n + driftCount(c), 0);
    const health = isHealthy(healthOf(kernel, [stack.name])) ? 'healthy' : 'degraded';
    infos.push({ stack: stack.name, sync: drifted > 0 ? 'drifted' : 'synced', health });
    drift += drifted;
  }
  return { stacks: infos, drift };
}
