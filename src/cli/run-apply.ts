/** The course of an apply (and of a destroy, which is an apply of nothing): lock, plan, ask, run, verify, report. */
import { TsboxError } from '../errors.ts';
import type { ApplyEvent, ApplyResult } from '../executor/index.ts';
import type { Restore } from '../executor/checkpoint/meta.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { Planned, PlanOptions } from '../planner/index.ts';
import type { HealChoice } from '../planner/heal.ts';
import type { Stack } from '../stack/types.ts';
import { emitChecks } from './after-checks.ts';
import { printFailure } from './apply-failures.ts';
import { printOutputs, report } from './apply-report.ts';
import { watchSignals } from './apply-signals.ts';
import type { Arguments } from './args.ts';
import { numberOption } from './args.ts';
import { confirm } from './confirm.ts';
import { EXIT } from './exit.ts';
import { driftRefusal, failsOnDrift } from './on-drift.ts';
import { out, err, paletteFor } from './output.ts';
import { withLockedPlan } from './locked-plan.ts';
import { planOptions, renderOptions } from './planning.ts';
import { startProgress } from './progress.ts';
import { printRefused } from './refused.ts';
import { printWarnings, requirePrivileges } from './session.ts';
import { emitPlan, streamsOnly, tellError } from './stream.ts';

export interface ApplySettings {
  readonly destroy: boolean;
  /** Destroy volumes, too. */
  readonly volumes?: boolean;
  readonly parallelism: number;
  /** A checkpoint to start its container from. */
  readonly restore?: Restore;
  /** End this drift and nothing else. */
  readonly heal?: HealChoice;
}

/** What an apply needs besides its plan. */
export interface Course {
  readonly args: Arguments;
  readonly kernel: Kernel;
  readonly name: string;
  readonly stack: Stack | undefined;
  readonly settings: ApplySettings;
  readonly options: PlanOptions;
}

/** A plan that was made before is its own approval, once `accept` has found that it still holds. */
export interface Approved {
  /** @returns the plan, with what is to be said of it */
  accept(planned: Planned): Promise<Planned>;
  /** Called right before it is done: a plan is used once, and what was refused was not. */
  take(): void;
}

export async function runApply(
  args: Arguments,
  name: string,
  stack: Stack | undefined,
  settings: ApplySettings,
): Promise<number> {
  const { openKernel } = await import('../kernel/kernel.ts');
  const kernel = openKernel(process.env);
  const { destroy, volumes = false, heal } = settings;
  const options = { ...planOptions(args, destroy), volumes, heal };
  return runCourse({ args, kernel, name, stack, settings, options });
}

export async function runCourse(course: Course, approved?: Approved): Promise<number> {
  const { args, kernel, name, stack, settings, options } = course;
  const { makePlan } = await import('../planner/index.ts');
  requirePrivileges(kernel, settings.destroy ? 'destroy' : 'apply');
  failsOnDrift(args);
  const waiting = {
    timeoutMs: numberOption(args, 'lock-timeout', 0, 0, 86_400) * 1000,
    onWait: (holder: string) => err(`Waiting for the lock of stack ${name}, which ${holder} has.\n`),
  };
  return withLockedPlan(kernel, name, stack, options, waiting, async (planned) => {
    if (approved === undefined) {
      refuseEmpty(course, planned);
    }
    const accepted = (await approved?.accept(planned)) ?? planned;
    return applyLocked(course, accepted, approved, () =>
      // What was replaced on request is not replaced again.
      makePlan(kernel, name, stack, { ...options, replace: [] }),
    );
  });
}

/** A file that declares nothing any more is more often a mistake than a wish. */
function refuseEmpty({ args, name, settings }: Course, { plan, declared }: Planned): void {
  const removed = plan.changes.filter((c) => c.action === 'delete').length;
  if (!settings.destroy && declared.size === 0 && removed > 0 && args.flags['allow-empty'] !== true) {
    throw new TsboxError(
      'TSB2001',
      `the stack ${name} declares nothing: applying it would remove all ${removed} resources it has`,
      { hint: `tsbox destroy --stack ${name}, or --allow-empty if that is meant` },
    );
  }
}

async function applyLocked(
  course: Course,
  planned: Planned,
  approved: Approved | undefined,
  again: () => Promise<Planned>,
): Promise<number> {
  const { args, kernel, name, settings } = course;
  const { hasWork, isEmpty, refusals } = await import('../planner/plan.ts');
  const { applyPlan } = await import('../executor/index.ts');
  const { executionContext } = await import('../executor/context.ts');
  const { plan } = planned;
  const stack = planned.stack ?? course.stack;
  const context = executionContext(kernel, name, stack, settings.restore);
  const quiet = args.flags.quiet === true || streamsOnly();
  await emitPlan(planned, stack, { destroy: settings.destroy, bootId: kernel.bootId });
  if (!streamsOnly()) {
    printWarnings(plan.warnings, args);
  }
  if (isEmpty(plan)) {
    approved?.take();
    // Records that lag behind the kernel are brought up to date all the same.
    const result = await applyPlan(context, plan, {
      parallelism: settings.parallelism,
      interrupted: () => false,
      onEvent: () => undefined,
    });
    for (const failure of result.failed) {
      await printFailure(failure, result, stack);
    }
    if (result.traces !== undefined) {
      await tellError(result.traces);
    }
    if (result.failed.length > 0 || result.traces !== undefined) {
      return EXIT.error;
    }
    if (!quiet) {
      const { NO_CHANGES } = await import('../report/values.ts');
      out(`${settings.destroy ? 'Nothing to destroy.' : NO_CHANGES}\n`);
    }
    // The plan has warned of checks that do not hold; a stream carries what each came to.
    if (!settings.destroy) {
      await emitChecks(plan);
    }
    const printed = await printOutputs(args, stack, planned, settings.destroy);
    // What runs already may break a policy that is newer.
    return refusals(plan).length > 0 ? printRefused(plan) : printed;
  }
  if (!quiet) {
    const { renderPlan } = await import('../report/plan-text.ts');
    out(await renderPlan(plan, await paletteFor(args), renderOptions(args)));
  }
  if (!hasWork(plan) || refusals(plan).length > 0) {
    return printRefused(plan);
  }
  const drifted = failsOnDrift(args) ? driftRefusal(plan) : undefined;
  if (drifted !== undefined) {
    await tellError(drifted);
    return EXIT.refused;
  }
  const what = settings.destroy ? 'destroy' : 'apply';
  if (approved === undefined && args.flags['auto-approve'] !== true) {
    if (!(await confirm(what, plan))) {
      err('Not approved: nothing was changed.\n');
      return EXIT.error;
    }
    // The word took its time, and is for what was shown.
    const { makePlan } = await import('../planner/index.ts');
    const { requireSame } = await import('./stale.ts');
    requireSame(planned, await makePlan(kernel, name, course.stack, course.options));
  }
  approved?.take();
  const running = new Set<string>();
  const signals = watchSignals(() => [...running]);
  const progress = await startProgress(plan, quiet);
  let result: ApplyResult;
  try {
    result = await applyPlan(context, plan, {
      parallelism: settings.parallelism,
      interrupted: () => signals.interrupted,
      abandon: signals.abandon,
      onEvent: (event: ApplyEvent) => {
        if (event.type === 'start') {
          running.add(event.change.address);
        } else if (event.type === 'done' || event.type === 'failed' || event.type === 'abandoned') {
          running.delete(event.change.address);
        }
        progress.event(event);
      },
    });
  } finally {
    await progress.end();
    signals.stop();
  }
  return report({ args, planned, result, settings, interrupted: signals.interrupted, again, stack });
}
