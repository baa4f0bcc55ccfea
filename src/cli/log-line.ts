/** Lines of a log as containers' supervisors write them: 'TIME stdout|stderr F|P TEXT', the form of CRI. */
import { TsboxError } from '../errors.ts';
import { parseDuration } from '../resources/units.ts';

export type LogStream = 'stdout' | 'stderr';

export interface LogEntry {
  /** As written: RFC 3339 with nanoseconds, which sorts as text. */
  readonly time: string;
  readonly stream: LogStream;
  readonly text: string;
}

/** Takes lines one by one and gives whole entries: a long line comes in parts, marked P until the last. */
export class LogParser {
  readonly #parts = new Map<LogStream, LogEntry>();

  /** The entry that the line ends; undefined for a part of one, and for what is no line of a log. */
  take(line: string): LogEntry | undefined {
    const match = /^(\S+) (stdout|stderr) ([FP])(?: ([^]*))?$/.exec(line);
    if (match === null) {
      return undefined;
    }
    const [, time = '', stream, tag, text = ''] = match as unknown as [string, string, LogStream, string, string?];
    const begun = this.#parts.get(stream);
    const entry = begun === undefined ? { time, stream, text } : { ...begun, text: begun.text + text };
    if (tag === 'P') {
      this.#parts.set(stream, entry);
      return undefined;
    }
    this.#parts.delete(stream);
    return entry;
  }
}

/** Entries of several containers in the order of time; those of one keep theirs. */
export function byTime<T extends { readonly entry: LogEntry }>(items: readonly T[]): T[] {
  return [...items].sort((a, b) => (a.entry.time < b.entry.time ? -1 : a.entry.time > b.entry.time ? 1 : 0));
}

export interface LogFilter {
  /** Times in ms since the epoch. */
  readonly since: number;
  readonly until: number;
  readonly stream: LogStream | undefined;
}

export function passes({ since, until, stream }: LogFilter, entry: LogEntry): boolean {
  const at = Date.parse(entry.time);
  return at >= since && at <= until && (stream === undefined || stream === entry.stream);
}

/**
 * A point in time, ms since the epoch: '10m' (ago), seconds since the epoch, or a date and time.
 * @throws TsboxError TSB2001
 */
export function parseTime(option: string, text: string, now: number): number {
  if (/^\d{9,11}(\.\d+)?$/.test(text)) {
    return Number(text) * 1000;
  }
  const date = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(date)) {
    return date;
  }
  try {
    return now - parseDuration(text);
  } catch {
    throw new TsboxError('TSB2001', `--${option} '${text}' is no point in time`, {
      hint: 'how long ago (10m, 1h30m), 2026-01-31, 2026-01-31T12:00:00Z, or seconds since 1970',
    });
  }
}

/** The last `count` of the entries; all for a negative count. */
export function lastOf<T>(entries: readonly T[], count: number): readonly T[] {
  return count < 0 ? entries : count === 0 ? [] : entries.slice(-count);
}
