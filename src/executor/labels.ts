/** Writing labels: the record of identity and of what was last applied, on the object itself. */
import { refused } from '../kernel/kernel.ts';
import { encodeLabel, LABEL_VERSION, LABEL_XATTR, type Label } from '../resources/label.ts';
import { belongsTo, belongsToAnother, labelOn, type Owner } from '../resources/ownership.ts';
import type { LabelDraft } from '../resources/step.ts';
import { primaryDirectory, type ExecutionContext } from './context.ts';

/** The label of a cgroup, whoever's; none where there is no such cgroup, or the label is another's copy. */
export function readLabel(context: ExecutionContext, path: string): Label | undefined {
  const { kernel } = context;
  const dir = primaryDirectory(context, path);
  const stat = kernel.stats([dir])[0];
  return typeof stat === 'object' ? labelOn(kernel.getXattrs([dir], LABEL_XATTR)[0], stat.ino) : undefined;
}

function ownerIn({ kernel, stackName }: ExecutionContext): Owner {
  return { stack: stackName, installation: kernel.installation };
}

/** Whether the cgroup has a label of the stack's own. */
export function isLabelled(context: ExecutionContext, path: string): boolean {
  const label = readLabel(context, path);
  return label !== undefined && belongsTo(label, ownerIn(context));
}

/** The label of a cgroup that must be ours, or nobody's. @throws TsboxError TSB3007 for another's */
export function requireNoOther(context: ExecutionContext, path: string): Label | undefined {
  const label = readLabel(context, path);
  if (label !== undefined && !belongsTo(label, ownerIn(context))) {
    throw belongsToAnother(ownerIn(context), path, label);
  }
  return label;
}

/** Writes a label, keeping what the draft does not mention (namespaces and mounts recorded at the start). */
export function writeLabel(
  context: ExecutionContext,
  path: string,
  draft: Partial<LabelDraft> & Pick<LabelDraft, 'address'>,
): void {
  const dir = primaryDirectory(context, path);
  const stat = context.kernel.stats([dir])[0];
  if (typeof stat !== 'object') {
    throw refused('stat', dir, stat ?? -2);
  }
  const existing = requireNoOther(context, path);
  const kept = existing?.address === draft.address ? existing : undefined;
  const at = draft.at ?? ('applied' in draft ? Date.now() : kept?.at);
  const label: Label = {
    applied: null,
    ...kept,
    ...draft,
    ...(at === undefined ? {} : { at }),
    v: LABEL_VERSION,
    stack: context.stackName,
    installation: context.kernel.installation,
    ino: stat.ino,
  };
  context.kernel.setXattr(dir, LABEL_XATTR, encodeLabel(label));
}
