/**
 * A drift report as data: what differs from the last apply, how bad it is, since when, by whom, and what heals it.
 * A function of a plan, evidence, history and the time; renderers and `watch` take it from here.
 */
import type { SourceSpan } from '../../errors.ts';
import type { Plan, PlannedChange } from '../../planner/plan.ts';
import type { Value } from '../../resources/attribute.ts';
import { NO_DRIFT_SETTINGS, type DriftSettings, type Severity } from '../../resources/drift-settings.ts';
import { fitsGlob } from '../../resources/glob.ts';
import type { Coverage } from './coverage.ts';
import { findItems, type Finding } from './items.ts';
import { pastOf, timelineOf, type Past, type RunRecord, type TimelinePoint } from './history.ts';
import { judge } from './severity.ts';

export const DRIFT_CLASSES = ['changed', 'missing', 'stopped', 'supervision', 'unmanaged', 'foreign'] as const;
export type DriftClass = (typeof DRIFT_CLASSES)[number];

export const DIRECTIONS = ['loosened', 'tightened', 'changed', 'added', 'gone'] as const;
/** Seen from what the resource may do and use: live against declared. */
export type Direction = (typeof DIRECTIONS)[number];

/** When it began: at a moment, or between two; null where that end is not known. ISO 8601. */
export interface Since {
  readonly from: string | null;
  readonly to: string | null;
  /** A moment (from and to are the same). */
  readonly exact: boolean;
  /** What says so: 'mtime of /sys/fs/cgroup/…', 'start of process 4711'. */
  readonly source: string;
}

/** Who wrote it, as a watcher of the files heard it. */
export interface Whom {
  readonly time: string;
  readonly pid: number;
  /** Null where it had ended before anybody could look. */
  readonly comm: string | null;
  readonly exe: string | null;
  readonly cgroup: string | null;
  /** It had ended already. */
  readonly gone: boolean;
  readonly source: string;
}

export interface Heal {
  readonly action: PlannedChange['action'] | 'by-hand';
  /** What happens to the resource. */
  readonly text: string;
  readonly command: string | null;
}

export interface DriftItem {
  /** The same for the same drift in every run, so that runs can be compared. */
  readonly id: string;
  readonly stack: string;
  readonly address: string;
  readonly class: DriftClass;
  /** The attribute; of what is not ours its sort (process, mount …), of what is missing ''. */
  readonly attribute: string;
  readonly declared: Value | null;
  readonly live: Value | null;
  readonly lastApplied: Value | null;
  /** One line: from what to what. */
  readonly text: string;
  /** Declared and live as people read them, with units; null where there is nothing. */
  readonly was: string | null;
  readonly is: string | null;
  readonly direction: Direction;
  readonly severity: Severity;
  readonly why: string;
  readonly since: Since | null;
  readonly whom: Whom | null;
  /** Who has claimed the attribute. */
  readonly manager: string | null;
  readonly heal: Heal;
  readonly past: Past | null;
  readonly at: SourceSpan | null;
}

export interface IgnoredItem extends DriftItem {
  readonly ignored: { readonly reason: string; readonly until: string | null };
}

export interface DriftReport {
  readonly stack: string;
  /** file: against the stack file; record: against what the labels say was applied last. */
  readonly against: 'file' | 'record';
  readonly files: readonly string[];
  readonly time: string;
  readonly items: readonly DriftItem[];
  readonly ignored: readonly IgnoredItem[];
  /** Every resource that was looked at. */
  readonly resources: readonly string[];
  readonly warnings: readonly string[];
  /** What these privileges could not read. */
  readonly unreadable: readonly string[];
  /** Null where only some of the stack was looked at. */
  readonly coverage: Coverage | null;
  readonly heal: string | null;
  readonly timeline: readonly TimelinePoint[];
  /** Last apply, where the labels know it. */
  readonly lastApply: string | null;
}

export interface Evidence {
  readonly since?: Since | undefined;
  readonly whom?: Whom | undefined;
}

export interface ReportInput {
  readonly plan: Plan;
  readonly against: DriftReport['against'];
  readonly files: readonly string[];
  readonly settings?: DriftSettings | undefined;
  /** The place of a value in the stack file, the nearest there is. */
  readonly locate?: ((address: string, path: readonly string[]) => SourceSpan | undefined) | undefined;
  /** What is drift; that of the plan when left out. */
  readonly findings?: readonly Finding[] | undefined;
  /** By id of the item. */
  readonly evidence?: ReadonlyMap<string, Evidence> | undefined;
  /** Recorded runs, oldest first. */
  readonly history?: readonly RunRecord[] | undefined;
  readonly lastApply?: string | null | undefined;
  readonly coverage?: Coverage | null | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** What heals everything; null where that takes the stack file. */
  readonly heal: string | null;
}

