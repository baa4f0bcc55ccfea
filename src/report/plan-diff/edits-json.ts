/** The edits of a changed list or map as JSON: what the text of a plan is made of. */
import { isList, type Value } from '../../resources/attribute.ts';
import type { AttributeChange } from '../../resources/kind.ts';
import { kindOf } from '../../resources/registry.ts';
import { covered } from '../covered.ts';
import { editsOf, type Edit } from './edits.ts';
import { sequences } from './sequences.ts';

/** undefined for what is no list or map on both sides: its values say it all. */
export function editsJson(
  address: string,
  change: AttributeChange,
  mask: (text: string) => string,
): Edit[] | undefined {
  const attribute = kindOf(address).attributes.get(change.name);
  const after = change.after ?? attribute?.default;
  if (!isParted(change.before) || !isParted(after) || isList(change.before) !== isList(after)) {
    return undefined;
  }
  const old = covered(change.before, after, mask);
  return editsOf(attribute, old, after, sequences).map(({ op, at, ...sides }) => ({
    op,
    at: typeof at === 'string' ? mask(at) : at,
    ...(typeof sides.before === 'string' ? { before: mask(sides.before) } : {}),
    ...(typeof sides.after === 'string' ? { after: mask(sides.after) } : {}),
  }));
}

function isParted(value: Value | undefined): value is Exclude<Value, string> {
  return value !== undefined && typeof value !== 'string';
}
