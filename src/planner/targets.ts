/** --target: the named resources and what they need. */
import { TsboxError } from '../errors.ts';
import type { Address, Declared } from '../resources/kind.ts';
import { addressFits } from '../resources/container/replica-names.ts';
import type { PlannedChange } from './plan.ts';

export interface Selected {
  readonly changes: readonly PlannedChange[];
  readonly complete: boolean;
}

/** Keeps the targets, what lies below a targeted cgroup, the replicas of a targeted container, and what those changes wait for. */
export function selectTargets(
  changes: readonly PlannedChange[],
  targets: readonly string[],
  declared: ReadonlyMap<Address, Declared>,
): Selected {
  if (targets.length === 0) {
    return { changes, complete: true };
  }
  const byAddress = new Map(changes.map((c) => [c.address, c]));
  const keep = new Set<Address>();
  const add = (address: Address): void => {
    const change = byAddress.get(address);
    if (change === undefined || keep.has(address)) {
      return;
    }
    keep.add(address);
    [...change.after, ...(declared.get(address)?.needs ?? [])].forEach(add);
  };
  for (const target of targets) {
    const matches = [...byAddress.keys()].filter((a) => addressFits(a, target));
    if (matches.length === 0) {
      throw new TsboxError('TSB2003', `no resource '${target}' in the stack or owned by it`, {
        hint: `addresses are kind/name: ${[...byAddress.keys()].slice(0, 5).join(', ')}${byAddress.size > 5 ? ', …' : ''}`,
      });
    }
    matches.forEach(add);
  }
  const kept = changes.filter((c) => keep.has(c.address));
  return { changes: kept, complete: changes.every((c) => keep.has(c.address) || c.action === 'no-op') };
}
