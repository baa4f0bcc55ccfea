/** What the checks of a stack say right after an apply, of what is live by then. */
import type { CheckResult, Plan } from '../planner/plan.ts';
import type { Arguments } from './args.ts';
import { err, masked, out } from './output.ts';

/** A line of how many hold and a warning for each that does not; with --json events. Nothing without checks. */
export async function tellChecks(args: Arguments, after: Plan): Promise<void> {
  const checks = (after.checks ?? []).filter((c) => c.kind === 'check');
  if (checks.length === 0) {
    return;
  }
  const failed = checks.filter((c) => c.status !== 'pass');
  if (args.flags.json === true) {
    const { namingOf } = await import('../report/terraform/names.ts');
    const { checksEventJson, diagnosticJson } = await import('../report/plan-json.ts');
    for (const check of failed) {
      const at = check.at === undefined ? undefined : { ...check.at, sourceLine: check.sourceLine };
      out(`${diagnosticJson('warning', masked(sentence(check)), '', undefined, at)}\n`);
    }
    out(`${checksEventJson(checks, masked, namingOf(after.origins))}\n`);
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

function sentence({ name, status, message }: CheckResult): string {
  return `check ${name}: ${status === 'error' ? 'no answer: ' : ''}${message}`;
}
