/** Several files as one: maps are merged key by key, everything else is replaced by the later file. */
import { mapTree } from './tree.ts';
import type { Entry, MapTree, Tree } from './tree.ts';

/** `later` over `earlier`. */
export function mergeTrees(earlier: MapTree, later: MapTree): MapTree {
  const entries = new Map<string, Entry>(earlier.entries);
  for (const [key, entry] of later.entries) {
    const before = entries.get(key);
    entries.set(key, before === undefined ? entry : { key: entry.key, tree: mergeValue(before.tree, entry.tree) });
  }
  return mapTree(later.place, entries);
}

function mergeValue(earlier: Tree, later: Tree): Tree {
  return earlier.kind === 'map' && later.kind === 'map' ? mergeTrees(earlier, later) : later;
}
