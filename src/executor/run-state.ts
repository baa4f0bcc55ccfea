/** The state a supervisor keeps on the container's cgroup. */
import { parseRunState, type RunState } from '../kernel/run-state.ts';
import { RUN_XATTR } from '../resources/label.ts';
import { primaryDirectory, type ExecutionContext } from './context.ts';

export function readRun(context: ExecutionContext, path: string): RunState | undefined {
  const text = context.kernel.getXattrs([primaryDirectory(context, path)], RUN_XATTR)[0];
  return typeof text === 'string' ? parseRunState(text) : undefined;
}
