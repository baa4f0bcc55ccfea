/** The resource kinds. A new one is a folder and a line here. */
import { cgroupKind } from './cgroup/index.ts';
import { containerKind } from './container/index.ts';
import type { ResourceKind } from './kind.ts';
import { namespaceKind } from './namespace/index.ts';
import { volumeKind } from './volume/index.ts';

/** In the order in which things must exist. */
export const KINDS: readonly ResourceKind[] = [cgroupKind, namespaceKind, volumeKind, containerKind];

/** The kind of an address. */
export function kindOf(address: string): ResourceKind {
  const kind = KINDS.find((k) => address.startsWith(`${k.kind}/`));
  if (kind === undefined) {
    throw new Error(`no resource kind for ${address}`);
  }
  return kind;
}
