/** What is said behind an attribute: why it changes and what that costs, with human units. */
import { isList, type Attribute, type Value } from '../../resources/attribute.ts';
import type { AttributeChange } from '../../resources/kind.ts';
import { covered } from '../covered.ts';
import { humanValue, showValue } from '../values.ts';

/** Characters of a value that is said in a comment. */
const SHORT = 60;

export const FORCES = 'forces replacement';

export function commentsOf(
  change: AttributeChange,
  attribute: Attribute | undefined,
  mask: (text: string) => string,
): string[] {
  const comments: string[] = [];
  const show = (value: Value | undefined): string => mask(showValue(value, attribute?.list));
  const before = humanValue(change.before, attribute?.unit);
  const after = humanValue(change.after ?? attribute?.default, attribute?.unit);
  if (before !== undefined || after !== undefined) {
    comments.push(`${before ?? show(covered(change.before, change.after, mask))} -> ${after ?? show(change.after)}`);
  }
  if (change.after === undefined) {
    comments.push("no longer declared: back to the kernel's default");
  }
  if (change.cause === 'drift') {
    comments.push('drift: changed since the last apply');
  } else if (change.cause === 'both') {
    const applied = isPlain(change.applied) ? show(covered(change.applied, change.after, mask)) : '';
    comments.push(
      applied !== '' && applied.length <= SHORT
        ? `drift too: ${applied} at the last apply`
        : 'drift too: it was something else at the last apply',
    );
  }
  if (change.manager !== undefined) {
    comments.push(`${change.claimed === undefined ? '' : 'conflict: '}owned by ${change.manager}`);
  }
  if (change.risk !== undefined) {
    comments.push(`disruptive: ${change.risk}`);
  }
  if (change.mode === 'replace') {
    comments.push(`${FORCES}${change.reason === undefined ? '' : `: ${change.reason}`}`);
  }
  return comments;
}

/** Maps hold secrets more often than not, and are long. */
function isPlain(value: Value | undefined): boolean {
  return value === undefined || typeof value === 'string' || isList(value);
}
