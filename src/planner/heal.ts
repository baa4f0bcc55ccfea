/** A plan that ends drift and nothing else: what the stack file changed since the last apply stays undone. */
import type { Value } from '../resources/attribute.ts';
import type { Address, AttributeChange, Declared, Observed } from '../resources/kind.ts';
import type { StackScope } from '../resources/scope.ts';
import type { Step } from '../resources/step.ts';
import { actionFor } from './diff.ts';
import type { Draft } from './cascade.ts';

/** Whether a drift is to be healed; attribute is '' for what is missing, and the sort of what is not ours. */
export type HealChoice = (drift: {
  readonly address: Address;
  readonly attribute: string;
  readonly class: 'changed' | 'missing' | 'unmanaged';
}) => boolean;

export interface Healing {
  /** Steps of a draft, made by `make` from what is declared for it. */
  steps(draft: Draft, make: (declared: ReadonlyMap<Address, Declared>) => Step[]): Step[];
}

/** Reduces the drafts to the chosen drift, and to what those that are made anew need. */
export function healOnly(
  choice: HealChoice,
  drafts: Map<Address, Draft>,
  declared: ReadonlyMap<Address, Declared>,
  observed: ReadonlyMap<Address, Observed>,
  scope: StackScope,
): Healing {
  const all = new Map(drafts);
  for (const [address, draft] of all) {
    if (declared.has(address)) {
      drafts.set(address, reduced(draft, choice));
    } else {
      drafts.delete(address);
    }
  }
  const add = (address: Address): void => {
    const draft = all.get(address);
    if (draft?.action === 'create' && drafts.get(address)?.action !== 'create') {
      drafts.set(address, draft);
      declared.get(address)?.needs.forEach(add);
    }
  };
  for (const { address, action } of [...drafts.values()]) {
    if (action === 'create' || action === 'replace') {
      declared.get(address)?.needs.forEach(add);
    }
  }
  return {
    steps(draft, make) {
      const wanted = declared.get(draft.address);
      const live = observed.get(draft.address);
      // What is made anew is made as the file has it.
      if (
        wanted === undefined ||
        live === undefined ||
        live.applied === null ||
        !['update', 'restart'].includes(draft.action)
      ) {
        return make(declared);
      }
      const desired = recordedBut(wanted, live.applied, draft.attributes);
      const at = scope.byAddress.get(draft.address)?.label?.at;
      return make(new Map(declared).set(draft.address, { ...wanted, desired })).map((step) =>
        // What still differs differs since before this.
        step.op === 'label' && at !== undefined ? { ...step, label: { ...step.label, at } } : step,
      );
    },
  };
}

function reduced(draft: Draft, choice: HealChoice): Draft {
  const { address } = draft;
  const nothing = { ...draft, action: 'no-op', attributes: [], extras: [], reasons: [], refresh: false } as const;
  if (draft.action === 'create') {
    return draft.missing && choice({ address, attribute: '', class: 'missing' })
      ? draft
      : { ...nothing, missing: false };
  }
  const attributes = draft.attributes.filter(
    (a) => (a.cause === 'drift' || a.cause === 'both') && choice({ address, attribute: a.name, class: 'changed' }),
  );
  const extras = draft.extras.filter((e) => choice({ address, attribute: e.what, class: 'unmanaged' }));
  const action = actionFor(attributes, extras);
  return { ...nothing, action, attributes, extras };
}

/** What was applied last, with the healed attributes as the file has them. */
function recordedBut(
  wanted: Declared,
  applied: Readonly<Record<string, Value>>,
  attributes: readonly AttributeChange[],
): Record<string, Value> {
  const desired: Record<string, Value> = { ...applied };
  for (const { name, after } of attributes) {
    const value = wanted.desired[name] ?? after;
    if (value !== undefined) {
      desired[name] = value;
    }
  }
  return desired;
}
