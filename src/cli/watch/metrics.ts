/** What the watcher knows, as Prometheus reads it, and whether it is well. */
import { metricBlock } from '../../report/exposition.ts';
import { applyBlock, stackInfoBlock, type StackInfo } from '../daemon/stack-info.ts';
import { SEVERITIES, type Severity } from '../../resources/drift-settings.ts';

export interface StackMetrics extends StackInfo {
  readonly fields: Readonly<Record<Severity, number>>;
  /** From 0 to 1; undefined where it is not known. */
  readonly coverage?: number | undefined;
  /** Ms since the epoch; undefined before the first. */
  readonly lastCheck: number | undefined;
  readonly checkMs: number;
}

export interface Counters {
  checks: number;
  events: number;
  errors: number;
  healed: number;
  healFailed: number;
  backedOff: number;
  /** Applies of which another command had the lock; those that came to an end are healed or healFailed. */
  locked: number;
}

export const NO_COUNTS: Readonly<Counters> = {
  checks: 0,
  events: 0,
  errors: 0,
  healed: 0,
  healFailed: 0,
  backedOff: 0,
  locked: 0,
};

export function metricsText(stacks: readonly StackMetrics[], counters: Counters): string {
  const blocks: string[] = [];
  const block = (...metric: Parameters<typeof metricBlock>): void => void blocks.push(metricBlock(...metric));
  blocks.push(stackInfoBlock(stacks));
  block(
    'tsbox_drift_fields',
    'gauge',
    'What differs from the last apply.',
    stacks.flatMap((s) => SEVERITIES.map((severity) => [{ stack: s.stack, severity }, s.fields[severity]] as const)),
  );
  block(
    'tsbox_coverage_ratio',
    'gauge',
    'Share of the cgroups and processes in the subtree that are of the stack.',
    stacks.flatMap((s) => (s.coverage === undefined ? [] : [[{ stack: s.stack }, s.coverage] as const])),
  );
  block(
    'tsbox_last_check_timestamp_seconds',
    'gauge',
    'When the stack was read last.',
    stacks.flatMap((s) => (s.lastCheck === undefined ? [] : [[{ stack: s.stack }, s.lastCheck / 1000] as const])),
  );
  block(
    'tsbox_check_duration_seconds',
    'gauge',
    'How long that took.',
    stacks.map((s) => [{ stack: s.stack }, s.checkMs / 1000]),
  );
  block('tsbox_heal_total', 'counter', 'Healings by their result.', [
    [{ result: 'healed' }, counters.healed],
    [{ result: 'failed' }, counters.healFailed],
    [{ result: 'backed_off' }, counters.backedOff],
  ]);
  blocks.push(applyBlock({ applied: counters.healed, failed: counters.healFailed, locked: counters.locked }));
  block('tsbox_watch_checks_total', 'counter', 'Readings of a stack.', [[{}, counters.checks]]);
  block('tsbox_watch_events_total', 'counter', 'What the kernel told.', [[{}, counters.events]]);
  block('tsbox_watch_errors_total', 'counter', 'Checks, healings and messages that failed.', [[{}, counters.errors]]);
  return blocks.join('');
}

/** Why the watcher is not well; undefined when it is. */
export function illness(stacks: readonly StackMetrics[], now: number, interval: number): string | undefined {
  const late = stacks.filter((s) => s.lastCheck === undefined || now - s.lastCheck > 3 * interval + 10_000);
  return late.length === 0 ? undefined : `not read in time: ${late.map((s) => s.stack).join(', ')}`;
}
