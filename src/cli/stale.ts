/** What moved since a plan, told so that it can be found. */
import { TsboxError } from '../errors.ts';
import type { Planned } from '../planner/index.ts';
import { basisOf, type Basis } from '../planner/saved/basis.ts';
import { movedFacts, type Moved } from '../planner/saved/moved.ts';
import { coveredPlan } from '../report/covered.ts';
import { showValue } from '../report/values.ts';
import { masked, withoutSecrets } from './output.ts';

/** Facts named in an error; the rest are counted. */
const NAMED = 8;

/** What a plan rests on, without secrets and without what they take the place of, which no stack names any more. */
export function shownBasis(planned: Planned): Basis {
  return withoutSecrets(basisOf({ ...planned, plan: coveredPlan(planned.plan, masked) }));
}

/** TSB3006 naming the facts. @param what the plan, as the sentence begins */
export function staleError(what: string, moved: readonly Moved[], hint: string): TsboxError {
  return new TsboxError('TSB3006', [`${what} is stale, this moved since:`, ...movedLines(moved)].join('\n'), {
    hint,
    address: moved[0]?.address,
  });
}

/** The first of them, one a line, and how many more there are. */
export function movedLines(moved: readonly Moved[]): string[] {
  const lines = moved.slice(0, NAMED).map(movedText);
  const more = moved.length > NAMED ? [`and ${moved.length - NAMED} more`] : [];
  // Where everything that may be shown is the same, it was a secret.
  return [...(lines.length === 0 ? ['a sensitive value'] : lines), ...more];
}

function movedText({ address, what, planned, now }: Moved): string {
  return `${address}: ${what} was ${showValue(planned, undefined)} when planned, is ${showValue(now, undefined)} now`;
}

/** @throws TsboxError TSB3006 when the plan of this moment is not the one that was looked at */
export function requireSame(looked: Planned, now: Planned): void {
  if (movedFacts(basisOf(looked), basisOf(now)).length > 0) {
    const moved = movedFacts(shownBasis(looked), shownBasis(now));
    throw staleError('the plan', moved, 'nothing was changed: apply again and look anew');
  }
}
