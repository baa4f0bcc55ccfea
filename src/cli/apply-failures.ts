/** What did not come to its end in an apply, one block each: what, where, why, how far it came, and how to go on. */
import { withExcerpt } from '../errors.ts';
import type { Abandoned, ApplyResult, Failure, Unfinished } from '../executor/index.ts';
import type { PlannedChange } from '../planner/plan.ts';
import type { Stack } from '../stack/types.ts';
import { err, printError } from './output.ts';
import { tellError } from './stream.ts';

const LISTED = 12;

function note(label: string, text: string): void {
  err(`   = ${label}: ${text}\n`);
}

function list(items: readonly string[]): string {
  const shown = items.slice(0, LISTED).join('; ');
  return items.length > LISTED ? `${shown}; and ${items.length - LISTED} more` : shown;
}

/** With the numbers that the steps have in the plan. */
function progress({ done, left, at }: Unfinished): void {
  const numbered = (steps: readonly string[], first: number): string[] => steps.map((s, i) => `${first + i} ${s}`);
  note('done', done.length === 0 ? 'nothing' : list(numbered(done, at - done.length)));
  if (left.length > 0) {
    note('not done', list(numbered(left, at + 1)));
  }
}

export async function printFailure(failure: Failure, result: ApplyResult, stack: Stack | undefined): Promise<void> {
  const { change, error, step, at, remains } = failure;
  const which = at === 0 ? '' : ` (step ${at} of ${result.steps})`;
  err(`\n${change.address}: failed to ${step}${which}\n`);
  await printError(withExcerpt(error, stack?.sources));
  const { syscall, errnoCode, errno, subject } = error.info;
  if (syscall !== undefined || errnoCode !== undefined) {
    const number = errno === undefined || errno === 0 ? '' : ` (errno ${Math.abs(errno)})`;
    note('syscall', `${syscall ?? '?'}${subject === undefined ? '' : ` ${subject}`}: ${errnoCode ?? '?'}${number}`);
  }
  if (at > 0) {
    progress(failure);
  }
  if (remains !== undefined) {
    err('   = the new one could not be taken back:\n');
    await tellError(remains);
  }
  const held = waiting(change, result.notStarted);
  if (held.length > 0) {
    note('held up', held.join(', '));
  }
  note('go on', 'nothing that was done is lost: plan shows what is left, apply goes on from there');
}

/** What waits for a change, directly or not. */
function waiting(change: PlannedChange, notStarted: readonly PlannedChange[]): string[] {
  const held = new Set([change.address]);
  for (let size = 0; size !== held.size;) {
    size = held.size;
    notStarted.filter((c) => c.after.some((a) => held.has(a))).forEach((c) => held.add(c.address));
  }
  return [...held].slice(1);
}

export async function printAbandoned(abandoned: Abandoned): Promise<void> {
  const { change, step, undone, error, done } = abandoned;
  err(`\n${change.address}: given up${step === '' ? '' : ` before it came to: ${step}`}\n`);
  progress(abandoned);
  const making = change.action === 'create' || change.action === 'replace';
  if (undone.length > 0) {
    note('taken back', list(undone));
  } else if (!making && done.length > 0) {
    note('taken back', 'nothing: what was changed in place stays as far as it came');
  }
  if (change.action === 'replace' && undone.length > 0) {
    const text =
      change.createFirst === true
        ? 'the old one, as it was'
        : 'nothing of the old one, which was removed before; the next apply makes it again';
    note('remains', text);
  }
  if (error !== undefined) {
    err('   = it could not all be taken back:\n');
    await printError(error);
  }
}
