/** Prometheus' text exposition format, version 0.0.4. Series exist with 0, too, so that an alarm can resolve. */
import { SEVERITIES } from '../../resources/drift-settings.ts';
import { DRIFT_CLASSES, type DriftReport } from './model.ts';

const escapeLabel = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

type Labels = Readonly<Record<string, string>>;

export function driftPrometheus(reports: readonly DriftReport[]): string {
  const block = (name: string, help: string, samples: ReadonlyArray<readonly [Labels, number]>): string => {
    const lines = samples.map(([labels, value]) => {
      const text = Object.entries(labels).map(([k, v]) => `${k}="${escapeLabel(v)}"`);
      return `${name}{${text.join(',')}} ${value}\n`;
    });
    return lines.length === 0 ? '' : `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines.join('')}`;
  };
  const each = (value: (r: DriftReport) => number): Array<[Labels, number]> =>
    reports.map((r) => [{ stack: r.stack }, value(r)]);
  return [
    block(
      'tsbox_drift_items',
      'What differs from the last apply.',
      reports.flatMap((r) =>
        SEVERITIES.flatMap((severity) =>
          DRIFT_CLASSES.map((cls): [Labels, number] => [
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
        r.items.map((i): [Labels, number] => [
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
      'tsbox_drift_check_timestamp_seconds',
      'When this was read.',
      each((r) => Date.parse(r.time) / 1000),
    ),
  ].join('');
}
