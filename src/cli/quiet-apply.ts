/** An apply that asks and prints nothing, for whoever runs unattended: lock, plan, judge, run, read back. */
import { TsboxError, TsboxErrors } from '../errors.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { PlanOptions } from '../planner/index.ts';
import type { Plan } from '../planner/plan.ts';
import type { Stack } from '../stack/types.ts';
import { withLockedPlan } from './locked-plan.ts';

/** Changes in flight at once. */
const PARALLELISM = 8;

export type Outcome =
  | { readonly result: 'done' | 'nothing'; readonly changed: readonly string[] }
  /** Somebody else has the lock. */
  | { readonly result: 'locked'; readonly reason: string }
  /** `judge` objected. */
  | { readonly result: 'refused'; readonly reason: string }
  /** `changed` names what was done nevertheless. */
  | { readonly result: 'failed'; readonly reason: string; readonly changed: readonly string[] };

/** Asked about the plan that is about to be applied. @returns why it is not; nothing is changed then */
export type Judge = (plan: Plan) => string | undefined;

export interface QuietOptions extends PlanOptions {
  readonly lockTimeoutMs?: number;
  readonly interrupted?: () => boolean;
  readonly judge?: Judge | undefined;
}

/** Never throws for what goes wrong with the stack: the outcome says it. */
export async function applyQuietly(
  kernel: Kernel,
  name: string,
  stack: Stack | undefined,
  options: QuietOptions,
): Promise<Outcome> {
  try {
    return await applied(kernel, name, stack, options);
  } catch (error) {
    if (error instanceof TsboxError && error.code === 'TSB3004') {
      return { result: 'locked', reason: error.message };
    }
    return { result: 'failed', reason: reasonOf(error), changed: [] };
  }
}

async function applied(
  kernel: Kernel,
  name: string,
  stack: Stack | undefined,
  options: QuietOptions,
): Promise<Outcome> {
  const { makePlan } = await import('../planner/index.ts');
  const { heldBack, isConverged, isEmpty, refusals, refusalText } = await import('../planner/plan.ts');
  const { executionContext } = await import('../executor/context.ts');
  const { applyPlan } = await import('../executor/index.ts');
  const waiting = { timeoutMs: options.lockTimeoutMs ?? 0 };
  return withLockedPlan(kernel, name, stack, options, waiting, async (planned) => {
    const objection = options.judge?.(planned.plan);
    if (objection !== undefined) {
      return { result: 'refused', reason: objection };
    }
    const [denied] = refusals(planned.plan);
    if (denied !== undefined) {
      return { result: 'failed', reason: refusalText(denied), changed: [] };
    }
    const context = executionContext(kernel, name, planned.stack ?? stack);
    const result = await applyPlan(context, planned.plan, {
      parallelism: PARALLELISM,
      interrupted: options.interrupted ?? (() => false),
      onEvent: () => undefined,
    });
    const changed = result.done.filter((c) => c.action !== 'no-op').map((c) => c.address);
    const failure = result.failed[0];
    if (failure !== undefined) {
      const more = result.failed.length === 1 ? '' : `, and ${result.failed.length - 1} more`;
      const { change, error, remains } = failure;
      const both = remains === undefined ? '' : ` (and the new one could not be taken back: ${remains.message})`;
      return { result: 'failed', reason: `${change.address}: ${error.message}${both}${more}`, changed };
    }
    const left = result.notStarted.filter((c) => c.action !== 'no-op');
    if (left.length > 0) {
      return { result: 'failed', reason: `interrupted before ${left.map((c) => c.address).join(', ')}`, changed };
    }
    if (result.traces !== undefined) {
      return { result: 'failed', reason: result.traces.message, changed };
    }
    const [held] = heldBack(planned.plan);
    if (held !== undefined) {
      return { result: 'failed', reason: held.blocked.message, changed };
    }
    if (isEmpty(planned.plan)) {
      return { result: 'nothing', changed };
    }
    const after = (await makePlan(kernel, name, stack, options)).plan;
    if (!isConverged(after)) {
      const differing = after.changes.filter((c) => c.action !== 'no-op').map((c) => c.address);
      return { result: 'failed', reason: `still different after the apply: ${differing.join(', ')}`, changed };
    }
    return { result: 'done', changed };
  });
}

/** One line of any failure. */
export function reasonOf(error: unknown): string {
  if (error instanceof TsboxErrors) {
    const [first, ...rest] = error.errors;
    return `${first === undefined ? error.message : reasonOf(first)}${rest.length === 0 ? '' : `, and ${rest.length} more`}`;
  }
  if (error instanceof TsboxError) {
    const { at } = error.info;
    return `${at === undefined ? '' : `${at.file}:${at.line}:${at.column}: `}${error.message}`;
  }
  return (error as Error).message;
}
