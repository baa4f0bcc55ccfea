/** Contents of files that a plan shows line by line: only where neither side holds what is sensitive. */
import type { Plan } from '../planner/plan.ts';
import type { AttributeChange } from '../resources/kind.ts';
import { isHidden } from './covered.ts';

export type Contents = NonNullable<AttributeChange['contents']>;

/**
 * By target. What a secret takes the place of is a secret, too, and nobody knows its text: where one side holds one, the
 * other is not shown either.
 */
export function shownContents({ contents = {} }: AttributeChange, mask: (text: string) => string): Contents {
  return Object.fromEntries(
    Object.entries(contents).filter(([, { before, after }]) => !isHidden(before, mask) && !isHidden(after, mask)),
  );
}

/** A plan that is kept or sent on without the contents that are not shown. */
export function planWithoutHiddenContents(plan: Plan, mask: (text: string) => string): Plan {
  const attribute = (a: AttributeChange): AttributeChange => {
    const { contents: _, ...rest } = a;
    const shown = shownContents(a, mask);
    return Object.keys(shown).length === 0 ? rest : { ...rest, contents: shown };
  };
  return { ...plan, changes: plan.changes.map((c) => ({ ...c, attributes: c.attributes.map(attribute) })) };
}

/** The same for programs; nothing where nothing is shown. */
export function contentsJson(
  change: AttributeChange,
  mask: (text: string) => string,
): { readonly contents?: Contents } {
  const contents = shownContents(change, mask);
  return Object.keys(contents).length === 0 ? {} : { contents };
}
