/** Giving an object another address, or none: only labels, pins and the names of volumes' directories change. */
import { MS_BIND } from '../../kernel/kernel.ts';
import { decodeLabel, encodeLabel, LABEL_XATTR, NAMESPACE_XATTR } from '../../resources/label.ts';
import { pinPath } from '../../resources/namespace/index.ts';
import type { Step } from '../../resources/step.ts';
import { recordPath } from '../../resources/volume/index.ts';
import { primaryDirectory, type ExecutionContext } from '../context.ts';
import { readLabel } from '../labels.ts';
import { preparePins } from './namespace.ts';

type Of<Op extends Step['op']> = Extract<Step, { op: Op }>;

function nameOf(address: string): string {
  return address.slice(address.indexOf('/') + 1);
}

export function moveResource(context: ExecutionContext, step: Of<'move'>): void {
  const { kernel, stackName } = context;
  if (step.to.startsWith('container/')) {
    const label = readLabel(context, step.path);
    if (label?.address === step.from) {
      kernel.setXattr(primaryDirectory(context, step.path), LABEL_XATTR, encodeLabel({ ...label, address: step.to }));
    }
    return;
  }
  if (step.to.startsWith('volume/')) {
    kernel.moveDirectory(step.path, step.target);
    kernel.remove(recordPath(step.path));
    return;
  }
  const [from, to] = [nameOf(step.from), nameOf(step.to)];
  const dir = primaryDirectory(context, '');
  const [text] = kernel.getXattrs([dir], NAMESPACE_XATTR + from);
  const label = typeof text === 'string' ? decodeLabel(text) : undefined;
  if (label === undefined) {
    return;
  }
  const old = pinPath(kernel.settings.runDir, stackName, from);
  const pin = preparePins(context, to);
  kernel.unmount(pin);
  kernel.mount(old, pin, '', MS_BIND);
  // The new record first: what both name is found under one of them whatever happens in between.
  kernel.setXattr(dir, NAMESPACE_XATTR + to, encodeLabel({ ...label, address: step.to }));
  kernel.removeXattr(dir, NAMESPACE_XATTR + from);
  while (kernel.unmount(old)) {
    // A repinned namespace may be mounted more than once.
  }
  kernel.remove(old);
}

/** Takes the label off. The object, its processes and its pin stay as they are. */
export function forgetResource(context: ExecutionContext, step: Of<'forget'>): void {
  const { kernel } = context;
  if (step.address.startsWith('namespace/')) {
    kernel.removeXattr(primaryDirectory(context, ''), NAMESPACE_XATTR + nameOf(step.address));
    return;
  }
  const isVolume = step.address.startsWith('volume/');
  const dir = isVolume ? step.path : primaryDirectory(context, step.path);
  if (typeof kernel.getXattrs([dir], LABEL_XATTR)[0] === 'string') {
    kernel.removeXattr(dir, LABEL_XATTR);
  }
  if (isVolume) {
    kernel.remove(recordPath(step.path));
  }
}
