/**
 * A stack file as a tree that remembers where everything stood: what merging, interpolation and error positions work
 * on. Trees are immutable and shared where the file uses aliases.
 */
import type { Place } from './source.ts';

export type Scalar = string | number | boolean | null;

interface Sized {
  readonly place: Place;
  /** Nodes in it with aliases written out, itself included. */
  readonly size: number;
  /** Levels of maps and lists below and including it; 0 for a scalar. */
  readonly depth: number;
}

export interface ScalarTree extends Sized {
  readonly kind: 'scalar';
  readonly value: Scalar;
  /** The text as written, where the value is a number or a boolean: 0644 and not 644. */
  readonly written: string | undefined;
  /** Made of a sensitive variable: the value must not be shown. */
  readonly sensitive: boolean;
  /** Stands for something an error was already told about. */
  readonly broken: boolean;
}

export interface Entry {
  readonly key: Place;
  readonly tree: Tree;
}

export interface MapTree extends Sized {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, Entry>;
}

export interface ListTree extends Sized {
  readonly kind: 'list';
  readonly items: readonly Tree[];
}

export type Tree = ScalarTree | MapTree | ListTree;

export function mapTree(place: Place, entries: ReadonlyMap<string, Entry>): MapTree {
  let size = 1;
  let depth = 0;
  for (const { tree } of entries.values()) {
    size += tree.size;
    depth = Math.max(depth, tree.depth);
  }
  return { kind: 'map', place, entries, size, depth: depth + 1 };
}

export function listTree(place: Place, items: readonly Tree[]): ListTree {
  let size = 1;
  let depth = 0;
  for (const item of items) {
    size += item.size;
    depth = Math.max(depth, item.depth);
  }
  return { kind: 'list', place, items, size, depth: depth + 1 };
}

export function scalarTree(place: Place, value: Scalar, written?: string, sensitive = false): ScalarTree {
  return { kind: 'scalar', place, value, written, sensitive, broken: false, size: 1, depth: 0 };
}

/** In place of a value that has an error, so that nothing is said to be missing. */
export function brokenTree(place: Place): ScalarTree {
  return { kind: 'scalar', place, value: null, written: undefined, sensitive: false, broken: true, size: 1, depth: 0 };
}

/** The child at a key or an index, undefined where there is none. */
export function child(tree: Tree | undefined, step: PropertyKey): Tree | undefined {
  if (tree?.kind === 'map') {
    return tree.entries.get(String(step))?.tree;
  }
  return tree?.kind === 'list' ? tree.items[Number(step)] : undefined;
}

/** Plain data for the schemas; `asWritten` gives numbers and booleans as the file has them. */
export function toData(tree: Tree, asWritten = false): unknown {
  switch (tree.kind) {
    case 'scalar':
      return asWritten && tree.written !== undefined ? tree.written : tree.value;
    case 'list':
      return tree.items.map((item) => toData(item, asWritten));
    case 'map': {
      const data: Record<string, unknown> = {};
      for (const [key, entry] of tree.entries) {
        // Nobody means 755 by 0755.
        data[key] = toData(entry.tree, asWritten || key === 'mode');
      }
      return data;
    }
  }
}
