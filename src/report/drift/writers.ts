/**
 * Who wrote to files of cgroups, as a watcher heard it: /run/tsbox/watch/writers.jsonl, a JSON object a line, oldest
 * first. The watcher appends and keeps the file small; readers leave out lines that are not whole.
 */

/** Below the run directory. */
export const WRITERS_FILE = 'watch/writers.jsonl';

export interface WriterRecord {
  /** ISO 8601. */
  readonly time: string;
  /** Absolute path of the file written. */
  readonly path: string;
  readonly pid: number;
  /** Null where it had ended before anybody could look. */
  readonly comm: string | null;
  readonly exe: string | null;
  /** Its cgroup from the root of the hierarchy. */
  readonly cgroup: string | null;
  readonly gone: boolean;
}

export function writerLine(record: WriterRecord): string {
  const { time, path, pid, comm, exe, cgroup, gone } = record;
  return `${JSON.stringify({ time, path, pid, comm, exe, cgroup, gone })}\n`;
}

/** The last writer of each path. */
export function lastWriters(text: string): Map<string, WriterRecord> {
  const last = new Map<string, WriterRecord>();
  for (const line of text.split('\n')) {
    const record = parseWriter(line);
    if (record !== undefined) {
      last.set(record.path, record);
    }
  }
  return last;
}

function parseWriter(line: string): WriterRecord | undefined {
  let value: Partial<Record<keyof WriterRecord, unknown>> | null;
  try {
    value = JSON.parse(line) as typeof value;
  } catch {
    return undefined;
  }
  if (
    typeof value !== 'object' ||
    value === null ||
    typeof value.time !== 'string' ||
    Number.isNaN(Date.parse(value.time)) ||
    typeof value.path !== 'string' ||
    !Number.isInteger(value.pid)
  ) {
    return undefined;
  }
  const text = (v: unknown): string | null => (typeof v === 'string' && v !== '' ? v : null);
  return {
    time: value.time,
    path: value.path,
    pid: value.pid as number,
    comm: text(value.comm),
    exe: text(value.exe),
    cgroup: text(value.cgroup),
    gone: value.gone === true,
  };
}
