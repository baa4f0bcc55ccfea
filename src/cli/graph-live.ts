/**
 * The graph of what runs, from the kernel alone: directories and their limits, the namespaces of the processes, the mount
 * tables, and what the labels say of order.
 */
import { NAMESPACE_TYPES, type NamespaceType } from '../kernel/init-spec.ts';
import { parseMountInfo } from '../kernel/proc.ts';
import type { KernelReader } from '../kernel/reader.ts';
import type { Graph, GraphNode } from '../report/graph/model.ts';
import type { Value } from '../resources/attribute.ts';
import type { KnobValue } from '../resources/cgroup/knob.ts';
import { knobsSet } from '../resources/cgroup/describe.ts';
import { pinPath } from '../resources/namespace/index.ts';
import { namespacesOf, readMembers, type Inodes, type Member } from '../resources/namespace/members.ts';
import { directoryIn, readScope, SUPERVISORS, type ScopeEntry, type StackScope } from '../resources/scope.ts';
import { cgroupOf, findContainers, stackNames, stateText, type FoundContainer } from './containers.ts';
import { Edges, HOST_ANYWAY, limitsText, plainNode } from './graph-parts.ts';

/** A container of any stack, shown or not. */
interface Place {
  readonly found: FoundContainer;
  readonly id: string;
  readonly shown: boolean;
  readonly cgroup: string;
  readonly inodes: Inodes;
}

/** @param stack the one to show; undefined shows all that exist */
export function liveGraph(reader: KernelReader, stack: string | undefined): Graph {
  const stacks = stack === undefined ? stackNames(reader).filter((n) => !n.startsWith('_')) : [stack];
  // Several stacks may have resources of one name.
  const idOf = (of: string, address: string): string =>
    stack === undefined ? address.replace('/', `/${of}:`) : address;
  const scopes = stacks.map((s) => readScope(reader, s));
  const tree = scopes.flatMap((scope) => treeNodes(reader, scope, idOf));
  const nodes = new Map(tree.map((n) => [n.id, n]));
  const places = placesOf(reader, stacks, idOf);
  for (const { found, id, shown } of places) {
    const node = nodes.get(id);
    if (shown && node !== undefined) {
      const run = found.alive ? found.entry.run : undefined;
      nodes.set(id, { ...node, notes: [stateText(found), ...(run === undefined ? [] : [`pid ${run.pid}`])] });
    }
  }
  const edges = new Edges();
  addNamespaces(reader, scopes, places, idOf, nodes, edges);
  addVolumes(reader, places, idOf, nodes, edges);
  for (const { found, id } of places.filter((p) => p.shown)) {
    const label = found.entry.label;
    const uses = NAMESPACE_TYPES.map((t) => label?.applied?.[`namespace.${t}`]);
    // What is shared is drawn as such; the rest of what it waited for is its order.
    for (const needed of (label?.needs ?? []).filter((n) => n.startsWith('container/') && !uses.includes(n))) {
      edges.add(id, idOf(found.stack, needed), 'depends_on', '');
    }
  }
  return {
    stack: stack ?? null,
    live: true,
    nodes: [...nodes.values()],
    edges: edges.list().filter((e) => nodes.has(e.from) && nodes.has(e.to)),
  };
}

const parentOf = (path: string): string => (path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '');

