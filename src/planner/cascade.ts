/** When a shared namespace is made anew, whoever lives in it is too: the same plan says so, with the reason. */
import type { Address, Declared } from '../resources/kind.ts';
import type { PlannedChange } from './plan.ts';

/** A change before its steps and order are known. */
export interface Draft extends Omit<PlannedChange, 'steps' | 'lateSteps' | 'after' | 'lateAfter'> {
  /** Only the record on the object is to be brought up to date. */
  readonly refresh: boolean;
}

/** Marks sharers of what is created or replaced as replaced, transitively. */
export function addReplacements(drafts: Map<Address, Draft>, declared: ReadonlyMap<Address, Declared>): void {
  const sharers = new Map<Address, Address[]>();
  for (const d of declared.values()) {
    for (const owner of d.shares) {
      sharers.set(owner, [...(sharers.get(owner) ?? []), d.address]);
    }
  }
  const queue = [...drafts.values()]
    .filter((d) => d.action === 'create' || d.action === 'replace')
    .map((d) => d.address);
  const mortal = [...drafts.values()].filter((d) => d.action === 'restart').map((d) => d.address);
  const mark = (owner: Address, sharer: Address): void => {
    const draft = drafts.get(sharer);
    if (draft === undefined || draft.action === 'create' || draft.action === 'replace') {
      return;
    }
    const verb =
      drafts.get(owner)?.action === 'create'
        ? 'made'
        : drafts.get(owner)?.action === 'restart'
          ? 'restarted'
          : 'replaced';
    drafts.set(sharer, {
      ...draft,
      action: 'replace',
      reasons: [...draft.reasons, `it lives in a namespace of ${owner}, which is ${verb}`],
    });
    queue.push(sharer);
  };
  for (const owner of mortal) {
    // A restarted container goes back into the namespaces that its sharers hold, except those that died with it.
    for (const sharer of sharers.get(owner) ?? []) {
      const desired = declared.get(sharer)?.desired;
      if (desired?.['namespace.pid'] === owner || desired?.['namespace.mnt'] === owner) {
        mark(owner, sharer);
      }
    }
  }
  for (let owner = queue.shift(); owner !== undefined; owner = queue.shift()) {
    for (const sharer of sharers.get(owner) ?? []) {
      mark(owner, sharer);
    }
  }
}
