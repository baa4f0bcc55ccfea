/** Tests as lines of the event stream, in the shape of OpenTofu's: test_abstract, test_file, test_run, test_plan, test_cleanup, test_summary. */
import { eventLine } from '../plan-json.ts';
import { conclusion, countsOf, type FileResult, type RunResult } from './model.ts';

/** What will be run, by file. */
export function abstractJson(
  files: ReadonlyArray<{ readonly name: string; readonly runs: ReadonlyArray<{ readonly name: string }> }>,
): string {
  const runs = files.reduce((n, f) => n + f.runs.length, 0);
  const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
  return eventLine('test_abstract', `Found ${counted(files.length, 'file')} and ${counted(runs, 'run block')}`, {
    test_abstract: Object.fromEntries(files.map((f) => [f.name, f.runs.map((r) => r.name)])),
  });
}

export function fileJson({ name, status }: FileResult): string {
  return eventLine('test_file', `${name}... ${status}`, { test_file: { path: name, status }, '@testfile': name });
}

export function runJson(file: string, { name, status, ms }: RunResult): string {
  return eventLine('test_run', `  ${JSON.stringify(name)}... ${status}`, {
    test_run: { path: file, run: name, status },
    tsbox: { elapsed_seconds: Math.round(ms) / 1000 },
    '@testfile': file,
    '@testrun': name,
  });
}

/** The plan of a run, in the shape of `plan --format json`. */
export function planJson(file: string, run: string, plan: Readonly<Record<string, unknown>>): string {
  return eventLine('test_plan', '--verbose: the plan of the run', {
    test_plan: plan,
    '@testfile': file,
    '@testrun': run,
  });
}

/** What is left of a file's tests. */
export function cleanupJson({ name, left }: FileResult): string {
  return eventLine(
    'test_cleanup',
    `${name}: not everything could be removed`,
    {
      test_cleanup: {
        failed_resources: left.map((e) => ({ instance: e.info.address ?? e.info.subject ?? e.message })),
      },
      '@testfile': name,
    },
    'error',
  );
}

export function conclusionJson(files: readonly FileResult[]): string {
  const counts = countsOf(files);
  return eventLine('test_summary', conclusion(counts), { test_summary: counts });
}
