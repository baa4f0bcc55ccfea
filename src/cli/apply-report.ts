/** What an apply came to: failures, what was done and what was not, the reading back, outputs. */
import { TsboxError } from '../errors.ts';
import type { ApplyResult } from '../executor/index.ts';
import type { Planned } from '../planner/index.ts';
import { isRelease, type PlannedChange } from '../planner/plan.ts';
import type { Stack } from '../stack/types.ts';
import { tellChecks } from './after-checks.ts';
import { printAbandoned, printFailure } from './apply-failures.ts';
import type { Arguments } from './args.ts';
import { EXIT } from './exit.ts';
import { out, err, masked } from './output.ts';
import { printRefused } from './refused.ts';
import type { ApplySettings } from './run-apply.ts';
import { emit, isStreaming, streamsOnly, tellError } from './stream.ts';

export interface Outcome {
  readonly args: Arguments;
  readonly planned: Planned;
  readonly result: ApplyResult;
  readonly settings: ApplySettings;
  readonly interrupted: boolean;
  readonly again: () => Promise<Planned>;
  readonly stack: Stack | undefined;
}

/** Tells it all; returns the exit code. */
export async function report(outcome: Outcome): Promise<number> {
  const { result, settings, interrupted, stack } = outcome;
  for (const failure of result.failed) {
    await printFailure(failure, result, stack);
  }
  for (const given of result.abandoned) {
    await printAbandoned(given);
  }
  const pending = result.notStarted.filter((c) => c.action !== 'no-op');
  const done = result.done.filter((c) => c.action !== 'no-op');
  const complete = result.failed.length + result.abandoned.length + pending.length === 0;
  if (!complete) {
    err('\n');
    printList('Applied', done);
    printList(
      'Failed',
      result.failed.map((f) => f.change),
    );
    printList(
      'Given up',
      result.abandoned.map((a) => a.change),
    );
    printList('Not started', pending);
  }
  await printCounts(done, complete, settings.destroy);
  if (interrupted && !complete) {
    const what = result.abandoned.length > 0 ? 'given up' : 'finished';
    err(`Interrupted: what was running was ${what}, the rest was not started. Apply again to go on.\n`);
    return EXIT.interrupted;
  }
  if (result.failed.length > 0) {
    const isStale = result.failed.every((f) => f.error.code === 'TSB3006');
    return done.length > 0 ? EXIT.partial : isStale ? EXIT.stale : EXIT.error;
  }
  if (result.traces !== undefined) {
    await tellError(result.traces);
    return EXIT.partial;
  }
  return verify(outcome);
}

function printList(title: string, changes: readonly PlannedChange[]): void {
  if (changes.length > 0) {
    err(`${title}: ${changes.map((c) => c.address).join(', ')}\n`);
  }
}

async function printCounts(done: readonly PlannedChange[], complete: boolean, destroy: boolean): Promise<void> {
  const count = (...actions: string[]): number =>
    done.filter((c) => actions.includes(c.action) && !isRelease(c)).length;
  const counts = {
    add: count('create', 'replace'),
    change: count('update', 'restart'),
    remove: count('delete', 'replace'),
    forget: done.filter(isRelease).length,
  };
  if (isStreaming()) {
    const { summaryJson } = await import('../report/plan-json.ts');
    emit(`${summaryJson(destroy ? 'destroy' : 'apply', counts, complete)}\n`);
  }
  if (streamsOnly()) {
    return;
  }
  const verb = destroy ? 'Destroy' : 'Apply';
  const sentence = destroy
    ? `${counts.remove} destroyed.`
    : `${counts.add} added, ${counts.change} changed, ${counts.remove} destroyed.`;
  out(`${verb} ${complete ? 'complete' : 'incomplete'}! Resources: ${sentence}\n`);
}

/** Reads everything back: after an apply the plan is empty, or that is an error of its own. */
async function verify({ args, planned, settings, again, stack }: Outcome): Promise<number> {
  const { hasEnded, isConverged } = await import('../planner/plan.ts');
  const after = await again();
  if (!isConverged(after.plan)) {
    const { renderPlan } = await import('../report/plan-text.ts');
    const { PLAIN } = await import('../report/palette.ts');
    const error = new TsboxError(
      'TSB3003',
      `after the ${settings.destroy ? 'destroy' : 'apply'} the kernel still differs from what is declared`,
      {
        hint: 'something changed at the same moment, or this kernel did not take a value as written; see the plan above',
      },
    );
    err(await renderPlan(after.plan, PLAIN, { mask: masked }));
    await tellError(error);
    return EXIT.partial;
  }
  for (const { address, attributes } of after.plan.changes.filter(hasEnded)) {
    const state = attributes.find((a) => a.name === 'state');
    if (state !== undefined) {
      err(`warning: ${address} was started and has ended by itself: ${String(state.before)}\n`);
    }
  }
  if (!settings.destroy && !streamsOnly() && args.flags.quiet !== true) {
    const attributes = planned.plan.changes.reduce((n, c) => n + c.attributes.length, 0);
    const { length } = after.plan.changes;
    out(
      `Verified: read back ${length} ${length === 1 ? 'resource' : 'resources'}, ${attributes} changed attributes as declared.\n`,
    );
  }
  if (!settings.destroy) {
    await tellChecks(args, after.plan);
  }
  const refused = await printRefused(planned.plan);
  const code = settings.destroy ? EXIT.ok : await printOutputs(args, stack, after, false);
  return refused === EXIT.ok ? code : refused;
}

/** Outputs, with references to live values answered. */
export async function printOutputs(
  args: Arguments,
  stack: Stack | undefined,
  live: Planned,
  destroyed: boolean,
): Promise<number> {
  if (stack === undefined || destroyed || stack.outputs.size === 0) {
    return EXIT.ok;
  }
  const { outputStates } = await import('./output-values.ts');
  const outputs = outputStates(stack, live, false).map(({ name, sensitive, before }) => ({
    name,
    sensitive,
    value: before ?? stack.outputs.get(name)?.value ?? '',
  }));
  if (isStreaming()) {
    const { outputsJson } = await import('../report/plan-json.ts');
    emit(`${outputsJson(outputs)}\n`);
  }
  if (!streamsOnly() && args.flags.quiet !== true) {
    const lines = outputs.map((o) => `${o.name} = ${o.sensitive ? '(sensitive value)' : o.value}`);
    out(`\nOutputs:\n\n${lines.join('\n')}\n`);
  }
  return EXIT.ok;
}
