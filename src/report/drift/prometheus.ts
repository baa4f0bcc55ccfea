/** Drift for Prometheus. Series exist with 0, too, so that an alarm can resolve. */
import { SEVERITIES } from '../../resources/drift-settings.ts';
import { metricBlock, type Sample } from '../exposition.ts';
import { CONDITIONS, conditionsOf, ratioOf } from './coverage.ts';
import { DRIFT_CLASSES, type DriftReport } from './model.ts';

export function driftPrometheus(reports: readonly DriftReport[]): string {
  const block = (name: string, help: string, samples: readonly Sample[]): string =>
    samples.length === 0 ? '' : metricBlock(name, 'gauge', help, samples);
  const each = (value: (r: DriftReport) => number): Sample[] => reports.map((r) => [{ stack: r.stack }, value(r)]);
  const covered = reports.flatMap(({ stack, coverage }) => (coverage === null ? [] : [{ stack, coverage }]));
  return [
    block(
      'tsbox_drift_items',
      'What differs from the last apply.',
      reports.flatMap((r) =>
        SEVERITIES.flatMap((severity) =>
          DRIFT_CLASSES.map((cls): Sample => [
            { stack: r.stack, severity, class: cls },
            r.items.filter((i) => i.severity === severity && i.class === cls).length,
          ]),
        ),
      ),
    ),
    block(
      'tsbox_drift_item_info',
      'One per item.',
      reports.flatMap((r) =>
        r.items.map((i): Sample => [
          {
            stack: r.stack,
            address: i.address,
            attribute: i.attribute,
            class: i.class,
            severity: i.severity,
            id: i.id,
          },
          1,
        ]),
      ),
    ),
    block(
      'tsbox_drift_resources',
      'Resources that differ.',
      each((r) => new Set(r.items.map((i) => i.address)).size),
    ),
    block(
      'tsbox_drift_resources_checked',
      'Resources that were looked at.',
      each((r) => r.resources.length),
    ),
    block(
      'tsbox_drift_ignored',
      'Items that a rule of the stack ignores.',
      each((r) => r.ignored.length),
    ),
    block(
      'tsbox_drift_unreadable',
      'What could not be read.',
      each((r) => r.unreadable.length),
    ),
    block(
      'tsbox_drift_conditions',
      'What became of what was looked at.',
      reports.flatMap((r) => {
        const counts = conditionsOf(r);
        return CONDITIONS.map((condition): Sample => [{ stack: r.stack, condition }, counts[condition]]);
      }),
    ),
    block(
      'tsbox_coverage_ratio',
      'Share of the cgroups and processes in the subtree that are of the stack.',
      covered.map(({ stack, coverage }) => [{ stack }, ratioOf(coverage)]),
    ),
    block(
      'tsbox_coverage_objects',
      'What is in the subtree, by whether it is of the stack.',
      covered.flatMap(({ stack, coverage }) =>
        (['cgroups', 'processes'] as const).flatMap((sort): Sample[] => {
          const { managed, total } = coverage[sort];
          return [
            [{ stack, sort, managed: 'true' }, managed],
            [{ stack, sort, managed: 'false' }, total - managed],
          ];
        }),
      ),
    ),
    block(
      'tsbox_drift_check_timestamp_seconds',
      'When this was read.',
      each((r) => Date.parse(r.time) / 1000),
    ),
  ].join('');
}
