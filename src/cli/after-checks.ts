/** What the checks of a stack say right after an apply, of what is live by then. */
import type { CheckResult, Plan } from '../planner/plan.ts';
import type { Arguments } from './args.ts';
import { err, masked, out } from './output.ts';
import { emit, isStreaming, streamsOnly } from './stream.ts';

/** A line of how many hold and a warning for each that does not, and their events. Nothing without checks. */
export async function tellChecks(args: Arguments, after: Plan): Promise<void> {
  const { checks, failed } = checksOf(after);
  await emitChecks(after);
  if (checks.length === 0 || streamsOnly()) {
    return;
  }
  for (const check of failed) {
    const place = check.at === undefined ? '' : ` (${check.at.file}:${check.at.line})`;
    err(`warning: ${masked(sentence(check))}${place}\n`);
  }
  if (args.flags.quiet !== true) {
    const passed = checks.length - failed.length;
    const held = passed === checks.length ? 'all pass' : `${passed} of ${checks.length} pass`;
    out(`Checks: ${held}.\n`);
  }
}

/** The events alone. */
export async function emitChecks(after: Plan): Promise<void> {
  const { checks, failed } = checksOf(after);
  if (checks.length === 0 || !isStreaming()) {
    return;
  }
  const { namingOf } = await import('../report/terraform/names.ts');
  const { checksEventJson, diagnosticJson } = await import('../report/plan-json.ts');
  for (const check of failed) {
    const at = check.at === undefined ? undefined : { ...check.at, sourceLine: check.sourceLine };
    emit(`${diagnosticJson('warning', masked(sentence(check)), '', undefined, at)}\n`);
  }
  emit(`${checksEventJson(checks, masked, namingOf(after.origins))}\n`);
}

function checksOf(plan: Plan): { readonly checks: readonly CheckResult[]; readonly failed: readonly CheckResult[] } {
  const checks = (plan.checks ?? []).filter((c) => c.kind === 'check');
  return { checks, failed: checks.filter((c) => c.status !== 'pass') };
}

function sentence({ name, status, message }: CheckResult): string {
  return `check ${name}: ${status === 'error' ? 'no answer: ' : ''}${message}`;
}
