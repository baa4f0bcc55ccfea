/**
 * What a plan does and what it rests on, as data that can be kept and compared: each change with its steps, the values
 * that were read, and the handles of the objects. Two plans with the same basis are the same plan.
 */
import type { Address, AttributeChange, Observed } from '../../resources/kind.ts';
import type { StackScope } from '../../resources/scope.ts';
import type { Step } from '../../resources/step.ts';
import type { Action, Plan, PlannedChange } from '../plan.ts';

export interface BasisChange {
  readonly address: Address;
  readonly action: Action;
  readonly missing: boolean;
  readonly attributes: readonly AttributeChange[];
  readonly extras: readonly string[];
  readonly reasons: readonly string[];
  /** pid, path and the like. */
  readonly facts: Readonly<Record<string, string>>;
  /** Inode of its directory: one that was made anew under the same name is another object. */
  readonly inode: number | null;
  readonly steps: readonly Step[];
  readonly lateSteps: readonly Step[];
  readonly after: readonly Address[];
  readonly lateAfter: readonly Address[];
  readonly rollout: PlannedChange['rollout'] | null;
  /** It is left out: by what. */
  readonly blocked: string | null;
}

export interface Basis {
  readonly stack: string;
  readonly complete: boolean;
  readonly declared: readonly Address[];
  /** Resources that stay as they are. */
  readonly unchanged: readonly Address[];
  readonly changes: readonly BasisChange[];
}

export function basisOf(planned: {
  readonly plan: Plan;
  readonly scope: StackScope;
  readonly observed: ReadonlyMap<Address, Observed>;
}): Basis {
  const { plan, scope } = planned;
  const acts = (c: PlannedChange): boolean => c.action !== 'no-op' || c.steps.length + c.lateSteps.length > 0;
  return {
    stack: plan.stack,
    complete: plan.complete,
    declared: plan.declared,
    unchanged: plan.changes.filter((c) => !acts(c)).map((c) => c.address),
    changes: plan.changes.filter(acts).map((c) => ({
      address: c.address,
      action: c.action,
      missing: c.missing,
      // What a value costs at this moment (memory in use) moves all the time and decides nothing; contents are for show.
      attributes: c.attributes.map(({ risk: _risk, contents: _contents, ...attribute }) => attribute),
      extras: c.extras.map((e) => e.text),
      reasons: c.reasons,
      facts: c.facts,
      inode: scope.byAddress.get(c.address)?.ino ?? null,
      steps: c.steps,
      lateSteps: c.lateSteps,
      after: c.after,
      lateAfter: c.lateAfter,
      rollout: c.rollout ?? null,
      blocked: c.blocked?.by ?? null,
    })),
  };
}
