/** What no single item shows: references to nothing, wrong kinds, things in each other's place, limits above limits. */
import { containerOf } from '../resources/container/replica-names.ts';
import { checkBlocks } from './check-blocks.ts';
import { checkCircles } from './check-circles.ts';
import { checkLifecycles, checkOrders } from './check-lifecycle.ts';
import { checkLimits } from './check-limits.ts';
import { checkMounts, checkVolumes } from './check-mounts.ts';
import { adoptions, collisions } from './check-places.ts';
import { containerReferences, deviceReference, outputReferences } from './check-references.ts';
import { checkUppers } from './check-uppers.ts';
import type { Checking } from './checking.ts';

/** Adds errors and warnings about the items together. */
export function checkItems(checking: Checking): void {
  const faulty = new Set<string>();
  for (const container of checking.items.containers.values()) {
    const base = containerOf(container.name);
    const told = checking.problems.length;
    if (!faulty.has(base)) {
      containerReferences(checking, container);
      checkMounts(checking, container);
    }
    if (checking.problems.length > told) {
      // Replicas are alike, and so are their errors.
      faulty.add(base);
    }
  }
  for (const cgroup of checking.items.cgroups.values()) {
    deviceReference(checking, `cgroup/${cgroup.path}`, cgroup.devices);
  }
  checkVolumes(checking);
  checkUppers(checking);
  collisions(checking);
  adoptions(checking);
  outputReferences(checking);
  checkLifecycles(checking);
  checkOrders(checking);
  checkBlocks(checking);
  checkCircles(checking);
  checkLimits(checking);
}
