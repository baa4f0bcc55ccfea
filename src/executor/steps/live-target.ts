/** The files of the namespaces that a step changes in place: those of a container's process, or a pin. */
import { TsboxError } from '../../errors.ts';
import type { NamespaceType } from '../../kernel/init-spec.ts';
import { pinPath } from '../../resources/namespace/index.ts';
import type { LiveTarget } from '../../resources/step.ts';
import type { ExecutionContext } from '../context.ts';
import { readRun } from '../run-state.ts';

/**
 * By type; the start time of the process whose they are, '' for a pin.
 * @param what cannot be set where nothing runs, for the error
 * @throws TsboxError TSB2004 for a container that does not run
 */
export function liveFiles(
  context: ExecutionContext,
  target: LiveTarget,
  what: string,
): (type: NamespaceType) => { path: string; startTime: string } {
  if (target.kind === 'namespace') {
    const path = pinPath(context.kernel.settings.runDir, context.stackName, target.name);
    return () => ({ path, startTime: '' });
  }
  const run = readRun(context, target.path);
  if (run === undefined || run.pid === 0) {
    throw new TsboxError('TSB2004', `${target.path} is not running, so its ${what} cannot be set`);
  }
  return (type) => ({ path: `/proc/${run.pid}/ns/${type}`, startTime: run.startTime });
}
