/** Everything filled in: variables, for_each, replicas, modules. What comes out is as if it had been written that way. */
import type { TsboxError } from '../errors.ts';
import { expandEach, type Groups } from './for-each.ts';
import { interpolate, interpolation } from './interpolate.ts';
import { expandModules, type ModuleLoading } from './modules.ts';
import { entriesOf, KIND_OF, renameIn } from './references.ts';
import { expandReplicas } from './replicas.ts';
import { mapTree } from './tree.ts';
import type { Entry, MapTree, Tree } from './tree.ts';
import type { Variable } from './variables.ts';

export interface Filled {
  readonly root: MapTree;
  /** How many replicas each replicated container has. */
  readonly replicas: ReadonlyMap<string, number>;
}

const EACH: readonly string[] = ['cgroups', 'namespaces', 'volumes', 'containers'];

/** Outputs keep references to resources. */
export function filledIn(
  root: MapTree,
  variables: ReadonlyMap<string, Variable>,
  problems: TsboxError[],
  loading: ModuleLoading,
): Filled {
  const values = interpolation(variables, problems, false);
  const modules = root.entries.get('modules');
  const expanded = modules === undefined ? undefined : expandModules(modules.tree, values, loading, filledIn);
  const known = { ...values, modules: expanded?.outputs ?? new Map<string, string>() };
  const outputs = { ...interpolation(variables, problems, true), modules: known.modules };
  const containers: Groups = new Map();
  const origins = originsIn(loading);
  let replicas = new Map<string, number>();
  const entries = new Map<string, Entry>();
  for (const [key, entry] of root.entries) {
    if (key === 'modules') {
      continue;
    }
    const members = key === 'containers' ? containers : new Map<string, readonly string[]>();
    const tree = EACH.includes(key)
      ? expandEach(known, entry.tree, members, key === 'cgroups' ? 'children' : undefined)
      : entry.tree;
    origins(key, tree, members);
    if (key === 'containers') {
      const all = expandReplicas(known, tree);
      replicas = new Map(all.replicas);
      entries.set(key, { key: entry.key, tree: all.tree });
      continue;
    }
    const asIs = key === 'variables' || key === 'include' || key.startsWith('x-');
    entries.set(key, asIs ? entry : { key: entry.key, tree: interpolate(key === 'outputs' ? outputs : known, tree) });
  }
  if (containers.size > 0) {
    spread(entries, containers);
  }
  for (const [name, count] of expanded?.replicas ?? []) {
    replicas.set(name, count);
  }
  for (const [section, added] of expanded?.sections ?? []) {
    const before = entries.get(section);
    const own: ReadonlyMap<string, Entry> = before?.tree.kind === 'map' ? before.tree.entries : new Map();
    const key = before?.key ?? (modules?.key as Entry['key']);
    const place = before?.tree.place ?? (modules?.tree.place as Tree['place']);
    entries.set(section, { key, tree: mapTree(place, new Map([...own, ...added])) });
  }
  return { root: mapTree(root.place, entries), replicas };
}

/** Notes where items come from, before those of modules are among them. */
function originsIn({ within, origins }: ModuleLoading): (section: string, tree: Tree, members: Groups) => void {
  const prefix = within.map(({ name, key }) => (key === undefined ? `${name}.` : `${name}.${key}.`)).join('');
  return (section, tree, members) => {
    const kind = KIND_OF[section];
    const bases = new Map([...members].flatMap(([base, names]) => names.map((name) => [name, base] as const)));
    for (const name of kind === undefined ? [] : entriesOf(tree).keys()) {
      const base = bases.get(name);
      if (base !== undefined) {
        origins.set(`${kind}/${prefix}${name}`, { modules: within, name: base, key: name.slice(base.length + 1) });
      } else if (within.length > 0) {
        origins.set(`${kind}/${prefix}${name}`, { modules: within, name });
      }
    }
  };
}

/** Who depends on a container with for_each depends on each of its members. */
function spread(entries: Map<string, Entry>, groups: Groups): void {
  for (const section of EACH) {
    const entry = entries.get(section);
    if (entry?.tree.kind === 'map') {
      const rename = (kind: string, name: string): readonly string[] | undefined =>
        kind === 'container' ? groups.get(name) : undefined;
      const items = [...entry.tree.entries].map(([name, e]): [string, Entry] => [
        name,
        { key: e.key, tree: renameIn(section, e.tree, rename) },
      ]);
      entries.set(section, { key: entry.key, tree: mapTree(entry.tree.place, new Map(items)) });
    }
  }
}
