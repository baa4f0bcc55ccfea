/** What graphs of stacks and of what runs are made from. */
import type { NamespaceType } from '../kernel/init-spec.ts';
import type { EdgeKind, GraphEdge, GraphNode } from '../report/graph/model.ts';
import { humanValue } from '../report/values.ts';
import type { KnobValue } from '../resources/cgroup/knob.ts';
import { KNOBS } from '../resources/cgroup/registry.ts';

/** Types of which a container that says nothing has the host's. */
export const HOST_ANYWAY: readonly NamespaceType[] = ['user', 'time'];

/** Edges, with the labels of several of a kind put together. */
export class Edges {
  readonly #labels = new Map<string, { from: string; to: string; kind: EdgeKind; labels: Set<string> }>();

  add(from: string, to: string, kind: EdgeKind, label: string): void {
    const key = `${from} ${to} ${kind}`;
    const edge = this.#labels.get(key) ?? { from, to, kind, labels: new Set<string>() };
    this.#labels.set(key, edge);
    edge.labels.add(label);
  }

  list(): GraphEdge[] {
    return [...this.#labels.values()].map(({ from, to, kind, labels }) => ({
      from,
      to,
      kind,
      label: [...labels].join(', '),
    }));
  }
}

/** 'memory.max 256 MiB' for each, in the order of the kernel's files. */
export function limitsText(knobs: Readonly<Record<string, KnobValue>>): string[] {
  const order = KNOBS.filter((k) => knobs[k.name] !== undefined);
  return order.map((knob) => {
    const value = knobs[knob.name] as KnobValue;
    const one = (text: string): string => humanValue(text, knob.unit) ?? text;
    const text =
      typeof value === 'string'
        ? one(value)
        : Object.entries(value)
            .map(([k, v]) => `${k} ${one(v)}`)
            .join(', ');
    return `${knob.name} ${text}`;
  });
}

/** A node that stands in no tree. */
export function plainNode(id: string, kind: GraphNode['kind'], label: string, notes: readonly string[]): GraphNode {
  return { id, kind, label, parent: null, limits: [], notes };
}
