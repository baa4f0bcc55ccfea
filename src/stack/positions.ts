/** From the path of a value to its place in the files, after merging, includes and aliases. */
import type { Place } from './source.ts';
import { child } from './tree.ts';
import type { Tree } from './tree.ts';

/**
 * Place of the value at a path, or of its key. Where the path leads to nothing, the key of the nearest parent that is
 * there (its value, for an item of a list); undefined only without a tree.
 */
export function placeOf(
  tree: Tree | undefined,
  path: readonly PropertyKey[],
  part: 'key' | 'value' = 'value',
): Place | undefined {
  let here = tree;
  let key: Place | undefined;
  for (const step of path) {
    const next = child(here, step);
    if (next === undefined) {
      return key ?? here?.place;
    }
    key = here?.kind === 'map' ? here.entries.get(String(step))?.key : undefined;
    here = next;
  }
  if (part === 'key') {
    return key ?? here?.place;
  }
  // A map or a list would be marked by its first line only, which says less than its key.
  return here?.kind === 'scalar' && here.value !== null ? here.place : (key ?? here?.place);
}
