/** Which plans are applied without anybody's word, and what stands for a plan when somebody gives it. */
import type { Plan } from '../../planner/plan.ts';

export const POLICIES = ['auto', 'in-place', 'approved'] as const;
export type Policy = (typeof POLICIES)[number];

/** Why a plan is not applied under a policy; undefined when it is. Of 'approved' only what changes nothing is. */
export function objection(policy: Policy, plan: Plan): string | undefined {
  const changes = plan.changes.filter((c) => c.action !== 'no-op');
  if (policy === 'auto' || changes.length === 0) {
    return undefined;
  }
  if (policy === 'approved') {
    return `${changes.length} ${changes.length === 1 ? 'change waits' : 'changes wait'} for approval`;
  }
  const hard = changes.filter((c) => ['restart', 'replace', 'delete'].includes(c.action));
  return hard.length === 0
    ? undefined
    : `not in place: ${hard
        .map((c) => `${c.address} (${c.action})`)
        .slice(0, 5)
        .join(', ')}${hard.length > 5 ? ' …' : ''}`;
}

/** A keyed digest of a text: a plan has values in it that nobody is to guess from what stands for it. */
export type Mark = (text: string) => string;

/**
 * Why the plan that was made under the lock is not applied; undefined when it is.
 * @param approved digests of the plans that were approved, by stack: what moved since is not what the word was for
 */
export function refusal(
  policy: Policy,
  approved: ReadonlyMap<string, string>,
  plan: Plan,
  mark: Mark,
): string | undefined {
  const objected = objection(policy, plan);
  if (objected === undefined || approved.get(plan.stack) === planDigest([plan], mark)) {
    return undefined;
  }
  return approved.has(plan.stack) ? `it is no longer what was approved: ${objected}` : objected;
}

/** The same for plans that do the same; an approval of one is an approval of that alone. */
export function planDigest(plans: readonly Plan[], mark: Mark): string {
  const content = plans.map((p) => [
    p.stack,
    p.changes
      .filter((c) => c.action !== 'no-op')
      .map((c) => [
        c.address,
        c.action,
        c.attributes.map((a) => [a.name, a.before ?? null, a.after ?? null]),
        c.extras.map((e) => e.text),
      ]),
  ]);
  return mark(JSON.stringify(content)).slice(0, 16);
}
