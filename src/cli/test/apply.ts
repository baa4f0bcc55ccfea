/** Applying and destroying in a scratch: nothing is asked or printed, and what fails is told to the run. */
import { errorsOf, TsboxError } from '../../errors.ts';
import type { ApplyResult } from '../../executor/index.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import type { Planned } from '../../planner/index.ts';
import type { Stack } from '../../stack/types.ts';
import { withLockedPlan } from '../locked-plan.ts';
import type { Interrupt } from './interrupt.ts';

/** Changes in flight at once. */
const PARALLELISM = 8;

const NOTHING = { targets: [], destroy: false } as const;

export interface Applied {
  readonly planned: Planned;
  /** The plan that followed; the same one where nothing was done. */
  readonly after: Planned;
  readonly result: ApplyResult | undefined;
}

export async function applyStack(kernel: Kernel, stack: Stack, interrupt: Interrupt): Promise<Applied> {
  const { makePlan } = await import('../../planner/index.ts');
  const { hasWork, refusals } = await import('../../planner/plan.ts');
  const { executionContext } = await import('../../executor/context.ts');
  const { applyPlan } = await import('../../executor/index.ts');
  return withLockedPlan(kernel, stack.name, stack, NOTHING, { timeoutMs: 0 }, async (planned) => {
    if (!hasWork(planned.plan) || refusals(planned.plan).length > 0) {
      return { planned, after: planned, result: undefined };
    }
    const result = await applyPlan(executionContext(kernel, stack.name, planned.stack ?? stack), planned.plan, {
      parallelism: PARALLELISM,
      interrupted: () => interrupt.received,
      abandon: interrupt.abandon,
      onEvent: () => undefined,
    });
    return { planned, after: await makePlan(kernel, stack.name, stack, NOTHING), result };
  });
}

/** Removes everything of a stack, volumes and what is protected too. @returns what could not be removed */
export async function destroyAll(kernel: Kernel, name: string): Promise<TsboxError[]> {
  const { executionContext } = await import('../../executor/context.ts');
  const { applyPlan } = await import('../../executor/index.ts');
  const options = { targets: [], destroy: true, volumes: true };
  try {
    return await withLockedPlan(kernel, name, undefined, options, { timeoutMs: 0 }, async ({ plan }) => {
      const changes = plan.changes.map(({ blocked: _, ...change }) => change);
      const { failed } = await applyPlan(
        executionContext(kernel, name, undefined),
        { ...plan, changes },
        {
          parallelism: PARALLELISM,
          interrupted: () => false,
          onEvent: () => undefined,
        },
      );
      return failed.map(
        ({ change, error }) =>
          new TsboxError(error.code, `${change.address} of stack ${name} could not be removed: ${error.message}`, {
            ...error.info,
            address: change.address,
          }),
      );
    });
  } catch (error) {
    return [...errorsOf(error)];
  }
}
