/** What is done for a change, in order. */
import { TsboxError } from '../errors.ts';
import type { Address, Declared, Observed, StepContext } from '../resources/kind.ts';
import { kindOf } from '../resources/registry.ts';
import type { Step } from '../resources/step.ts';
import type { Draft } from './cascade.ts';
import { forgetSteps, importSteps } from './transfers.ts';

export function stepsOf(
  draft: Draft,
  declared: ReadonlyMap<Address, Declared>,
  observed: ReadonlyMap<Address, Observed>,
  context: StepContext,
): Step[] {
  if (draft.blocked !== undefined) {
    return [];
  }
  if (draft.forget === true) {
    return forgetSteps(draft);
  }
  const kind = kindOf(draft.address);
  const wanted = declared.get(draft.address);
  const live = observed.get(draft.address);
  const ends = draft.action !== 'update' && draft.action !== 'no-op';
  const evictions = draft.extras.flatMap((e) => e.steps.filter((s) => !(ends && s.op === 'mounts')));
  const removal = (): Step[] => (live === undefined ? [] : kind.remove(live, context));
  if (draft.action === 'delete') {
    return [...evictions, ...removal()];
  }
  if (wanted !== undefined && draft.importing !== undefined && draft.kind === 'namespace') {
    return importSteps(draft, wanted, context.observed.get(draft.address)?.isProtected);
  }
  if (wanted === undefined) {
    throw new TsboxError('TSB9002', `${draft.address} is planned but neither declared nor to be removed`);
  }
  switch (draft.action) {
    case 'create':
      return [...evictions, ...kind.create(wanted, context)];
    case 'replace':
      return draft.createFirst === true
        ? [...evictions, ...kind.create(wanted, context), ...removal()]
        : inOrderOfDanger([...evictions, ...removal(), ...kind.create(wanted, context)]);
    case 'update':
      return [...evictions, ...kind.update(wanted, draft.attributes, context)];
    case 'restart':
      return [...evictions, ...kind.update(wanted, draft.attributes, context)];
    case 'no-op':
      return draft.refresh ? kind.update(wanted, [], context) : [];
  }
}

/** What only fetches and unpacks comes first: it may fail, and takes long, while the old one still runs. */
function inOrderOfDanger(steps: readonly Step[]): Step[] {
  return [...steps.filter((s) => s.op === 'image'), ...steps.filter((s) => s.op !== 'image')];
}
