/**
 * Right before a step: whether what it overwrites or removes is still what the plan read. The lock keeps other applies
 * out, not the rest of the machine, and a plan may have waited for somebody's word.
 */
import { TsboxError } from '../errors.ts';
import type { PlannedChange } from '../planner/plan.ts';
import { sameValue, type Value } from '../resources/attribute.ts';
import { observeKnobs } from '../resources/cgroup/observe.ts';
import { kindOf } from '../resources/registry.ts';
import type { Step } from '../resources/step.ts';
import { primaryDirectory, type ExecutionContext } from './context.ts';
import { isLabelled } from './labels.ts';

const AGAIN = 'nothing of it was overwritten; look at a new plan: tsbox plan';

/** @throws TsboxError TSB3006 naming what moved */
export function requireUnmoved(context: ExecutionContext, change: PlannedChange, step: Step): void {
  if (step.op === 'cgroup-write' && (change.action === 'update' || change.action === 'restart')) {
    requireKnobs(context, change, step);
  } else if (step.op === 'cgroup-remove') {
    requireOwn(context, step.path);
  }
}

/** One read of the files that are about to be written. What came to be with this apply had no value before. */
function requireKnobs(
  context: ExecutionContext,
  change: PlannedChange,
  step: Extract<Step, { op: 'cgroup-write' }>,
): void {
  const { kernel, stackName } = context;
  const names = new Set(step.writes.map((w) => w.attribute));
  // On v1 a parent's cpuset has to change its children's first.
  const moves = kernel.layout.byController.get('cpuset')?.version === 1;
  const due = change.attributes.filter(
    (a) => names.has(a.name) && a.before !== undefined && !(moves && a.name.startsWith('cpuset.')),
  );
  if (due.length === 0) {
    return;
  }
  const knobs = new Map(due.map((a) => [a.name, [a.after, a.applied] as const]));
  const [live = {}] = observeKnobs(kernel, stackName, [{ path: step.path, knobs }]);
  const table = kindOf(change.address).attributes;
  for (const { name, before } of due) {
    const attribute = table.get(name);
    const now = live[name];
    if (attribute !== undefined && !sameValue(attribute, before, now)) {
      throw new TsboxError('TSB3006', `${name} moved since the plan: it was ${text(before)}, and is ${text(now)} now`, {
        address: change.address,
        hint: AGAIN,
      });
    }
  }
}

function text(value: Value | undefined): string {
  return typeof value === 'string' ? value : value === undefined ? 'not there' : JSON.stringify(value);
}

/** A directory of the same name that somebody made anew is not ours to kill and remove: the label is on the inode. */
function requireOwn(context: ExecutionContext, path: string): void {
  const directory = primaryDirectory(context, path);
  if (typeof context.kernel.stats([directory])[0] !== 'object') {
    return;
  }
  if (!isLabelled(context, path)) {
    throw new TsboxError('TSB3006', `${directory} is not the cgroup that the plan saw: it has no label of this stack`, {
      subject: directory,
      hint: 'somebody else has made it anew; what tsbox did not make it does not remove',
    });
  }
}
