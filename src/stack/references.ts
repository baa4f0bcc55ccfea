/** Where the items of a file name each other, so that a name can be given another form there. */
import { listTree, mapTree, scalarTree } from './tree.ts';
import type { Entry, MapTree, ScalarTree, Tree } from './tree.ts';

/** What a reference becomes: one name or several; undefined leaves it. */
export type Renamed = (kind: string, name: string) => readonly string[] | undefined;

function text(tree: Tree): string | undefined {
  return tree.kind === 'scalar' && typeof tree.value === 'string' && !tree.broken ? tree.value : undefined;
}

function said(tree: ScalarTree, value: string): ScalarTree {
  return scalarTree(tree.place, value, undefined, tree.sensitive);
}

/** A scalar that names an item of the kind, bare or as KIND/NAME. */
function one(kind: string, rename: Renamed): (tree: Tree) => Tree {
  return (tree) => {
    const value = text(tree);
    const [prefix, name] =
      value?.startsWith(`${kind}/`) === true ? [`${kind}/`, value.slice(kind.length + 1)] : ['', value];
    const next = name === undefined ? undefined : rename(kind, name)?.[0];
    return next === undefined || tree.kind !== 'scalar' ? tree : said(tree, prefix + next);
  };
}

/** ADDRESS or ADDRESS.ATTRIBUTE: the longest name that is one. */
export function renameAddress(address: string, rename: Renamed): readonly string[] {
  const slash = address.indexOf('/');
  const [kind, rest] = [address.slice(0, slash), address.slice(slash + 1)];
  for (let end = rest.length; end > 0; end = rest.lastIndexOf('.', end - 1)) {
    const names = rename(kind, rest.slice(0, end));
    if (names !== undefined) {
      return names.map((n) => `${kind}/${n}${rest.slice(end)}`);
    }
  }
  return [address];
}

function cgroup(rename: Renamed): (tree: Tree) => Tree {
  return (tree) => {
    const [first = '', ...below] = text(tree)?.split('/') ?? [];
    const next = rename('cgroup', first)?.[0];
    return next === undefined || tree.kind !== 'scalar' ? tree : said(tree, [next, ...below].join('/'));
  };
}

/** A namespace use: a declared name, or container/NAME. */
function use(rename: Renamed): (tree: Tree) => Tree {
  return (tree) =>
    text(tree)?.startsWith('container/') === true ? one('container', rename)(tree) : one('namespace', rename)(tree);
}

function mapped(tree: Tree, change: Readonly<Record<string, (tree: Tree) => Tree>>): Tree {
  if (tree.kind !== 'map') {
    return tree;
  }
  return mapTree(
    tree.place,
    new Map(
      [...tree.entries].map(([key, e]) => [
        key,
        { key: e.key, tree: (change[key] ?? change['*'])?.(e.tree) ?? e.tree },
      ]),
    ),
  );
}

function several(change: (tree: Tree) => readonly Tree[]): (tree: Tree) => Tree {
  return (tree) => (tree.kind === 'list' ? listTree(tree.place, tree.items.flatMap(change)) : tree);
}

/** depends_on: a name, a list or a map of names. */
function dependencies(rename: Renamed): (tree: Tree) => Tree {
  const names = (name: string): readonly string[] => rename('container', name) ?? [name];
  return (tree) => {
    if (tree.kind === 'map') {
      const entries = [...tree.entries].flatMap(([key, e]): Array<[string, Entry]> => names(key).map((n) => [n, e]));
      return mapTree(tree.place, new Map(entries));
    }
    return several((item) => {
      const value = text(item);
      return value === undefined || item.kind !== 'scalar' ? [item] : names(value).map((n) => said(item, n));
    })(tree);
  };
}

/** secrets and configs of a container: NAME, or { source }; the file inside keeps the name that the author gave. */
function files(kind: string, rename: Renamed): (tree: Tree) => Tree {
  return several((item) => {
    const value = text(item);
    const next = value === undefined ? undefined : rename(kind, value)?.[0];
    if (next !== undefined && item.kind === 'scalar' && value !== undefined) {
      const entries = new Map<string, Entry>([
        ['source', { key: item.place, tree: said(item, next) }],
        ['target', { key: item.place, tree: said(item, value) }],
      ]);
      return [mapTree(item.place, entries)];
    }
    return [mapped(item, { source: one(kind, rename) })];
  });
}

/** An item with the names in it in their other form. */
export function renameIn(section: string, item: Tree, rename: Renamed): Tree {
  const lifecycle = (tree: Tree): Tree =>
    mapped(tree, {
      replace_triggered_by: several((t) => {
        const value = text(t);
        return value === undefined || t.kind !== 'scalar' ? [t] : renameAddress(value, rename).map((a) => said(t, a));
      }),
    });
  const devices = one('devices', rename);
  if (section === 'cgroups') {
    const children = (tree: Tree): Tree => mapped(tree, { '*': (t) => renameIn('cgroups', t, rename) });
    return mapped(item, { devices, lifecycle, children });
  }
  if (section !== 'containers') {
    return mapped(item, { lifecycle });
  }
  const container = one('container', rename);
  return mapped(item, {
    cgroup: cgroup(rename),
    devices,
    lifecycle,
    depends_on: dependencies(rename),
    namespaces: (t) => mapped(t, { '*': use(rename) }),
    share: (t) => (t.kind === 'map' ? mapped(t, { container }) : container(t)),
    user: (t) => (text(t)?.startsWith('container/') === true ? container(t) : t),
    mounts: several((t) => [mapped(t, { volume: one('volume', rename) })]),
    secrets: files('secret', rename),
    configs: files('config', rename),
  });
}

/** The kind of the items of a section, as references name it. */
export const KIND_OF: Readonly<Record<string, string>> = {
  cgroups: 'cgroup',
  namespaces: 'namespace',
  devices: 'devices',
  volumes: 'volume',
  secrets: 'secret',
  configs: 'config',
  containers: 'container',
  outputs: 'output',
};

export function entriesOf(tree: Tree | undefined): MapTree['entries'] {
  return tree?.kind === 'map' ? tree.entries : new Map<string, Entry>();
}
