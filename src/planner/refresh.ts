/** --refresh-only: live values are accepted into the record on each object; nothing else is written. */
import type { AttributeChange, Declared, Observed, StepContext } from '../resources/kind.ts';
import type { Value } from '../resources/attribute.ts';
import { kindOf } from '../resources/registry.ts';
import type { Step } from '../resources/step.ts';
import type { Draft } from './cascade.ts';
import { satisfies, withGained } from './diff.ts';

/** Records that live values have left: before is what was last applied, after is live. */
export function draftRefresh(declared: Declared, observed: Observed | undefined): Draft {
  const { address, kind } = declared;
  const applied = observed?.exists === true ? observed.applied : null;
  const attributes = [...kindOf(address).attributes.values()].flatMap((attribute): AttributeChange[] => {
    const { name, observed: how } = attribute;
    const [before, after] = [applied?.[name], observed?.live[name]];
    const known = withGained(attribute, before, after);
    const isNews = known !== undefined && after !== undefined && how === 'live' && !satisfies(attribute, known, after);
    return isNews && name !== 'state'
      ? [{ name, before, after, applied: before, cause: 'drift', mode: 'in-place', reason: undefined }]
      : [];
  });
  return {
    address,
    kind,
    action: attributes.length > 0 ? 'update' : 'no-op',
    missing: false,
    attributes,
    extras: [],
    reasons: attributes.length > 0 ? ['the record only'] : [],
    unreadable: observed?.unreadable ?? [],
    facts: observed?.facts ?? {},
    at: declared.at,
    refresh: false,
  };
}

const RECORDS: ReadonlySet<Step['op']> = new Set(['label', 'namespace-label', 'volume-make']);

/** The writing of the record, of all that bringing it up to date would do. */
export function refreshSteps(
  draft: Draft,
  declared: Declared,
  observed: Observed | undefined,
  context: StepContext,
): Step[] {
  if (draft.attributes.length === 0 || observed === undefined || observed.applied === null) {
    return [];
  }
  const accepted = draft.attributes.flatMap((a): Array<[string, Value]> =>
    a.after === undefined ? [] : [[a.name, a.after]],
  );
  const desired = { ...observed.applied, ...Object.fromEntries(accepted) };
  return kindOf(draft.address)
    .update({ ...declared, desired }, [], context)
    .filter((s) => RECORDS.has(s.op))
    .map((s) => (s.op === 'volume-make' ? { ...s, owner: null, mode: null } : s));
}
