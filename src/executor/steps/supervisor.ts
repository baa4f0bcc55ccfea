/** Steps on a running supervisor: its health checks, its description. */
import { leafPath } from '../../resources/container/declare.ts';
import { HEALTH_XATTR, PROBE_XATTR } from '../../resources/label.ts';
import type { Step } from '../../resources/step.ts';
import { primaryDirectory, type ExecutionContext } from '../context.ts';
import { specOf, superviseSpec } from './container.ts';
import { deliver, tellSupervisor } from './mailbox.ts';

type Of<Op extends Step['op']> = Extract<Step, { op: Op }>;

/** Writes the settings where the supervisor reads them, and tells it to. What earlier checks found is forgotten. */
export function setHealth(context: ExecutionContext, step: Of<'health'>): void {
  const dir = primaryDirectory(context, step.path);
  if (step.text === null) {
    context.kernel.removeXattr(dir, HEALTH_XATTR);
  } else {
    context.kernel.setXattr(dir, HEALTH_XATTR, step.text);
  }
  context.kernel.removeXattr(dir, PROBE_XATTR);
  tellSupervisor(context, step.path);
}

/** Hands the container's description, as the stack has it, to the supervisor that runs. */
export async function describeContainer(context: ExecutionContext, step: Of<'describe'>): Promise<void> {
  const { spec } = specOf(context, step.container);
  await deliver(context, step.container, leafPath(spec), superviseSpec(context, step.container, null));
}
