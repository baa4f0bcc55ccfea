/** What a secret takes the place of: the value before it, most likely a secret too, that no stack file names any more. */
import type { Plan } from '../planner/plan.ts';
import { isList, type Value } from '../resources/attribute.ts';

/** What is written for it. It has no number: nobody knows what it equals. */
export const COVERED = '(sensitive value)';

/** A saved plan is masked already. */
const MASKED = /\(sensitive (?:value(?: #\d+)?|content)\)/;

/** Whether a text holds what is hidden, or once did. */
export function isHidden(text: string, mask: (text: string) => string): boolean {
  return mask(text) !== text || MASKED.test(text);
}

/** `before` with what is covered where `after` has a secret, as far as the two differ there. */
export function covered<T extends Value | undefined>(
  before: T,
  after: Value | undefined,
  mask: (text: string) => string,
): T;
export function covered(
  before: Value | undefined,
  after: Value | undefined,
  mask: (text: string) => string,
): Value | undefined {
  if (before === undefined || after === undefined || before === after) {
    return before;
  }
  const isSecret = (text: string): boolean => isHidden(text, mask);
  const cover = (old: string): string => (isSecret(old) ? old : COVERED);
  if (typeof before === 'string' || typeof after === 'string') {
    return typeof before === 'string' && typeof after === 'string' && before !== after && isSecret(after)
      ? cover(before)
      : before;
  }
  if (isList(before) && isList(after)) {
    // Which of them it was cannot be told by its place.
    return after.some(isSecret) ? before.map((item) => (after.includes(item) ? item : cover(item))) : before;
  }
  if (isList(before) || isList(after)) {
    return before;
  }
  return Object.fromEntries(
    Object.entries(before).map(([key, old]) => {
      const fresh = Object.hasOwn(after, key) ? after[key] : undefined;
      return [key, fresh !== undefined && fresh !== old && isSecret(fresh) ? cover(old) : old];
    }),
  );
}

/** A plan whose live and last applied values are covered. */
export function coveredPlan(plan: Plan, mask: (text: string) => string): Plan {
  return {
    ...plan,
    changes: plan.changes.map((change) => ({
      ...change,
      attributes: change.attributes.map((a) => ({
        ...a,
        before: covered(a.before, a.after, mask),
        applied: covered(a.applied, a.after, mask),
      })),
    })),
  };
}
