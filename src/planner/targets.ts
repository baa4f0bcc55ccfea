/** --target: the named resources and what they need. */
import { TsboxError } from '../errors.ts';
import type { Address, Declared } from '../resources/kind.ts';
import { addressMatcher } from '../resources/address-forms.ts';
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
  excluded: readonly string[] = [],
): Selected {
  if (excluded.length > 0) {
    return withoutExcluded(selectTargets(changes, targets, declared), excluded, declared);
  }
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
    matching([...byAddress.keys()], target).forEach(add);
  }
  const kept = changes.filter((c) => keep.has(c.address));
  return { changes: kept, complete: changes.every((c) => keep.has(c.address) || c.action === 'no-op') };
}

/** Addresses that are meant; TSB2003 where there are none. */
export function matching(addresses: readonly Address[], wanted: string): Address[] {
  const matches = addresses.filter(addressMatcher(wanted));
  if (matches.length === 0) {
    throw new TsboxError('TSB2003', `no resource '${wanted}' in the stack or owned by it`, {
      hint: `addresses are kind/name, with * and ? as patterns: ${addresses.slice(0, 5).join(', ')}${addresses.length > 5 ? ', …' : ''}`,
    });
  }
  return matches;
}

/** --exclude: without the named ones, and without what waits for them or needs them. */
function withoutExcluded(
  selected: Selected,
  excluded: readonly string[],
  declared: ReadonlyMap<Address, Declared>,
): Selected {
  const addresses = selected.changes.map((c) => c.address);
  const out = new Set(excluded.flatMap((e) => matching(addresses, e)));
  for (let before = -1; before < out.size;) {
    before = out.size;
    for (const change of selected.changes) {
      const rests =
        change.action === 'no-op' || change.action === 'update' ? [] : (declared.get(change.address)?.needs ?? []);
      if ([...change.after, ...rests].some((a) => out.has(a))) {
        out.add(change.address);
      }
    }
  }
  const changes = selected.changes.filter((c) => !out.has(c.address));
  const left = selected.changes.filter((c) => out.has(c.address) && c.action !== 'no-op');
  return { changes, complete: selected.complete && left.length === 0 };
}