export function driftReport(input: ReportInput): DriftReport {
  const { plan, now } = input;
  const settings = input.settings ?? NO_DRIFT_SETTINGS;
  const history = input.history ?? [];
  const items: DriftItem[] = [];
  const ignored: IgnoredItem[] = [];
  for (const finding of input.findings ?? findItems(plan, input.heal)) {
    const evidence = input.evidence?.get(finding.id);
    const past = pastOf(history, finding.id, now);
    const item: DriftItem = {
      ...finding,
      ...severityOf(finding, settings),
      since: narrowed(evidence?.since ?? null, sinceRuns(past, history, now)),
      whom: evidence?.whom ?? null,
      past,
      at: input.locate?.(finding.address, finding.attribute.split('.')) ?? finding.at,
    };
    const rule = settings.ignore.find((r) => fits(r, item) && !isOver(r.until, now));
    if (rule === undefined) {
      items.push(item);
    } else {
      ignored.push({ ...item, ignored: { reason: rule.reason, until: rule.until } });
    }
  }
  return {
    stack: plan.stack,
    against: input.against,
    files: input.files,
    time: new Date(now).toISOString(),
    items: sorted(items),
    ignored: sorted(ignored),
    resources: plan.changes.map((c) => c.address),
    warnings: [...plan.warnings, ...expired(settings, now)],
    unreadable: plan.unreadable,
    coverage: input.coverage ?? null,
    heal: input.heal,
    timeline: timelineOf(history),
    lastApply: input.lastApply ?? null,
  };
}

const ORDER: Readonly<Record<Severity, number>> = { security: 0, capacity: 1, cosmetic: 2 };

/** Resources by their worst item, the items of one together. */
function sorted<T extends DriftItem>(items: readonly T[]): T[] {
  const worst = new Map<string, number>();
  for (const i of items) {
    worst.set(i.address, Math.min(worst.get(i.address) ?? 9, ORDER[i.severity]));
  }
  return [...items].sort(
    (a, b) =>
      (worst.get(a.address) ?? 9) - (worst.get(b.address) ?? 9) ||
      (a.address < b.address ? -1 : a.address > b.address ? 1 : 0) ||
      ORDER[a.severity] - ORDER[b.severity],
  );
}

function severityOf(finding: Finding, settings: DriftSettings): { severity: Severity; why: string } {
  const judged = judge(finding);
  const rule = settings.severity.find((r) => fits(r, finding));
  return rule === undefined
    ? judged
    : { severity: rule.severity, why: rule.reason ?? `${judged.why} (set by the stack)` };
}

function fits(rule: { readonly address: string; readonly attribute: string }, item: Finding): boolean {
  return fitsGlob(rule.address, item.address) && fitsGlob(rule.attribute, item.attribute || item.class);
}

function isOver(until: string | null, now: number): boolean {
  return until !== null && now >= Date.parse(`${until}T00:00:00Z`) + 86_400_000;
}

function expired(settings: DriftSettings, now: number): string[] {
  return settings.ignore
    .filter((r) => isOver(r.until, now))
    .map(
      (r) =>
        `drift of ${r.attribute} in ${r.address} is not ignored any more: the rule (${r.reason}) ended with ${r.until}`,
    );
}

/** Between the last run that did not have it and the first that had. */
function sinceRuns(past: Past | null, runs: readonly RunRecord[], now: number): Since | null {
  const from = past === null ? (runs.at(-1)?.time ?? null) : past.lastWithout;
  const to = past === null ? new Date(now).toISOString() : past.began;
  return from === null && past === null ? null : { from, to, exact: false, source: 'recorded runs' };
}

/** What is known of both ends; a time that somebody noted goes over what follows from runs. */
function narrowed(noted: Since | null, runs: Since | null): Since | null {
  if (noted === null || runs === null || noted.from === noted.to) {
    return noted ?? runs;
  }
  const later = noted.from !== null && (runs.from === null || noted.from >= runs.from);
  const source = later ? `${noted.source}; ${runs.source}` : runs.source;
  return { from: later ? noted.from : runs.from, to: runs.to, exact: false, source };
}

/** Counts by severity. */
export function bySeverity(items: readonly DriftItem[]): Record<Severity, number> {
  const count = { security: 0, capacity: 0, cosmetic: 0 };
  for (const i of items) {
    count[i.severity]++;
  }
  return count;
}
