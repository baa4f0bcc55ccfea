/** The course of an apply (and of a destroy, which is an apply of nothing): lock, plan, ask, run, verify, report. */
import { TsboxError } from '../errors.ts';
import type { ApplyEvent, ApplyResult } from '../executor/index.ts';
import type { Restore } from '../executor/checkpoint/meta.ts';
import type { HealChoice } from '../planner/heal.ts';
import type { Plan } from '../planner/plan.ts';
import type { Stack } from '../stack/types.ts';
import type { Arguments } from './args.ts';
import { numberOption } from './args.ts';
import { confirm } from './confirm.ts';
import { EXIT } from './exit.ts';
import { out, err, paletteFor, printError } from './output.ts';
import { startProgress } from './progress.ts';
import { printRefused } from './refused.ts';
import { printWarnings, requirePrivileges } from './session.ts';
import { VERSION } from './version.ts';

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

export async function runApply(
  args: Arguments,
  name: string,
  stack: Stack | undefined,
  settings: ApplySettings,
): Promise<number> {
  const { openKernel } = await import('../kernel/kernel.ts');
  const { checkStack, makePlan } = await import('../planner/index.ts');
  const { executionContext } = await import('../executor/context.ts');
  const { lockStack } = await import('../executor/lock.ts');
  const { reserveIds } = await import('../executor/ids.ts');
  const kernel = openKernel(process.env);
  requirePrivileges(kernel, settings.destroy ? 'destroy' : 'apply');
  const { destroy, volumes = false, heal } = settings;
  const options = { targets: args.targets, destroy, volumes, heal };
  // Everything this kernel cannot do is said before a directory is made for the lock.
  if (stack !== undefined && !settings.destroy) {
    checkStack(kernel, stack);
  }
  const lock = await lockStack(
    executionContext(kernel, name, stack),
    numberOption(args, 'lock-timeout', 0, 0, 86_400) * 1000,
  );
  try {
    if (stack !== undefined && !settings.destroy) {
      await reserveIds(kernel, stack);
    }
    const planned = await makePlan(kernel, name, stack, options);
    return await applyLocked(
      args,
      planned.plan,
      settings,
      executionContext(kernel, name, planned.stack ?? stack, settings.restore),
      async () => (await makePlan(kernel, name, stack, options)).plan,
    );
  } finally {
    lock.release();
  }
}

async function applyLocked(
  args: Arguments,
  plan: Plan,
  settings: ApplySettings,
  context: Parameters<typeof import('../executor/index.ts').applyPlan>[0],
  again: () => Promise<Plan>,
): Promise<number> {
  const { hasWork, isEmpty } = await import('../planner/plan.ts');
  const { applyPlan } = await import('../executor/index.ts');
  const json = args.flags.json === true;
  const quiet = args.flags.quiet === true;
  printWarnings(plan.warnings, args);
  const empty = isEmpty(plan);
  const what = settings.destroy ? 'destroy' : 'apply';
  if (empty) {
    // Records that lag behind the kernel are brought up to date all the same.
    await applyPlan(context, plan, {
      parallelism: settings.parallelism,
      interrupted: () => false,
      onEvent: () => undefined,
    });
    if (!quiet && !json) {
      out(settings.destroy ? 'Nothing to destroy.\n' : 'No changes. Your infrastructure matches the configuration.\n');
    }
    return printOutputs(args, context.stack, again, json);
  }
  if (!json && !quiet) {
    const { renderPlan } = await import('../report/plan-text.ts');
    out(renderPlan(plan, await paletteFor(args)));
  } else if (json) {
    const { renderPlanJson } = await import('../report/plan-json.ts');
    out(renderPlanJson(plan, VERSION));
  }
  if (!hasWork(plan)) {
    return printRefused(plan);
  }
  if (args.flags['auto-approve'] !== true && !(await confirm(what))) {
    err('Not approved: nothing was changed.\n');
    return EXIT.error;
  }
  const signals = watchSignals();
  const progress = await startProgress(plan, { json, quiet, noColor: args.noColor });
  let result: ApplyResult;
  try {
    result = await applyPlan(context, plan, {
      parallelism: settings.parallelism,
      interrupted: () => signals.interrupted,
      onEvent: (event: ApplyEvent) => progress.event(event),
    });
  } finally {
    await progress.end();
    signals.stop();
  }
  return report(args, plan, result, settings, signals.interrupted, again, context.stack);
}

