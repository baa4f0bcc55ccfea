/**
 * Giving up what is under way: within one resource, what its creation has made so far is removed again. What is changed
 * in place stays as far as it came, and the next plan says so: there is no way back that is known to be right.
 */
import type { TsboxError } from '../errors.ts';
import type { PlannedChange } from '../planner/plan.ts';
import type { Step } from '../resources/step.ts';
import { describeStep } from '../resources/step-text.ts';
import type { ExecutionContext } from './context.ts';
import { runStep } from './run-step.ts';

/** Steps that only wait, or fetch what is used later: they can be left at any moment. */
const LEAVABLE: ReadonlySet<Step['op']> = new Set(['image', 'await-ready', 'await-healthy', 'await-completed']);

/** Runs a step to its end, or leaves it when all is given up. Returns false when it was left. */
export async function runUnlessAbandoned(
  context: ExecutionContext,
  step: Step,
  abandon: AbortSignal | undefined,
): Promise<boolean> {
  const running = runStep(context, step).then(() => true);
  if (abandon === undefined || !LEAVABLE.has(step.op)) {
    return running;
  }
  let leave: () => void = () => undefined;
  const left = new Promise<false>((resolve) => {
    leave = () => resolve(false);
    abandon.addEventListener('abort', leave);
  });
  try {
    return await Promise.race([running, left]);
  } finally {
    abandon.removeEventListener('abort', leave);
    // What it comes to after it was left is nobody's business any more.
    running.catch(() => undefined);
  }
}

/** The steps that take back what a step has made; none for what is not made. */
function inverse(step: Step): Step[] {
  switch (step.op) {
    case 'cgroup-make':
      return [{ op: 'cgroup-remove', path: step.path, kill: step.label.address.startsWith('container/') }];
    case 'namespace-make':
      return [{ op: 'namespace-remove', name: step.name }];
    default:
      return [];
  }
}

/**
 * Takes back what a creation has made, the last thing first.
 * @param done the steps that were done to their end
 */
export async function undo(
  context: ExecutionContext,
  change: PlannedChange,
  done: readonly Step[],
  asError: (cause: unknown) => TsboxError,
): Promise<{ undone: string[]; error: TsboxError | undefined }> {
  // A new one that stands, and whose predecessor is going already, is all there is.
  const stands = change.createFirst === true && done.some((s) => s.op === 'stop' || s.op === 'cgroup-remove');
  const making = (change.action === 'create' || change.action === 'replace') && !stands;
  const steps = making ? [...done].reverse().flatMap(inverse) : [];
  const made = done.find((s) => s.op === 'cgroup-make');
  // Its supervisor would start it again.
  const stops: Step[] =
    making && made?.op === 'cgroup-make' && done.some((s) => s.op === 'start') ? [{ op: 'stop', path: made.path }] : [];
  const undone: string[] = [];
  try {
    for (const step of [...stops, ...steps]) {
      await runStep(context, step);
      undone.push(describeStep(step));
    }
  } catch (cause) {
    return { undone, error: asError(cause) };
  }
  return { undone, error: undefined };
}