/** The stack's own directory and what is below it, parents first; what containers make inside is theirs. */
function treeNodes(
  reader: KernelReader,
  scope: StackScope,
  idOf: (stack: string, address: string) => string,
): GraphNode[] {
  if (!scope.exists && scope.entries.size === 0) {
    return [];
  }
  const { stack } = scope;
  const ids = new Map<string, string>([['', `stack/${stack}`]]);
  const shown: Array<readonly [string, ScopeEntry]> = [];
  for (const [path, entry] of [...scope.entries].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const above = ids.get(parentOf(path));
    const own = path === '' || path.startsWith('_') || path.includes('/_');
    if (own || above?.startsWith('container/') === true || (above === undefined && !path.startsWith('/'))) {
      continue;
    }
    const address = entry.label?.address;
    const current = address !== undefined && scope.byAddress.get(address) === entry;
    ids.set(path, current ? idOf(stack, address) : idOf(stack, `cgroup/${path}`));
    shown.push([path, entry]);
  }
  const root = directoryIn('', reader.settings.cgroupRoot, stack, '');
  const limits = knobsSet(reader, root, ['', ...shown.flatMap(([path]) => (path.startsWith('/') ? [] : [path]))]);
  const limitsOf = (path: string): Readonly<Record<string, KnobValue>> =>
    (path.startsWith('/') ? knobsSet(reader, path, ['']).get('') : limits.get(path)) ?? {};
  const node = (id: string, path: string, notes: readonly string[], parent: string | null): GraphNode => ({
    id,
    kind: id.startsWith('container/') ? 'container' : 'cgroup',
    label: labelOf(id, path, stack),
    parent,
    limits: limitsText(limitsOf(path)),
    notes,
  });
  return [
    node(`stack/${stack}`, '', ['stack'], null),
    ...shown.map(([path, { label }]) => {
      const id = ids.get(path) ?? path;
      const parent = ids.get(parentOf(path)) ?? `stack/${stack}`;
      const notes =
        label === undefined
          ? ['not made by tsbox']
          : !id.endsWith(label.address.slice(label.address.indexOf('/') + 1))
            ? [`an earlier ${label.address}`]
            : label.adopted === undefined
              ? []
              : [`adopted ${path}`];
      return node(id, path, notes, parent);
    }),
  ];
}

function labelOf(id: string, path: string, stack: string): string {
  const name = id.slice(id.indexOf('/') + 1);
  return path === ''
    ? stack
    : id.startsWith('container/')
      ? name.slice(name.indexOf(':') + 1)
      : (path.split('/').at(-1) ?? path);
}

function placesOf(
  reader: KernelReader,
  stacks: readonly string[],
  idOf: (stack: string, address: string) => string,
): Place[] {
  const all = findContainers(reader);
  const inodes = namespacesOf(
    reader,
    all.map((c) => (c.alive ? (c.entry.run?.pid ?? 0) : 0)),
  );
  return all.map((found, i) => {
    const shown = stacks.includes(found.stack);
    const address = `container/${found.name}`;
    return {
      found,
      id: shown ? idOf(found.stack, address) : address.replace('/', `/${found.stack}:`),
      shown,
      cgroup: cgroupOf(reader, found),
      inodes: found.alive ? (inodes[i] ?? {}) : {},
    };
  });
}

const OTHERS_MOST = 5;

/** Processes that are in no container and serve none, by the namespaces they are in. */
function strangers(reader: KernelReader, places: readonly Place[]): Map<string, Member[]> {
  const root = reader.settings.cgroupRoot;
  const byNamespace = new Map<string, Member[]>();
  for (const m of readMembers(reader)) {
    const ours = m.cgroup.startsWith(`${root}/`) && m.cgroup.split('/').includes(SUPERVISORS);
    if (ours || places.some((p) => m.cgroup === p.cgroup || m.cgroup.startsWith(`${p.cgroup}/`))) {
      continue;
    }
    for (const type of NAMESPACE_TYPES) {
      const key = `${type}:[${m.namespaces[type]}]`;
      byNamespace.set(key, [...(byNamespace.get(key) ?? []), m]);
    }
  }
  return byNamespace;
}

function addNamespaces(
  reader: KernelReader,
  scopes: readonly StackScope[],
  places: readonly Place[],
  idOf: (stack: string, address: string) => string,
  nodes: Map<string, GraphNode>,
  edges: Edges,
): void {
  const [host = {}] = namespacesOf(reader, ['self']);
  const pins = pinnedNodes(reader, scopes, idOf);
  pins.forEach((node) => nodes.set(node.id, node));
  const groups = new Map<string, { readonly type: NamespaceType; readonly members: Place[] }>();
  for (const place of places) {
    for (const type of NAMESPACE_TYPES) {
      const inode = place.inodes[type];
      if (inode === undefined) {
        continue;
      }
      if (inode !== host[type]) {
        const key = `${type}:[${inode}]`;
        const group = groups.get(key) ?? { type, members: [] };
        groups.set(key, group);
        group.members.push(place);
      } else if (place.shown && !HOST_ANYWAY.includes(type)) {
        nodes.set('host', plainNode('host', 'outside', 'of the host', []));
        edges.add(place.id, 'host', 'namespace', type);
      }
    }
  }
  const others = strangers(reader, places);
  for (const [key, { type, members }] of groups) {
    if (!members.some((m) => m.shown)) {
      continue;
    }
    const owner = members.find((m) => m.found.entry.label?.applied?.[`namespace.${type}`] === 'new');
    const target = pins.get(key) ?? namespaceNode(key, type, members, owner, nodes);
    const inside = [
      ...members.filter((m) => !m.shown && m.id !== target.id).map((m) => `${m.found.stack}:${m.found.name}`),
      ...(others.get(key) ?? []).map((p) => `process ${p.pid} (${p.comm})`),
    ];
    const more = inside.length > OTHERS_MOST ? [`${inside.length - OTHERS_MOST} more`] : [];
    const told =
      inside.length === 0 ? [] : [`${type} also has ${[...inside.slice(0, OTHERS_MOST), ...more].join(', ')}`];
    const node = nodes.get(target.id) ?? target;
    const shared = members.filter((m) => m.shown && m.id !== target.id);
    if (shared.length > 0 || told.length > 0) {
      nodes.set(target.id, { ...node, notes: [...node.notes, ...told] });
    }
    shared.forEach((m) => edges.add(m.id, target.id, 'namespace', type));
  }
}

