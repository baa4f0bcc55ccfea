/** The report for programs: format 1.2, which adds to 1.0 and takes nothing away. */
import * as z from 'zod';
import { SEVERITIES } from '../../resources/drift-settings.ts';
import { CONDITIONS, conditionsOf, ratioOf, sumOf, type Condition, type Coverage } from './coverage.ts';
import { bySeverity, DIRECTIONS, DRIFT_CLASSES, type DriftItem, type DriftReport, type IgnoredItem } from './model.ts';
import { resourceCount } from './words.ts';

const value = z.union([z.string(), z.array(z.string()), z.record(z.string(), z.string())]).nullable();
const time = z.string();

const itemShape = {
  id: z.string(),
  stack: z.string(),
  address: z.string(),
  class: z.enum(DRIFT_CLASSES),
  attribute: z.string(),
  declared: value,
  live: value,
  last_applied: value,
  text: z.string(),
  was: z.string().nullable(),
  is: z.string().nullable(),
  direction: z.enum(DIRECTIONS),
  severity: z.enum(SEVERITIES),
  why: z.string(),
  since: z
    .strictObject({ from: time.nullable(), to: time.nullable(), exact: z.boolean(), source: z.string() })
    .nullable(),
  whom: z
    .strictObject({
      time,
      pid: z.int(),
      comm: z.string().nullable(),
      exe: z.string().nullable(),
      cgroup: z.string().nullable(),
      gone: z.boolean(),
      source: z.string(),
    })
    .nullable(),
  manager: z.string().nullable(),
  heal: z.enum(['create', 'update', 'restart', 'replace', 'delete', 'no-op', 'by-hand']),
  heal_text: z.string(),
  heal_command: z.string().nullable(),
  history: z
    .strictObject({
      first_seen: time,
      last_seen: time,
      began: time,
      runs: z.int(),
      times: z.int(),
      times_this_week: z.int(),
    })
    .nullable(),
  at: z.strictObject({ file: z.string(), line: z.int(), column: z.int(), length: z.int() }).nullable(),
};

const share = z.strictObject({ managed: z.int(), total: z.int() });
const coverage = z.strictObject({ ratio: z.number(), cgroups: share, processes: share }).nullable();
const conditions = z.strictObject(
  Object.fromEntries(CONDITIONS.map((c) => [c, z.int()])) as Record<Condition, z.ZodInt>,
);
const counts = z.strictObject({ security: z.int(), capacity: z.int(), cosmetic: z.int() });

/** `tsbox drift --format json`. */
export const driftJsonSchema = z.strictObject({
  format_version: z.literal('1.2'),
  tsbox_version: z.string(),
  /** Null where the report is of several. */
  stack: z.string().nullable(),
  boot_id: z.string(),
  installation: z.string(),
  time,
  drifted: z.boolean(),
  summary: z.strictObject({ items: z.int(), resources: z.int(), ignored: z.int(), severity: counts }),
  /** Of all stacks together. */
  coverage,
  items: z.array(z.strictObject(itemShape)),
  ignored: z.array(
    z.strictObject({
      ...itemShape,
      ignored: z.strictObject({ reason: z.string(), until: z.string().nullable() }),
    }),
  ),
  stacks: z.array(
    z.strictObject({
      name: z.string(),
      against: z.enum(['file', 'record']),
      files: z.array(z.string()),
      time,
      drifted: z.boolean(),
      last_apply: time.nullable(),
      resources: z.array(z.string()),
      summary: z.strictObject({ items: z.int(), resources: z.int(), ignored: z.int(), severity: counts }),
      conditions,
      coverage,
      heal_command: z.string().nullable(),
      warnings: z.array(z.string()),
      unreadable: z.array(z.string()),
      recorded: z.array(z.strictObject({ time, security: z.int(), capacity: z.int(), cosmetic: z.int() })),
    }),
  ),
  unreadable: z.array(z.string()),
});

export function driftJson(
  reports: readonly DriftReport[],
  version: string,
  { bootId, installation }: { readonly bootId: string; readonly installation: string },
): string {
  const items = reports.flatMap((r) => r.items);
  const ignored = reports.flatMap((r) => r.ignored);
  const document: z.infer<typeof driftJsonSchema> = {
    format_version: '1.2',
    tsbox_version: version,
    stack: reports.length === 1 ? (reports[0]?.stack ?? null) : null,
    boot_id: bootId,
    installation,
    time: reports[0]?.time ?? new Date().toISOString(),
    drifted: items.length > 0,
    summary: summary(items, ignored),
    coverage: coverageJson(sumOf(reports.map((r) => r.coverage))),
    items: items.map(itemJson),
    ignored: ignored.map((i) => ({ ...itemJson(i), ignored: { ...i.ignored } })),
    stacks: reports.map((r) => ({
      name: r.stack,
      against: r.against,
      files: [...r.files],
      time: r.time,
      drifted: r.items.length > 0,
      last_apply: r.lastApply,
      resources: [...r.resources],
      summary: summary(r.items, r.ignored),
      conditions: conditionsOf(r),
      coverage: coverageJson(r.coverage),
      heal_command: r.heal,
      warnings: [...r.warnings],
      unreadable: [...r.unreadable],
      recorded: r.timeline.map((p) => ({ ...p })),
    })),
    unreadable: reports.flatMap((r) => r.unreadable),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function coverageJson(of: Coverage | null): z.infer<typeof coverage> {
  return of === null ? null : { ratio: ratioOf(of), cgroups: { ...of.cgroups }, processes: { ...of.processes } };
}

function summary(items: readonly DriftItem[], ignored: readonly IgnoredItem[]) {
  return {
    items: items.length,
    resources: resourceCount(items),
    ignored: ignored.length,
    severity: bySeverity(items),
  };
}

type ItemJson = z.infer<typeof driftJsonSchema>['items'][number];

function itemJson(i: DriftItem): ItemJson {
  return {
    id: i.id,
    stack: i.stack,
    address: i.address,
    class: i.class,
    attribute: i.attribute,
    declared: plain(i.declared),
    live: plain(i.live),
    last_applied: plain(i.lastApplied),
    text: i.text,
    was: i.was,
    is: i.is,
    direction: i.direction,
    severity: i.severity,
    why: i.why,
    since: i.since === null ? null : { ...i.since },
    whom: i.whom === null ? null : { ...i.whom },
    manager: i.manager,
    heal: i.heal.action,
    heal_text: i.heal.text,
    heal_command: i.heal.command,
    history:
      i.past === null
        ? null
        : {
            first_seen: i.past.firstSeen,
            last_seen: i.past.lastSeen,
            began: i.past.began,
            runs: i.past.runs,
            times: i.past.times,
            times_this_week: i.past.timesThisWeek,
          },
    at: i.at === null ? null : { file: i.at.file, line: i.at.line, column: i.at.column, length: i.at.length },
  };
}

function plain(v: DriftItem['live']): ItemJson['live'] {
  return typeof v === 'string' || v === null
    ? v
    : Array.isArray(v)
      ? [...(v as string[])]
      : { ...(v as Record<string, string>) };
}
