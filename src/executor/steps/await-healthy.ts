/** Waiting for another container's health: its supervisor writes it on the cgroup's directory. */
import { TsboxError } from '../../errors.ts';
import { FileWatch } from '../../kernel/watch.ts';
import type { RunState } from '../../kernel/run-state.ts';
import { leafPath } from '../../resources/container/declare.ts';
import { parseProbe } from '../../kernel/health-text.ts';
import { PROBE_XATTR } from '../../resources/label.ts';
import type { Step } from '../../resources/step.ts';
import { formatDuration } from '../../resources/units.ts';
import { primaryDirectory, type ExecutionContext } from '../context.ts';
import { readRun } from '../run-state.ts';
import { specOf } from './container.ts';

/** A look in between, for a supervisor that is gone and writes nothing any more, ms. */
const LOOK = 1000;

type Verdict = 'healthy' | 'wait' | { readonly failed: string };

/**
 * Waits until the health checks have found the container healthy. The wait is bounded: by the start period and as many
 * checks as make a container unhealthy, and one more.
 * @throws TsboxError TSB3002 when it is found unhealthy, ends, or has no answer by then
 */
export async function awaitHealthy(
  context: ExecutionContext,
  step: Extract<Step, { op: 'await-healthy' }>,
): Promise<void> {
  const { spec } = specOf(context, step.container);
  const path = leafPath(spec);
  const dir = primaryDirectory(context, path);
  const check = spec.healthcheck;
  if (check === null) {
    throw new TsboxError('TSB9002', `container/${step.container} has no health check to wait for`);
  }
  const bound = check.startPeriod + (check.interval + check.timeout) * (check.retries + 1) + 5000;
  const deadline = Date.now() + bound;
  let wake = (): void => undefined;
  // A changed extended attribute is IN_ATTRIB on the directory: man 7 inotify.
  const watch = new FileWatch(() => wake());
  try {
    const watched = watch.add(dir);
    for (;;) {
      const verdict = judge(context, readRun(context, path));
      if (verdict === 'healthy') {
        return;
      }
      const left = deadline - Date.now();
      if (verdict !== 'wait' || left <= 0) {
        throw unhealthy(
          context,
          step.container,
          dir,
          verdict === 'wait' ? `had no answer in ${formatDuration(bound)}` : verdict.failed,
        );
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(left, watched ? LOOK : 100));
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  } finally {
    watch.close();
  }
}

function judge(context: ExecutionContext, run: RunState | undefined): Verdict {
  if (run === undefined) {
    return { failed: 'was never started' };
  }
  if (run.health === 'healthy' && run.state === 'running') {
    return 'healthy';
  }
  if (run.health === 'unhealthy') {
    return { failed: `is unhealthy after ${run.failing} failed checks in a row` };
  }
  if (run.state === 'exited' || run.state === 'stopped' || run.state === 'failed') {
    const how = run.signal > 0 ? `was killed by signal ${run.signal}` : `ended with exit code ${run.exit}`;
    return { failed: how };
  }
  const supervisor = context.kernel.openProcess(run.supervisor, run.supervisorStartTime);
  if (supervisor === undefined) {
    return { failed: 'has lost its supervisor' };
  }
  context.kernel.close(supervisor);
  return 'wait';
}

function unhealthy(context: ExecutionContext, name: string, dir: string, why: string): TsboxError {
  const [text] = context.kernel.getXattrs([dir], PROBE_XATTR);
  const last = typeof text === 'string' ? parseProbe(text) : undefined;
  const said = last === undefined || last.line === '' ? '' : `; the last check said: ${last.line}`;
  return new TsboxError('TSB3002', `container/${name} had to be healthy first, but ${why}${said}`, {
    hint: `tsbox logs container/${name} shows what it said, tsbox show container/${name} its last check`,
  });
}
