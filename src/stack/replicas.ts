/**
 * `replicas:` written out: a container of N replicas becomes N containers NAME[0] … in the tree, each with its own
 * `${index}` filled in and every value still at its place in the file.
 */
import { TsboxError } from '../errors.ts';
import { parseReplica, replicaName } from '../resources/container/replica-names.ts';
import { MAX_REPLICAS } from '../resources/container/replicas.ts';
import type { ContainerSpec } from '../resources/container/schema.ts';
import { forReplica, interpolate } from './interpolate.ts';
import type { Interpolation } from './interpolate.ts';
import { nameProblem } from './names.ts';
import { located } from './source.ts';
import { child, mapTree } from './tree.ts';
import type { Entry, Tree } from './tree.ts';

/** Values in all replicas together. */
const VALUE_LIMIT = 1_000_000;

export interface Expanded {
  readonly tree: Tree;
  /** How many each replicated container has, by its name in the file. */
  readonly replicas: ReadonlyMap<string, number>;
}

/** The containers section with variables filled in and replicas written out. */
export function expandReplicas(state: Interpolation, section: Tree): Expanded {
  const replicas = new Map<string, number>();
  if (section.kind !== 'map') {
    return { tree: interpolate(state, section), replicas };
  }
  const entries = new Map<string, Entry>();
  let size = 0;
  for (const [name, entry] of section.entries) {
    if (parseReplica(name) !== undefined) {
      // The name of a replica: what it is comes from the container it belongs to.
      const wrong = nameProblem('container', name);
      const hint = 'replicas: N on the container makes them';
      state.problems.push(
        new TsboxError('TSB1003', wrong?.message ?? '', { ...located(entry.key), expected: wrong?.expected, hint }),
      );
      continue;
    }
    const count = countOf(state, entry.tree);
    if (count === undefined) {
      entries.set(name, { key: entry.key, tree: interpolate(state, entry.tree) });
      continue;
    }
    size += entry.tree.size * count;
    if (size > VALUE_LIMIT) {
      const message = `'${name}' and the replicas before it have too many values`;
      const expected = `at most ${VALUE_LIMIT} in all replicas together`;
      state.problems.push(new TsboxError('TSB1007', message, { ...located(entry.key), expected }));
      continue;
    }
    replicas.set(name, count);
    // One is looked at even where none is wanted: its errors are errors all the same.
    for (let index = 0; index < Math.max(1, count); index++) {
      const told = state.problems.length;
      entries.set(replicaName(name, index), {
        key: entry.key,
        tree: interpolate(forReplica(state, index), entry.tree),
      });
      if (state.problems.length > told) {
        break;
      }
    }
  }
  return { tree: mapTree(section.place, entries), replicas };
}

/** The number of replicas; undefined without the key. One that is no number is left to the schema, as one replica. */
function countOf(state: Interpolation, tree: Tree): number | undefined {
  const given = child(tree, 'replicas');
  if (given === undefined) {
    return undefined;
  }
  const value = interpolate(state, given);
  const count = value.kind === 'scalar' && typeof value.value === 'number' ? value.value : 1;
  return Number.isInteger(count) && count >= 0 && count <= MAX_REPLICAS ? count : 1;
}

/** depends_on of a replicated container means each of its replicas. */
export function expandDependencies(
  containers: ReadonlyMap<string, ContainerSpec>,
  replicas: ReadonlyMap<string, number>,
): ReadonlyMap<string, ContainerSpec> {
  if (replicas.size === 0) {
    return containers;
  }
  return new Map(
    [...containers].map(([name, spec]) => {
      const dependsOn = Object.entries(spec.dependsOn).flatMap(([other, condition]) =>
        membersOf(replicas, other).map((member) => [member, condition] as const),
      );
      return [name, { ...spec, dependsOn: Object.fromEntries(dependsOn) }];
    }),
  );
}

/** The containers a name stands for: its replicas, or itself. */
export function membersOf(replicas: ReadonlyMap<string, number>, name: string): string[] {
  const count = replicas.get(name);
  return count === undefined ? [name] : Array.from({ length: count }, (_, index) => replicaName(name, index));
}
