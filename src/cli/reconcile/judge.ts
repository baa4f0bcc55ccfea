/** Whether a revision may be applied: everything is planned before anything is done, and each plan again under its lock. */
import { TsboxError } from '../../errors.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { makePlan } from '../../planner/index.ts';
import { refusals, refusalText, type Plan } from '../../planner/plan.ts';
import { planKey } from '../plan-file/key.ts';
import type { Judge } from '../quiet-apply.ts';
import type { Approval } from './approval.ts';
import { objection, planDigest, refusal, type Mark, type Policy } from './policy.ts';
import type { Status } from './status.ts';
import type { TreeStack } from './tree.ts';

/** What waits for a word, or who judges the plans that are made under the lock. */
export type Verdict =
  { readonly pending: NonNullable<Status['pending']>; readonly reason: string } | { readonly judge: Judge };

/**
 * @param vanished stacks that are to be removed
 * @throws TsboxError TSB3012 where a policy of a stack refuses its plan: nobody's word goes over that
 */
export async function judgeRevision(
  kernel: Kernel,
  policy: Policy,
  approval: Approval,
  commit: string,
  stacks: readonly TreeStack[],
  vanished: readonly string[],
): Promise<Verdict> {
  const plans: Plan[] = [];
  for (const { stack } of stacks) {
    plans.push((await makePlan(kernel, stack.name, stack, { targets: [], destroy: false })).plan);
  }
  for (const name of vanished) {
    plans.push((await makePlan(kernel, name, undefined, { targets: [], destroy: true })).plan);
  }
  for (const plan of plans) {
    const [denied] = refusals(plan);
    if (denied !== undefined) {
      throw new TsboxError('TSB3012', `${plan.stack}: ${refusalText(denied)}`, { at: denied.at });
    }
  }
  const reasons = plans.flatMap((p) => {
    const reason = objection(policy, p);
    return reason === undefined ? [] : [`${p.stack}: ${reason}`];
  });
  const key = planKey(kernel.settings.stateDir, true);
  const mark: Mark = (text) => key.mark('reconcile', text);
  const digest = planDigest(plans, mark);
  const given = approval.given({ commit, digest });
  if (reasons.length === 0 || given) {
    const approved = new Map(given ? plans.map((p) => [p.stack, planDigest([p], mark)] as const) : []);
    return { judge: (plan) => refusal(policy, approved, plan, mark) };
  }
  const plan = plans.flatMap((p) =>
    p.changes.filter((c) => c.action !== 'no-op').map((c) => `${c.action} ${p.stack}:${c.address}`),
  );
  return { pending: { commit, digest, plan: plan.slice(0, 100) }, reason: reasons.join('; ') };
}