async function report(
  args: Arguments,
  plan: Plan,
  result: ApplyResult,
  settings: ApplySettings,
  interrupted: boolean,
  again: () => Promise<Plan>,
  stack: Stack | undefined,
): Promise<number> {
  const json = args.flags.json === true;
  for (const failure of result.failed) {
    err(`\n${failure.change.address}: failed to ${failure.step}\n`);
    await printError(failure.error);
  }
  const pending = result.notStarted.filter((c) => c.action !== 'no-op');
  if (pending.length > 0) {
    err(`Not started: ${pending.map((c) => c.address).join(', ')}\n`);
  }
  const done = result.done.filter((c) => c.action !== 'no-op');
  const count = (...actions: string[]): number => done.filter((c) => actions.includes(c.action)).length;
  const added = count('create', 'replace');
  const changed = count('update', 'restart');
  const destroyed = count('delete', 'replace');
  if (json) {
    const { summaryJson } = await import('../report/plan-json.ts');
    out(`${summaryJson(settings.destroy ? 'destroy' : 'apply', added, changed, destroyed)}\n`);
  } else {
    const complete = result.failed.length === 0 && pending.length === 0;
    const verb = settings.destroy ? 'Destroy' : 'Apply';
    const sentence = settings.destroy
      ? `${destroyed} destroyed.`
      : `${added} added, ${changed} changed, ${destroyed} destroyed.`;
    out(`${verb} ${complete ? 'complete' : 'incomplete'}! Resources: ${sentence}\n`);
  }
  if (interrupted && pending.length > 0) {
    err('Interrupted: what was running has finished, the rest was not started. Apply again to go on.\n');
    return EXIT.interrupted;
  }
  if (result.failed.length > 0) {
    err('Nothing that was done is lost: plan shows what is left, apply goes on from there.\n');
    return done.length > 0 ? EXIT.partial : EXIT.error;
  }
  return verify(args, plan, settings, again, stack);
}

/** Reads everything back: after an apply the plan is empty, or that is an error of its own. */
async function verify(
  args: Arguments,
  plan: Plan,
  settings: ApplySettings,
  again: () => Promise<Plan>,
  stack: Stack | undefined,
): Promise<number> {
  const { hasEnded, isConverged } = await import('../planner/plan.ts');
  const after = await again();
  if (!isConverged(after)) {
    const { renderPlan } = await import('../report/plan-text.ts');
    const { PLAIN } = await import('../report/palette.ts');
    const error = new TsboxError(
      'TSB3003',
      `after the ${settings.destroy ? 'destroy' : 'apply'} the kernel still differs from what is declared`,
      {
        hint: 'something changed at the same moment, or this kernel did not take a value as written; see the plan above',
      },
    );
    err(renderPlan(after, PLAIN));
    await printError(error);
    return EXIT.partial;
  }
  const json = args.flags.json === true;
  for (const { address, attributes } of after.changes.filter(hasEnded)) {
    const state = attributes.find((a) => a.name === 'state');
    if (state !== undefined) {
      err(`warning: ${address} was started and has ended by itself: ${String(state.before)}\n`);
    }
  }
  if (!settings.destroy && !json && args.flags.quiet !== true) {
    const attributes = plan.changes.reduce((n, c) => n + c.attributes.length, 0);
    out(
      `Verified: read back ${after.changes.length} ${after.changes.length === 1 ? 'resource' : 'resources'}, ${attributes} changed attributes as declared.\n`,
    );
  }
  const refused = await printRefused(plan);
  const code = settings.destroy ? EXIT.ok : await printOutputs(args, stack, again, json, after);
  return refused === EXIT.ok ? code : refused;
}

/** Outputs, with references to live values filled in. */
async function printOutputs(
  args: Arguments,
  stack: Stack | undefined,
  again: () => Promise<Plan>,
  json: boolean,
  known?: Plan,
): Promise<number> {
  if (stack === undefined || stack.outputs.size === 0 || args.flags.quiet === true) {
    return EXIT.ok;
  }
  const plan = known ?? (await again());
  const facts = new Map(plan.changes.map((c) => [c.address, c.facts]));
  const filled = [...stack.outputs].map(([name, output]) => {
    const value = output.value.replace(
      /\$\{(container|cgroup|namespace)\.([A-Za-z0-9_./[\]-]+?)\.([a-z_]+)\}/g,
      (whole, kind: string, target: string, fact: string) => {
        return facts.get(`${kind}/${target}`)?.[fact] ?? whole;
      },
    );
    return { name, value: output.sensitive ? '(sensitive value)' : value };
  });
  if (json) {
    out(
      `${JSON.stringify({ '@level': 'info', '@message': 'Outputs', '@module': 'tsbox.ui', '@timestamp': new Date().toISOString(), type: 'outputs', outputs: Object.fromEntries(filled.map((o) => [o.name, { value: o.value, sensitive: o.value === '(sensitive value)' }])) })}\n`,
    );
  } else {
    out(`\nOutputs:\n\n${filled.map((o) => `${o.name} = ${o.value}`).join('\n')}\n`);
  }
  return EXIT.ok;
}

interface Signals {
  readonly interrupted: boolean;
  stop(): void;
}

/** The first SIGINT or SIGTERM lets the running changes finish; the second ends at once, and the next apply goes on. */
function watchSignals(): Signals {
  const state = { interrupted: false };
  const onSignal = (): void => {
    if (state.interrupted) {
      process.exit(EXIT.interrupted);
    }
    state.interrupted = true;
    err('\nInterrupt received: finishing what is running. Once more ends at once.\n');
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    get interrupted() {
      return state.interrupted;
    },
    stop: () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}
