/** What a graph of a stack shows: resources, and what holds them together. */

export type NodeKind = 'cgroup' | 'container' | 'namespace' | 'volume' | 'secret' | 'config' | 'outside';

export interface GraphNode {
  /** Its address; 'host', 'pid:4711' and the like for what is no resource of the stack. */
  readonly id: string;
  readonly kind: NodeKind;
  readonly label: string;
  /** The cgroup it is in; null at the top of the stack. */
  readonly parent: string | null;
  /** 'memory.max 256 MiB', in the order of the kernel's files. */
  readonly limits: readonly string[];
  /** What else is said of it: its type, how it runs. */
  readonly notes: readonly string[];
}

/** namespace: lives in one of it, depends_on: starts after it, mount: has its files. */
export type EdgeKind = 'namespace' | 'depends_on' | 'mount';

export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  readonly kind: EdgeKind;
  /** Types of namespaces, the condition ('' where it is not known), or rw and ro. */
  readonly label: string;
}

export interface Graph {
  /** null: all stacks of the machine. */
  readonly stack: string | null;
  /** From the kernel, not from a file. */
  readonly live?: true;
  /** Containers and cgroups as a tree, parents first; then everything else. */
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

/** What the graph is of, for people. */
export function titleOf({ stack, live }: Graph): string {
  return `${stack === null ? 'All stacks' : `Stack ${stack}`}${live !== true ? '' : stack === null ? ', as they run' : ', as it runs'}`;
}

export function graphJson(graph: Graph): string {
  return `${JSON.stringify({ format_version: '1.0', ...graph }, null, 2)}\n`;
}

/** Nodes below a parent in their order, depth first. */
export function treeOf(graph: Graph): { readonly node: GraphNode; readonly depth: number }[] {
  const rows: { node: GraphNode; depth: number }[] = [];
  const add = (parent: string | null, depth: number): void => {
    const below = graph.nodes.filter((n) => isRow(n) && n.parent === parent);
    for (const node of [...below.filter((n) => n.kind === 'container'), ...below.filter((n) => n.kind === 'cgroup')]) {
      rows.push({ node, depth });
      if (node.kind === 'cgroup') {
        add(node.id, depth + 1);
      }
    }
  };
  add(null, 0);
  return rows;
}

export function isRow(node: GraphNode): boolean {
  return node.kind === 'cgroup' || node.kind === 'container';
}
