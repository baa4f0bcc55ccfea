/**
 * Taking ids from the pool. What the plan will show is recorded on the stack's directory before it is shown, under a
 * lock on our root that every apply takes for that moment: two at once never see the same range free.
 */
import { EAGAIN, refused, type Kernel } from '../kernel/kernel.ts';
import { TsboxError } from '../errors.ts';
import { IDS_XATTR } from '../resources/label.ts';
import { directoryIn, readScope } from '../resources/scope.ts';
import { findIds, takesIds } from '../resources/userns/allocate.ts';
import { encodeAllocations, readAllocations, type Allocations } from '../resources/userns/in-use.ts';
import type { Stack } from '../stack/types.ts';

/** How long others may take to look and record, ms. */
const PATIENCE = 10_000;

/** Records the ids that a stack takes; the lock of the stack must be held. */
export async function reserveIds(kernel: Kernel, stack: Stack): Promise<void> {
  if (!takesIds(stack)) {
    return;
  }
  const root = directoryIn(kernel.layout.primary?.mount ?? '', kernel.settings.cgroupRoot, '').replace(/\/$/, '');
  const lock = await lockPool(kernel, root);
  try {
    // What cannot be found is told by the plan, which looks again.
    const { allocations } = findIds(kernel, stack, () => undefined);
    const before = readAllocations(kernel, stack.name);
    record(kernel, stack.name, new Map([...before, ...allocations]), before);
  } finally {
    kernel.close(lock);
  }
}

/** Gives back what no resource of the stack has any more: neither one that is declared nor one that still exists. */
export function releaseIds(kernel: Kernel, stack: string, declared: readonly string[]): void {
  const before = readAllocations(kernel, stack);
  if (before.size === 0) {
    return;
  }
  const scope = readScope(kernel, stack);
  const kept = [...before].filter(
    ([address]) =>
      declared.includes(address) ||
      scope.byAddress.has(address) ||
      scope.namespaces.has(address.replace(/^namespace\//, '')),
  );
  record(kernel, stack, new Map(kept), before);
}

function record(kernel: Kernel, stack: string, allocations: Allocations, before: Allocations): void {
  const text = encodeAllocations(allocations);
  if (text === encodeAllocations(before)) {
    return;
  }
  const directory = directoryIn(kernel.layout.primary?.mount ?? '', kernel.settings.cgroupRoot, stack);
  if (text === '') {
    kernel.removeXattr(directory, IDS_XATTR);
  } else {
    kernel.setXattr(directory, IDS_XATTR, text);
  }
}

async function lockPool(kernel: Kernel, root: string): Promise<number> {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const fd = kernel.lockDir(root);
    if (fd >= 0) {
      return fd;
    }
    if (fd !== -EAGAIN) {
      throw refused('flock', root, fd);
    }
    if (Date.now() >= deadline) {
      throw new TsboxError('TSB3004', `the pool of ids is locked by another apply (${root})`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
