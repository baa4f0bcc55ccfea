/** The order of changes: what must exist comes first, removal runs the other way, circles are errors with the path. */
import { TsboxError } from '../errors.ts';
import type { Address, Declared } from '../resources/kind.ts';
import type { StackScope } from '../resources/scope.ts';
import type { Split } from './freezing.ts';
import type { PlannedChange } from './plan.ts';

/** Gives each change the changes it waits for, and sorts them so that a reader sees causes before effects. */
export function orderChanges(
  drafts: ReadonlyMap<Address, Split>,
  declared: ReadonlyMap<Address, Declared>,
  scope: StackScope,
): PlannedChange[] {
  const active = new Set(
    [...drafts.values()].filter((d) => d.steps.length + d.lateSteps.length > 0).map((d) => d.address),
  );
  const changes = [...drafts.values()].map((draft): PlannedChange => {
    const { startsBelow, refresh: _refresh, ...change } = draft;
    const after =
      draft.action === 'delete'
        ? removalOrder(draft.address, drafts, scope)
        : [...(declared.get(draft.address)?.needs ?? []), ...(draft.rollout?.after ?? [])];
    return {
      ...change,
      after: after.filter((a) => active.has(a) && a !== draft.address),
      lateAfter: startsBelow.filter((a) => active.has(a)),
    };
  });
  return sort(withoutRemovalCircles(changes));
}

/**
 * Labels written by different applies may need each other in a circle, where the stack file turned a dependency round
 * in between. Such things still have to go: the need that closes the circle is dropped.
 */
function withoutRemovalCircles(changes: readonly PlannedChange[]): PlannedChange[] {
  const after = new Map(changes.filter((c) => c.action === 'delete').map((c) => [c.address, new Set(c.after)]));
  const done = new Set<Address>();
  const visit = (address: Address, path: ReadonlySet<Address>): void => {
    for (const other of after.get(address) ?? []) {
      if (path.has(other)) {
        after.get(address)?.delete(other);
      } else if (after.has(other) && !done.has(other)) {
        visit(other, new Set([...path, other]));
      }
    }
    done.add(address);
  };
  for (const address of after.keys()) {
    visit(address, new Set([address]));
  }
  return changes.map((c) => ({ ...c, after: [...(after.get(c.address) ?? c.after)] }));
}

/** A cgroup goes after everything whose directory is below it; a namespace or container after those living in it. */
export function removalOrder(address: Address, drafts: ReadonlyMap<Address, unknown>, scope: StackScope): Address[] {
  const own = scope.byAddress.get(address);
  const after: Address[] = [];
  for (const [other, entry] of scope.byAddress) {
    const below = own !== undefined && address.startsWith('cgroup/') && entry.path.startsWith(`${own.path}/`);
    const rests = entry.label?.needs?.includes(address) === true;
    if ((below || rests) && drafts.has(other)) {
      after.push(other);
    }
  }
  return after;
}

/** Depth-first order over `after`, by address among equals. */
function sort(changes: readonly PlannedChange[]): PlannedChange[] {
  const byAddress = new Map(changes.map((c) => [c.address, c]));
  const done = new Set<Address>();
  const result: PlannedChange[] = [];
  const visit = (change: PlannedChange, path: readonly Address[]): void => {
    if (done.has(change.address)) {
      return;
    }
    if (path.includes(change.address)) {
      const circle = [...path.slice(path.indexOf(change.address)), change.address];
      throw new TsboxError('TSB1005', `these depend on each other in a circle: ${circle.join(' -> ')}`, {
        at: change.at,
      });
    }
    for (const before of [...change.after].sort()) {
      const other = byAddress.get(before);
      if (other !== undefined) {
        visit(other, [...path, change.address]);
      }
    }
    done.add(change.address);
    result.push(change);
  };
  for (const change of changes) {
    visit(change, []);
  }
  return result;
}
