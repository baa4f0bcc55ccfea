/** Outputs of a stack with the references to live values answered, as things are and as they will be. */
import type { Plan, PlannedChange } from '../planner/plan.ts';
import type { OutputState } from '../report/terraform/outputs.ts';
import type { Address, Observed } from '../resources/kind.ts';
import { fillOutput, referencesIn, type Reference } from '../stack/outputs.ts';
import type { Stack } from '../stack/types.ts';

interface Live {
  readonly plan: Plan;
  readonly observed: ReadonlyMap<Address, Observed>;
}

/** What a reference asks for, of what was read; undefined when it is not there. */
function answer({ kind, name, attribute }: Reference, { observed }: Live): string | undefined {
  const found = observed.get(`${kind}/${name}`);
  if (found === undefined || !found.exists) {
    return undefined;
  }
  const value = attribute === 'cgroup' ? found.facts['path'] : (found.facts[attribute] ?? found.live[attribute]);
  return typeof value === 'string' ? value : undefined;
}

function filled(value: string, live: Live): string | undefined {
  const answers = referencesIn(value).map((r) => answer(r, live));
  return answers.includes(undefined) ? undefined : fillOutput(value, (r) => answer(r, live) ?? r.text);
}

/** Values that change with what is made, replaced or started anew; a name and a path stay. */
const STAYS: readonly string[] = ['path', 'cgroup'];

function staysKnown(reference: Reference, byAddress: ReadonlyMap<Address, PlannedChange>): boolean {
  const change = byAddress.get(`${reference.kind}/${reference.name}`);
  const { action } = change ?? { action: 'no-op' };
  if (action === 'no-op') {
    return true;
  }
  const touched = change?.attributes.some((a) => a.name === reference.attribute) ?? false;
  return action === 'update' ? !touched : action !== 'create' && STAYS.includes(reference.attribute);
}

export function outputStates(stack: Stack | undefined, live: Live, removed: boolean): OutputState[] {
  const byAddress = new Map(live.plan.changes.map((c) => [c.address, c]));
  return [...(stack?.outputs ?? [])].map(([name, { value, sensitive }]) => {
    const before = filled(value, live);
    const known = referencesIn(value).every((r) => staysKnown(r, byAddress));
    // Before the first apply nothing was there, a constant neither.
    const made = live.plan.changes.length === 0 || live.plan.changes.some((c) => c.action !== 'create');
    return {
      name,
      sensitive,
      before: made ? before : undefined,
      after: known ? before : undefined,
      removed,
    };
  });
}
