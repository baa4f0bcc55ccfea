/** What became of tests. */
import type { TsboxError } from '../../errors.ts';

/** fail: something is not as the run says; error: it could not be found out. */
export type Status = 'pass' | 'fail' | 'error' | 'skip';

export interface RunResult {
  readonly name: string;
  readonly status: Status;
  readonly ms: number;
  readonly problems: readonly TsboxError[];
  /** What was planned, where it is wanted: as text, or as a document. */
  readonly plan?: string | Readonly<Record<string, unknown>> | undefined;
}

export interface FileResult {
  readonly name: string;
  readonly status: Status;
  readonly runs: readonly RunResult[];
  /** What could not be removed afterwards. */
  readonly left: readonly TsboxError[];
}

export interface Counts {
  readonly status: Status;
  readonly passed: number;
  readonly failed: number;
  readonly errored: number;
  readonly skipped: number;
}

const RANK: readonly Status[] = ['skip', 'pass', 'fail', 'error'];

/** The worst of them. */
export function worst(statuses: readonly Status[]): Status {
  return RANK[Math.max(0, ...statuses.map((s) => RANK.indexOf(s)))] ?? 'skip';
}

export function fileResult(name: string, runs: readonly RunResult[], left: readonly TsboxError[] = []): FileResult {
  const status = worst([...runs.map((r) => r.status), ...left.map((): Status => 'error')]);
  return { name, status, runs, left };
}

export function countsOf(files: readonly FileResult[]): Counts {
  const runs = files.flatMap((f) => f.runs);
  const count = (status: Status): number => runs.filter((r) => r.status === status).length;
  return {
    status: worst(files.map((f) => f.status)),
    passed: count('pass'),
    failed: count('fail'),
    errored: count('error'),
    skipped: count('skip'),
  };
}

/** OpenTofu's sentence, which others read. */
export function conclusion({ status, passed, failed, errored, skipped }: Counts): string {
  const also = skipped === 0 ? '.' : `, ${skipped} skipped.`;
  return status === 'skip'
    ? `Executed 0 tests${also}`
    : `${status === 'pass' ? 'Success!' : 'Failure!'} ${passed} passed, ${failed + errored} failed${also}`;
}
