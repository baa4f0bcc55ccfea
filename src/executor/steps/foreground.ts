/** A container that has our own stdio and ends with us: `run`. */
import { TsboxError } from '../../errors.ts';
import { parseReport } from '../../kernel/init-report.ts';
import type { SuperviseSpec } from '../../kernel/init-spec.ts';
import type { SpawnResult } from '../../kernel/kernel.ts';
import type { ExecutionContext, Foreground } from '../context.ts';
import { readRun } from '../run-state.ts';

const START_TIMEOUT = 60_000;
const LOOK_EVERY = 5;

/** Starts it and returns once it runs, or has ended already; how it ends is for who awaits `foreground.ended`. */
export async function startForeground(
  context: ExecutionContext,
  foreground: Foreground,
  description: SuperviseSpec,
  cgroup: string,
  path: string,
): Promise<ReadonlyMap<string, string>> {
  const ended = context.kernel.runInteractive({ ...description, mode: 'run', tty: foreground.tty }, cgroup);
  foreground.ended = ended;
  let over: SpawnResult | undefined;
  let failure: unknown;
  ended.then(
    (result) => (over = result),
    (error: unknown) => (failure = error),
  );
  for (const deadline = Date.now() + START_TIMEOUT; Date.now() < deadline; await pause(LOOK_EVERY)) {
    if (failure !== undefined) {
      throw failure;
    }
    if (over !== undefined) {
      const report = parseReport(over.report);
      if (!report.ok) {
        throw context.kernel.launchError(report);
      }
      return new Map(Object.entries(report.fields));
    }
    const run = readRun(context, path);
    if (run?.state === 'running') {
      return new Map([
        ['pid', String(run.pid)],
        ['start', run.startTime],
        ['supervisor', String(run.supervisor)],
      ]);
    }
  }
  throw new TsboxError('TSB3008', `${path} did not start in ${START_TIMEOUT / 1000} s`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
