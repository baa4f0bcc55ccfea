/** The graph of a stack as its files say it. */
import { NAMESPACE_TYPES, type NamespaceType } from '../kernel/init-spec.ts';
import type { Graph, GraphNode } from '../report/graph/model.ts';
import type { ContainerSpec } from '../resources/container/schema.ts';
import type { NamespaceUse } from '../resources/namespace/schema.ts';
import type { Stack } from '../stack/types.ts';
import { Edges, HOST_ANYWAY, limitsText, plainNode } from './graph-parts.ts';

function useTarget(
  use: NamespaceUse,
  type: NamespaceType,
): { id: string; label: string; outside: boolean } | undefined {
  switch (use.kind) {
    case 'new':
      return undefined;
    case 'host':
      return HOST_ANYWAY.includes(type) ? undefined : { id: 'host', label: 'of the host', outside: true };
    case 'declared':
      return { id: `namespace/${use.name}`, label: use.name, outside: false };
    case 'container':
      return use.stack === null
        ? { id: `container/${use.name}`, label: use.name, outside: false }
        : { id: `container/${use.stack}:${use.name}`, label: `of ${use.stack}:${use.name}`, outside: true };
    case 'pid':
      return { id: `pid:${use.pid}`, label: `of process ${use.pid}`, outside: true };
    case 'path':
      return { id: `path:${use.path}`, label: use.path, outside: true };
  }
}

export function declaredGraph(stack: Stack): Graph {
  const nodes: GraphNode[] = [];
  const edges = new Edges();
  const outside = new Map<string, GraphNode>();
  for (const spec of stack.cgroups.values()) {
    const above = spec.path.includes('/') ? `cgroup/${spec.path.slice(0, spec.path.lastIndexOf('/'))}` : null;
    nodes.push({
      id: `cgroup/${spec.path}`,
      kind: 'cgroup',
      label: spec.name,
      parent: above,
      limits: limitsText(spec.knobs),
      notes: spec.location === null ? [] : [`adopts ${spec.location}`],
    });
  }
  for (const spec of stack.containers.values()) {
    nodes.push({
      id: `container/${spec.name}`,
      kind: 'container',
      label: spec.name,
      parent: spec.cgroup === null ? null : `cgroup/${spec.cgroup}`,
      limits: limitsText(spec.knobs),
      notes: [],
    });
    containerEdges(spec, edges, outside);
  }
  for (const spec of stack.namespaces.values()) {
    nodes.push(plainNode(`namespace/${spec.name}`, 'namespace', spec.name, [spec.type]));
  }
  for (const [section, kind] of [
    ['volumes', 'volume'],
    ['secrets', 'secret'],
    ['configs', 'config'],
  ] as const) {
    for (const name of stack[section].keys()) {
      nodes.push(plainNode(`${kind}/${name}`, kind, name, []));
    }
  }
  return { stack: stack.name, nodes: [...nodes, ...outside.values()], edges: edges.list() };
}

function containerEdges(spec: ContainerSpec, edges: Edges, outside: Map<string, GraphNode>): void {
  const from = `container/${spec.name}`;
  for (const type of NAMESPACE_TYPES) {
    const target = useTarget(spec.namespaces[type], type);
    if (target !== undefined) {
      edges.add(from, target.id, 'namespace', type);
      if (target.outside) {
        outside.set(target.id, plainNode(target.id, 'outside', target.label, []));
      }
    }
  }
  for (const [name, condition] of Object.entries(spec.dependsOn)) {
    edges.add(from, `container/${name}`, 'depends_on', condition);
  }
  for (const mount of spec.mounts) {
    if (mount.kind === 'volume') {
      edges.add(from, `volume/${mount.volume}`, 'mount', mount.readonly === false ? 'rw' : 'ro');
    }
  }
  for (const [section, kind] of [
    ['secrets', 'secret'],
    ['configs', 'config'],
  ] as const) {
    for (const use of spec[section]) {
      edges.add(from, `${kind}/${use.source}`, 'mount', 'ro');
    }
  }
}
