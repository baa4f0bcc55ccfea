/** Writing labels: the record of identity and of what was last applied, on the object itself. */
import { refused } from '../kernel/kernel.ts';
import { decodeLabel, encodeLabel, LABEL_VERSION, LABEL_XATTR, type Label } from '../resources/label.ts';
import type { LabelDraft } from '../resources/step.ts';
import { primaryDirectory, type ExecutionContext } from './context.ts';

/** The sound label of a cgroup, if it has one. */
export function readLabel(context: ExecutionContext, path: string): Label | undefined {
  const text = context.kernel.getXattrs([primaryDirectory(context, path)], LABEL_XATTR)[0];
  return typeof text === 'string' ? decodeLabel(text) : undefined;
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
  const existing = readLabel(context, path);
  const kept = existing?.ino === stat.ino && existing.address === draft.address ? existing : undefined;
  const at = draft.at ?? ('applied' in draft ? Date.now() : kept?.at);
  const label: Label = {
    applied: null,
    ...kept,
    ...draft,
    ...(at === undefined ? {} : { at }),
    v: LABEL_VERSION,
    stack: context.stackName,
    ino: stat.ino,
  };
  context.kernel.setXattr(dir, LABEL_XATTR, encodeLabel(label));
}
