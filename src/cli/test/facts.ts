/** What an assertion may ask about, and what becomes of it. */
import { TsboxError } from '../../errors.ts';
import type { Planned } from '../../planner/index.ts';
import { answered, factsOf, plainValue } from '../../planner/conditions.ts';
import { isEmpty, summarise } from '../../planner/plan.ts';
import type { Expression, Stack } from '../../stack/types.ts';
import { outputStates } from '../output-values.ts';

/**
 * The names of an assertion: those of a stack's conditions, and besides `plan` (its counts) and `outputs`.
 * @param planned what was planned, and applied where the run applies
 * @param after what is there then: the same without an apply
 */
export function runFacts(stack: Stack, planned: Planned, after: Planned): Record<string, unknown> {
  const { plan } = planned;
  const { inPlace, driftResources: _, import: imported = 0, ...counts } = summarise(plan);
  const actions = new Map(plan.changes.map((c) => [c.address, c.action]));
  const changes = after.plan.changes.map((c) => ({ ...c, action: actions.get(c.address) ?? c.action }));
  const outputs = outputStates(stack, after, false).flatMap(({ name, after: value }) =>
    value === undefined ? [] : [[name, plainValue(value)] as const],
  );
  const numbers = Object.entries({ ...counts, import: imported, in_place: inPlace });
  return {
    ...factsOf(stack, changes, after.declared, after.observed),
    plan: {
      ...Object.fromEntries(numbers.map(([name, n]) => [name, BigInt(n)])),
      empty: isEmpty(plan),
      warnings: plan.warnings,
    },
    outputs: Object.fromEntries(outputs),
  };
}

/** Assertions that do not hold. */
export async function brokenAssertions(
  assertions: readonly Expression[],
  facts: Readonly<Record<string, unknown>>,
): Promise<Array<{ readonly status: 'fail' | 'error'; readonly error: TsboxError }>> {
  const results = await Promise.all(
    assertions.map(async (assertion) => {
      const answer = await assertion.compile();
      return answered(assertion, () => answer(facts));
    }),
  );
  return results.flatMap(({ status, message, at, sourceLine }) =>
    status === 'pass'
      ? []
      : [
          {
            status: status === 'fail' ? ('fail' as const) : ('error' as const),
            error: new TsboxError('TSB4001', status === 'fail' ? `assertion failed: ${message}` : message, {
              at,
              sourceLine,
            }),
          },
        ],
  );
}