/** Where a namespace that is not pinned is drawn: at the container that has it, or on its own. */
function namespaceNode(
  key: string,
  type: NamespaceType,
  members: readonly Place[],
  owner: Place | undefined,
  nodes: ReadonlyMap<string, GraphNode>,
): GraphNode {
  const alone = members.length === 1 ? members[0] : undefined;
  const at = owner ?? alone;
  if (at === undefined) {
    return plainNode(key, 'namespace', key.slice(type.length + 1), [type]);
  }
  return nodes.get(at.id) ?? plainNode(at.id, 'outside', `of ${at.found.stack}:${at.found.name}`, []);
}

/** The namespaces that stacks keep, while their pins stand, by '<type>:[<inode>]'. */
function pinnedNodes(
  reader: KernelReader,
  scopes: readonly StackScope[],
  idOf: (stack: string, address: string) => string,
): Map<string, GraphNode> {
  const pins = scopes.flatMap(({ stack, namespaces }) =>
    [...namespaces].map(([name, label]) => ({ stack, name, label })),
  );
  const stats = reader.stats(pins.map(({ stack, name }) => pinPath(reader.settings.runDir, stack, name)));
  return new Map(
    pins.map(({ stack, name, label }, i) => {
      const type = label.namespace?.type ?? '';
      const stat = stats[i];
      const stands = typeof stat === 'object' && Number(stat.ino) === label.ino;
      const notes = [type, ...(stands ? [] : ['its pin is gone'])];
      return [`${type}:[${label.ino}]`, plainNode(idOf(stack, `namespace/${name}`), 'namespace', name, notes)];
    }),
  );
}

/** Volumes that containers have mounted, with what the mount is by now. */
function addVolumes(
  reader: KernelReader,
  places: readonly Place[],
  idOf: (stack: string, address: string) => string,
  nodes: Map<string, GraphNode>,
  edges: Edges,
): void {
  const shown = places.filter((p) => p.shown && p.found.alive);
  const tables = reader.readFiles(shown.map((p) => `/proc/${p.found.entry.run?.pid}/mountinfo`));
  shown.forEach(({ found, id }, i) => {
    const text = tables[i];
    const mounts = new Map(parseMountInfo(typeof text === 'string' ? text : '').map((m) => [m.target, m]));
    for (const [target, volume] of volumesIn(found.entry.label?.applied?.['mounts'])) {
      const mount = mounts.get(target);
      if (mount !== undefined) {
        const to = idOf(found.stack, `volume/${volume}`);
        nodes.set(to, plainNode(to, 'volume', volume, []));
        edges.add(id, to, 'mount', mount.options.includes('ro') ? 'ro' : 'rw');
      }
    }
  });
}

/** Targets and names of the volumes among applied mounts, 'volume rw,… NAME[/DIR]' each. */
function volumesIn(mounts: Value | undefined): Array<readonly [string, string]> {
  const entries = typeof mounts === 'object' && !Array.isArray(mounts) ? Object.entries(mounts) : [];
  return entries.flatMap(([target, text]) => {
    const name = /^volume \S+ ([^ /]+)/.exec(String(text))?.[1];
    return name === undefined ? [] : [[target, name] as const];
  });
}
