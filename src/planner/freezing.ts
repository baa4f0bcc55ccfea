/**
 * Freezing comes last: a process that is born in a frozen cgroup never reaches its exec. A frozen cgroup below which
 * something must start is thawed for that moment, and the plan says so.
 */
import type { Address, Observed } from '../resources/kind.ts';
import type { Step } from '../resources/step.ts';
import type { Draft } from './cascade.ts';

export interface Split extends Draft {
  readonly steps: readonly Step[];
  readonly lateSteps: readonly Step[];
  /** Addresses of what is started before the late steps: containers below it, or the other replicas that roll. */
  readonly startsBelow: readonly Address[];
}

const CGROUP = 'cgroup/';

export function splitFreezing(
  drafts: ReadonlyMap<Address, Draft & { readonly steps: readonly Step[] }>,
  observed: ReadonlyMap<Address, Observed>,
): Map<Address, Split> {
  const starts = [...drafts.values()].flatMap((d) => startedPaths(d));
  const result = new Map<Address, Split>();
  for (const [address, draft] of drafts) {
    const path = address.startsWith(CGROUP) ? address.slice(CGROUP.length) : undefined;
    const below = path === undefined ? [] : starts.filter((s) => s.path.startsWith(`${path}/`)).map((s) => s.address);
    const freezes = (s: Step): boolean => s.op === 'freeze' && s.frozen;
    const wasFrozen = observed.get(address)?.live['cgroup.freeze'] === '1';
    const thaws = path !== undefined && wasFrozen && below.length > 0 && draft.action !== 'delete';
    if (path === undefined || !(draft.steps.some(freezes) || thaws)) {
      result.set(address, { ...draft, lateSteps: [], startsBelow: [] });
      continue;
    }
    const staysFrozen = draft.steps.some(freezes) || !draft.steps.some((s) => s.op === 'freeze');
    const freeze: Step = { op: 'freeze', path, frozen: true };
    result.set(address, {
      ...draft,
      action: draft.action === 'no-op' ? 'update' : draft.action,
      reasons: thaws && staysFrozen ? [...draft.reasons, `thawed while ${below.join(', ')} starts`] : draft.reasons,
      steps: [
        ...(thaws ? [{ op: 'freeze', path, frozen: false } as const] : []),
        ...draft.steps.filter((s) => (thaws ? s.op !== 'freeze' : !freezes(s))),
      ],
      lateSteps: staysFrozen ? [freeze] : [],
      startsBelow: below,
    });
  }
  return result;
}

/** The leaf in which a draft starts a process. */
function startedPaths(draft: Draft & { readonly steps: readonly Step[] }): Array<{ address: Address; path: string }> {
  if (!draft.steps.some((s) => s.op === 'start')) {
    return [];
  }
  const label = draft.steps.find((s) => s.op === 'label');
  return label?.op === 'label' ? [{ address: draft.address, path: label.path }] : [];
}
