/**
 * Recorded runs of drift, a JSON line each: what they found. Only the report's memory ("third time this week") lives
 * in them; losing them costs nothing else. A line that is not whole is left out.
 */
import type { DriftReport, DriftClass } from './model.ts';
import { SEVERITIES, type Severity } from '../../resources/drift-settings.ts';

export interface RunItem {
  readonly id: string;
  readonly address: string;
  readonly attribute: string;
  readonly class: DriftClass;
  readonly severity: Severity;
}

export interface RunRecord {
  /** ISO 8601. */
  readonly time: string;
  readonly boot: string;
  readonly items: readonly RunItem[];
  readonly ignored: number;
  /** Items that did not fit into the line. */
  readonly more: number;
}

/** What the runs know of one item. */
export interface Past {
  /** Start of the first run that had it, and of the last before this one. */
  readonly firstSeen: string;
  readonly lastSeen: string;
  /** The run in which it came this time, and the one before that without it. */
  readonly began: string;
  readonly lastWithout: string | null;
  /** Runs that had it, this one not counted. */
  readonly runs: number;
  /** How often it came, this time included; in the last seven days. */
  readonly times: number;
  readonly timesThisWeek: number;
}

export interface TimelinePoint {
  readonly time: string;
  readonly security: number;
  readonly capacity: number;
  readonly cosmetic: number;
}

const WEEK = 7 * 86_400_000;
/** More make a line that nobody reads; the counts stay right. */
const MAX_ITEMS = 200;

export function runLine(report: DriftReport, boot: string): string {
  const kept = report.items.slice(0, MAX_ITEMS);
  const items = kept.map((i) => ({
    id: i.id,
    address: i.address,
    attribute: i.attribute,
    class: i.class,
    severity: i.severity,
  }));
  const { time, ignored } = report;
  return `${JSON.stringify({ v: 1, time, boot, items, ignored: ignored.length, more: report.items.length - kept.length })}\n`;
}

/** Runs in the order of time. */
export function parseRuns(text: string): RunRecord[] {
  const runs = text.split('\n').flatMap((line): RunRecord[] => {
    try {
      const value = JSON.parse(line) as Partial<RunRecord> & { v?: unknown };
      const sound =
        value.v === 1 &&
        typeof value.time === 'string' &&
        !Number.isNaN(Date.parse(value.time)) &&
        Array.isArray(value.items) &&
        value.items.every(isItem);
      return sound
        ? [
            {
              time: value.time as string,
              boot: String(value.boot ?? ''),
              items: value.items as RunItem[],
              ignored: Number(value.ignored) || 0,
              more: Number(value.more) || 0,
            },
          ]
        : [];
    } catch {
      return [];
    }
  });
  return runs.sort((a, b) => Date.parse(a.time) - Date.parse(b.time));
}

function isItem(value: unknown): boolean {
  const item = value as Partial<RunItem> | null;
  return (
    typeof item === 'object' &&
    item !== null &&
    typeof item.id === 'string' &&
    typeof item.address === 'string' &&
    (SEVERITIES as readonly unknown[]).includes(item.severity)
  );
}

/** What the runs before now know of an item that is there now; null when none had it. */
export function pastOf(runs: readonly RunRecord[], id: string, now: number): Past | null {
  const had = runs.map((run) => run.items.some((i) => i.id === id));
  const first = had.indexOf(true);
  if (first < 0) {
    return null;
  }
  const time = (at: number): string => runs[at]?.time ?? '';
  // It came in each run that has it after one that had not; and now, if the last run had not.
  const starts = had.flatMap((has, i) => (has && had[i - 1] !== true ? [i] : []));
  const goesOn = had.at(-1) === true;
  const came = [...starts.map((i) => Date.parse(time(i))), ...(goesOn ? [] : [now])];
  const last = goesOn ? (starts.at(-1) ?? first) : runs.length;
  return {
    firstSeen: time(first),
    lastSeen: time(had.lastIndexOf(true)),
    began: goesOn ? time(last) : new Date(now).toISOString(),
    lastWithout: last > 0 ? time(last - 1) : null,
    runs: had.filter(Boolean).length,
    times: came.length,
    timesThisWeek: came.filter((t) => t > now - WEEK).length,
  };
}

export function timelineOf(runs: readonly RunRecord[]): TimelinePoint[] {
  return runs.map((run) => {
    const count = (severity: Severity): number => run.items.filter((i) => i.severity === severity).length;
    return { time: run.time, security: count('security'), capacity: count('capacity'), cosmetic: count('cosmetic') };
  });
}
