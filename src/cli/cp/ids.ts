/** Owners of files in a container and outside of it: user_namespaces(7), "User and group ID mappings". */
import type { IdMapping } from '../../kernel/proc.ts';

/** What an id has that the map does not: the overflow id of the kernel. */
export const NOBODY = 65534;

/** The id outside that the container sees as this one; the container's root where it knows none of that number. */
export function idOutside(map: readonly IdMapping[], id: number): number {
  const find = (wanted: number): IdMapping | undefined =>
    map.find((r) => wanted >= r.inside && wanted < r.inside + r.count);
  const range = find(id);
  if (range !== undefined) {
    return id - range.inside + range.outside;
  }
  const root = find(0);
  return root === undefined ? NOBODY : root.outside - root.inside;
}
