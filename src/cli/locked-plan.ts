/** A plan under its stack's lock: every apply begins so, whoever asks for it. */
import type { Kernel } from '../kernel/kernel.ts';
import type { Planned, PlanOptions } from '../planner/index.ts';
import type { Stack } from '../stack/types.ts';

export interface Waiting {
  /** How long the lock is waited for. */
  readonly timeoutMs: number;
  /** Told once who has it, when there is waiting. */
  readonly onWait?: (holder: string) => void;
}

/** Plans, and holds the lock until `use` has come to its end. */
export async function withLockedPlan<T>(
  kernel: Kernel,
  name: string,
  stack: Stack | undefined,
  options: PlanOptions,
  { timeoutMs, onWait }: Waiting,
  use: (planned: Planned) => Promise<T>,
): Promise<T> {
  const { checkStack, makePlan } = await import('../planner/index.ts');
  const { executionContext } = await import('../executor/context.ts');
  const { lockStack } = await import('../executor/lock.ts');
  const { reserveIds } = await import('../executor/ids.ts');
  const wanted = options.destroy ? undefined : stack;
  // Everything this kernel cannot do is said before a directory is made for the lock.
  if (wanted !== undefined) {
    checkStack(kernel, wanted);
  }
  const lock = await lockStack(executionContext(kernel, name, stack), timeoutMs, onWait);
  try {
    if (wanted !== undefined) {
      await reserveIds(kernel, wanted);
    }
    return await use(await makePlan(kernel, name, stack, options));
  } finally {
    lock.release();
  }
}
