/** Taking over cgroups that others made, and giving them back. Nothing of theirs is ever removed or killed. */
import { refused } from '../../kernel/kernel.ts';
import { ADOPTED_XATTR, LABEL_XATTR } from '../../resources/label.ts';
import { ADOPTED } from '../../resources/scope.ts';
import type { Step } from '../../resources/step.ts';
import { primaryDirectory, type ExecutionContext } from '../context.ts';
import { requireNoOther, writeLabel } from '../labels.ts';

type Of<Op extends Step['op']> = Extract<Step, { op: Op }>;

/** Labels an existing cgroup, after its place is remembered: a label that nobody can find would stay for ever. */
export function adoptCgroup(context: ExecutionContext, step: Of<'cgroup-adopt'>): void {
  requireNoOther(context, step.path);
  remember(context, (paths) => [...new Set([...paths, step.path])]);
  writeLabel(context, step.path, step.label);
}

/** Takes the label off; the cgroup, its processes and what others set stay. */
export function releaseCgroup(context: ExecutionContext, step: Of<'cgroup-release'>): void {
  const dir = primaryDirectory(context, step.path);
  if (typeof context.kernel.stats([dir])[0] === 'object') {
    context.kernel.removeXattr(dir, LABEL_XATTR);
  }
  remember(context, (paths) => paths.filter((p) => p !== step.path));
}

function remember(context: ExecutionContext, change: (paths: string[]) => string[]): void {
  const { kernel } = context;
  const dir = primaryDirectory(context, ADOPTED);
  kernel.makeDirs([dir]);
  const [text] = kernel.getXattrs([dir], ADOPTED_XATTR);
  const paths = change(typeof text === 'string' ? text.split('\n').filter((p) => p !== '') : []);
  if (paths.length > 0) {
    kernel.setXattr(dir, ADOPTED_XATTR, paths.join('\n'));
    return;
  }
  const [result = 0] = kernel.removeDirs([dir]);
  if (result !== 0) {
    throw refused('rmdir', dir, result);
  }
}
