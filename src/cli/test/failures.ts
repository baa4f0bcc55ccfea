/** What failed in a run, held against what it expects to fail. */
import { TsboxError } from '../../errors.ts';
import { isConverged, unmet, type CheckResult, type Plan } from '../../planner/plan.ts';
import type { ExpectedFailure } from '../../stack/tests/load.ts';
import type { Applied } from './apply.ts';

export interface RunFailure {
  /** By what it may be expected. */
  readonly names: readonly string[];
  /** Where nobody expects it, it is none: conditions of severity info. */
  readonly matters: boolean;
  readonly error: TsboxError;
}

function ofCondition({ kind, name, address, severity, message, at, sourceLine }: CheckResult): RunFailure {
  const about = kind === 'precondition' || address === undefined ? '' : ` (${address})`;
  const error = new TsboxError('TSB3012', `${kind} ${name}${about}: ${message}`, { at, sourceLine, address });
  const named = kind === 'precondition' ? [] : [name, `${kind}/${name}`];
  return { names: [...named, ...(address === undefined ? [] : [address])], matters: severity !== 'info', error };
}

/** Conditions that do not hold, and what is refused. */
export function planFailures(plan: Plan): RunFailure[] {
  const blocked = plan.changes.flatMap(({ address, at, blocked: why }) =>
    why?.by === 'protection'
      ? [{ names: [address], matters: true, error: new TsboxError('TSB3012', why.message, { at, address }) }]
      : [],
  );
  return [...unmet(plan).map(ofCondition), ...blocked];
}

/** What failed before, while and after something was applied; each once. */
export function applyFailures({ planned, after, result }: Applied): RunFailure[] {
  const before = planFailures(planned.plan).filter(
    (f) => result === undefined || !f.names.some((n) => n.startsWith('check/')),
  );
  if (result === undefined) {
    return before;
  }
  const failed = result.failed.map(({ change, error }) => ({
    names: [change.address, error.code],
    matters: true,
    error: new TsboxError(error.code, `${change.address}: ${error.message}`, {
      ...error.info,
      address: change.address,
    }),
  }));
  const known = new Set(before.flatMap((f) => f.names));
  const later = planFailures(after.plan).filter((f) => !f.names.every((n) => known.has(n)));
  const differing = after.plan.changes.filter((c) => c.action !== 'no-op' && c.blocked === undefined);
  const unsettled =
    failed.length > 0 || result.notStarted.length > 0 || isConverged(after.plan)
      ? []
      : [
          {
            names: ['TSB3003', ...differing.map((c) => c.address)],
            matters: true,
            error: new TsboxError(
              'TSB3003',
              `still different after the apply: ${differing.map((c) => c.address).join(', ')}`,
            ),
          },
        ];
  return [...before, ...failed, ...later, ...unsettled];
}

/** Failures that nobody expected. */
export function unexpected(failures: readonly RunFailure[], expected: readonly ExpectedFailure[]): TsboxError[] {
  const wanted = new Set(expected.map((e) => e.what));
  return failures.filter((f) => f.matters && !f.names.some((n) => wanted.has(n))).map((f) => f.error);
}

/** Expectations that did not come true. */
export function missed(failures: readonly RunFailure[], expected: readonly ExpectedFailure[]): TsboxError[] {
  return expected
    .filter(({ what }) => !failures.some((f) => f.names.includes(what)))
    .map(
      ({ what, at, sourceLine }) =>
        new TsboxError('TSB4001', `'${what}' was expected to fail and did not`, { at, sourceLine }),
    );
}
