/** Owners of files in a container and outside of it: user_namespaces(7), "User and group ID mappings". */

export interface IdRange {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

/** What an id has that the map does not: the overflow id of the kernel. */
const NOBODY = 65534;

export function parseIdMap(text: string): IdRange[] {
  return text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([inside = 0, outside = 0, count = 0]) => ({ inside, outside, count }));
}

/** The id as the container sees it. */
export function idInside(map: readonly IdRange[], id: number): number {
  const range = map.find((r) => id >= r.outside && id < r.outside + r.count);
  return range === undefined ? NOBODY : id - range.outside + range.inside;
}

/** The id outside that the container sees as this one; the container's root where it knows none of that number. */
export function idOutside(map: readonly IdRange[], id: number): number {
  const find = (wanted: number): IdRange | undefined =>
    map.find((r) => wanted >= r.inside && wanted < r.inside + r.count);
  const range = find(id);
  if (range !== undefined) {
    return id - range.inside + range.outside;
  }
  const root = find(0);
  return root === undefined ? NOBODY : root.outside - root.inside;
}
