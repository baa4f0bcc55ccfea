/** What a reconciler did and how its source stands, as Prometheus reads it, and whether it is well. */
import { metricBlock } from '../../report/exposition.ts';
import { applyBlock, stackInfoBlock, type StackInfo } from '../daemon/stack-info.ts';
import type { Result, Status } from './status.ts';

const RESULTS: readonly Result[] = ['applied', 'failed', 'rolled_back', 'invalid', 'waiting', 'pending'];

/** Counted since the start of the process. */
export class Counts {
  readonly rounds = { ok: 0, error: 0 };
  readonly attempts = new Map<Result, number>();
  readonly applies = { applied: 0, failed: 0, locked: 0 };
  pruned = 0;
  /** Ms since the epoch; undefined before the end of the first. */
  lastRound: number | undefined;
  roundMs = 0;

  attempt(result: Result): void {
    this.attempts.set(result, (this.attempts.get(result) ?? 0) + 1);
  }

  /** @param began ms since the epoch */
  round(began: number, failed: boolean): void {
    this.rounds[failed ? 'error' : 'ok']++;
    this.lastRound = Date.now();
    this.roundMs = this.lastRound - began;
  }
}

export function reconcileMetrics(
  status: Status,
  stacks: readonly StackInfo[],
  counts: Counts,
  suspended: boolean,
): string {
  const source = { source: status.source };
  const { lastRound, roundMs, rounds } = counts;
  return [
    stackInfoBlock(stacks),
    metricBlock(
      'tsbox_reconcile_info',
      'gauge',
      'The source; revision is the head as fetched last, result how the last attempt ended.',
      [
        [
          {
            ...source,
            branch: status.branch ?? '',
            revision: status.seen ?? '',
            result: status.attempt?.result ?? 'none',
            health: status.health,
          },
          1,
        ],
      ],
    ),
    metricBlock('tsbox_reconcile_suspended', 'gauge', '1 while nothing of the source is applied.', [
      [source, suspended ? 1 : 0],
    ]),
    metricBlock('tsbox_reconcile_in_sync', 'gauge', '1 while the head is what was applied last and became healthy.', [
      [source, status.seen !== null && status.good?.commit === status.seen ? 1 : 0],
    ]),
    metricBlock('tsbox_reconcile_drift_items', 'gauge', 'What differs from the last apply, over all its stacks.', [
      [source, status.drift],
    ]),
    applyBlock(counts.applies),
    metricBlock('tsbox_reconcile_pruned_total', 'counter', 'Stacks destroyed because no revision has them any more.', [
      [source, counts.pruned],
    ]),
    metricBlock(
      'tsbox_reconcile_attempts_total',
      'counter',
      'Attempts at a revision by their result.',
      RESULTS.map((result) => [{ ...source, result }, counts.attempts.get(result) ?? 0]),
    ),
    metricBlock('tsbox_reconcile_rounds_total', 'counter', 'Rounds by whether anything was wrong at their end.', [
      [{ ...source, result: 'ok' }, rounds.ok],
      [{ ...source, result: 'error' }, rounds.error],
    ]),
    metricBlock(
      'tsbox_reconcile_last_round_timestamp_seconds',
      'gauge',
      'When the last round ended.',
      lastRound === undefined ? [] : [[source, lastRound / 1000]],
    ),
    metricBlock('tsbox_reconcile_round_duration_seconds', 'gauge', 'How long it took.', [[source, roundMs / 1000]]),
  ].join('');
}

/**
 * Why the reconciler is not well; undefined when it is. A source that cannot be fetched or applied is no illness of its
 * own: the metrics and the status tell that.
 * @param patience how long a round may take by itself, ms
 */
export function reconcileIllness(
  counts: Counts,
  began: number,
  now: number,
  interval: number,
  patience: number,
): string | undefined {
  const since = now - (counts.lastRound ?? began);
  return since > 3 * interval + patience + 10_000
    ? `no round came to its end for ${Math.round(since / 1000)} s`
    : undefined;
}
