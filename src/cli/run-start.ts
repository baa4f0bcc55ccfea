/** Starting containers that were stopped or have ended, as their stack describes them; nothing else is changed. */
import { TsboxError } from '../errors.ts';
import type { Plan, PlannedChange } from '../planner/plan.ts';
import type { Stack } from '../stack/types.ts';
import type { Arguments } from './args.ts';
import { numberOption } from './args.ts';
import { EXIT } from './exit.ts';
import { err, out, printError } from './output.ts';
import { requirePrivileges } from './session.ts';

/** What differs of a container that is only not running. */
const STOPPED = new Set(['state', 'supervisor']);

function onlyStopped(change: PlannedChange): boolean {
  return (
    change.action === 'restart' && change.extras.length === 0 && change.attributes.every((a) => STOPPED.has(a.name))
  );
}

/**
 * Starts the containers among `addresses` (all of the stack's when there are none) that do not run, and those that they
 * depend on, in the order of their dependencies.
 * @throws TsboxError TSB2004 when one differs from the stack file in more than that
 */
export async function runStart(args: Arguments, stack: Stack, addresses: readonly string[]): Promise<number> {
  const { openKernel } = await import('../kernel/kernel.ts');
  const { makePlan } = await import('../planner/index.ts');
  const { executionContext } = await import('../executor/context.ts');
  const { applyPlan } = await import('../executor/index.ts');
  const { lockStack } = await import('../executor/lock.ts');
  const kernel = openKernel(process.env);
  requirePrivileges(kernel, 'start');
  const targets = addresses.length > 0 ? addresses : ['container'];
  const context = executionContext(kernel, stack.name, stack);
  const lock = await lockStack(context, numberOption(args, 'lock-timeout', 0, 0, 86_400) * 1000);
  try {
    const { plan, stack: planned } = await makePlan(kernel, stack.name, stack, {
      targets,
      destroy: false,
      wake: true,
    });
    const changes = startable(plan);
    let code: number = EXIT.ok;
    const result = await applyPlan(
      { ...context, stack: planned ?? stack },
      { ...plan, changes, complete: false },
      {
        parallelism: 8,
        interrupted: () => false,
        onEvent: (event) => {
          if (event.type === 'done' && args.flags.quiet !== true) {
            out(`${event.change.address}: started\n`);
          }
        },
      },
    );
    for (const { error } of result.failed) {
      await printError(error);
      code = EXIT.error;
    }
    for (const change of result.notStarted) {
      err(`${change.address}: not started, because what it depends on was not\n`);
      code = EXIT.error;
    }
    if (changes.length === 0 && args.flags.quiet !== true) {
      out('Nothing to start: all of it runs.\n');
    }
    return code;
  } finally {
    lock.release();
  }
}

/** The changes that only start something. What else differs in containers is refused: start changes nothing. */
function startable(plan: Plan): PlannedChange[] {
  const containers = plan.changes.filter((c) => c.kind === 'container' && c.steps.length > 0);
  const other = plan.changes.filter(
    (c) => (c.kind === 'container' && c.action !== 'no-op' && !onlyStopped(c)) || c.action === 'create',
  );
  const [first] = other;
  if (first !== undefined) {
    const names = first.attributes.map((a) => a.name).filter((name) => !STOPPED.has(name));
    const what = first.action === 'create' ? 'does not exist' : `differs from the stack file (${names.join(', ')})`;
    throw new TsboxError('TSB2004', `${first.address} ${what}`, {
      address: first.address,
      hint: 'tsbox plan shows all that differs, tsbox apply makes it so and starts what is to run',
    });
  }
  return containers.filter(onlyStopped);
}
