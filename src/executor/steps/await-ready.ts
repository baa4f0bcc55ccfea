/** Waiting until a replica that was started again is up, before the next one is ended. */
import { TsboxError } from '../../errors.ts';
import { leafPath } from '../../resources/container/declare.ts';
import type { Step } from '../../resources/step.ts';
import { formatDuration } from '../../resources/units.ts';
import type { ExecutionContext } from '../context.ts';
import { readRun } from '../run-state.ts';
import { specOf } from './container.ts';

/**
 * Waits until the container has run for as long as it has to, then for the pause between replicas.
 * @throws TsboxError TSB3002 when it ends before; a job that has ended well has done what it was for
 */
export async function awaitReady(context: ExecutionContext, step: Extract<Step, { op: 'await-ready' }>): Promise<void> {
  const { kernel } = context;
  const path = leafPath(specOf(context, step.container).spec);
  const run = readRun(context, path);
  const process = run === undefined || run.pid === 0 ? undefined : kernel.openProcess(run.pid, run.startTime);
  const ended = process === undefined || (await kernel.waitProcess(process, step.settleMs));
  if (process !== undefined) {
    kernel.close(process);
  }
  if (ended && !(await completed(context, path))) {
    const after = readRun(context, path);
    const how =
      after === undefined || after.exit < -1
        ? ''
        : after.signal > 0
          ? `, killed by signal ${after.signal}`
          : `, with exit code ${after.exit}`;
    throw new TsboxError('TSB3002', `it ended within ${formatDuration(step.settleMs)} of its start${how}`, {
      hint: `tsbox logs 'container/${step.container}' shows what it said; the other replicas stay as they were`,
    });
  }
  await new Promise((resolve) => setTimeout(resolve, step.delayMs));
}

/** Time for the supervisor to write how its container ended, ms. */
const LAST_WORD = 2000;

async function completed(context: ExecutionContext, path: string): Promise<boolean> {
  for (const deadline = Date.now() + LAST_WORD; Date.now() < deadline;) {
    const run = readRun(context, path);
    if (run === undefined || run.state !== 'running') {
      return run?.state === 'exited' && run.exit === 0;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}
