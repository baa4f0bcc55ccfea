/** Graphs for other programs: graphviz's dot and mermaid's flowcharts. */
import { isRow, type EdgeKind, type Graph, type GraphNode, type NodeKind } from './model.ts';

const DOT_SHAPES: Readonly<Record<NodeKind, string>> = {
  cgroup: 'shape=folder',
  container: 'shape=box, color="#2563a8", fillcolor="#dbeafe"',
  namespace: 'shape=hexagon, color="#6b3fa0", fillcolor="#efe7f9"',
  volume: 'shape=cylinder, color="#0f766e", fillcolor="#dcf5f1"',
  secret: 'shape=note, color="#0f766e"',
  config: 'shape=note, color="#0f766e"',
  outside: 'shape=oval, style="filled,dashed"',
};

const DOT_STYLES: Readonly<Record<EdgeKind, string>> = {
  namespace: 'dir=none, style=bold, color="#6b3fa0"',
  depends_on: 'style=solid, color="#b4341c"',
  mount: 'style=dashed, color="#0f766e"',
};

/** A quoted string of the language; \n stays a line break. */
function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}

function lines(node: GraphNode): string {
  return [node.label, ...node.notes, ...node.limits].join('\n');
}

/** One digraph, cgroups as clusters. */
export function dotText(graph: Graph): string {
  const out = [
    `digraph ${quoted(graph.stack ?? 'all stacks')} {`,
    '  rankdir=LR; compound=true; newrank=true;',
    '  graph [fontname="Helvetica", fontsize=11, labeljust=l, color="#96690a", bgcolor=white];',
    '  node [fontname="Helvetica", fontsize=11, style=filled, fillcolor=white];',
    '  edge [fontname="Helvetica", fontsize=9, arrowsize=0.7];',
  ];
  const add = (parent: string | null, indent: string): void => {
    for (const node of graph.nodes.filter((n) => isRow(n) && n.parent === parent)) {
      if (node.kind === 'cgroup') {
        out.push(`${indent}subgraph ${quoted(`cluster_${node.id}`)} {`);
        out.push(`${indent}  label=${quoted(lines(node))}; style=rounded;`);
        out.push(`${indent}  ${quoted(node.id)} [shape=point, style=invis];`);
        add(node.id, `${indent}  `);
        out.push(`${indent}}`);
      } else {
        out.push(`${indent}${quoted(node.id)} [${DOT_SHAPES.container}, label=${quoted(lines(node))}];`);
      }
    }
  };
  add(null, '  ');
  for (const node of graph.nodes.filter((n) => !isRow(n))) {
    out.push(`  ${quoted(node.id)} [${DOT_SHAPES[node.kind]}, label=${quoted(lines(node))}];`);
  }
  for (const { from, to, kind, label } of graph.edges) {
    out.push(`  ${quoted(from)} -> ${quoted(to)} [${DOT_STYLES[kind]}, label=${quoted(label)}];`);
  }
  return `${[...out, '}'].join('\n')}\n`;
}

const MERMAID_SHAPES: Readonly<Record<NodeKind, readonly [string, string]>> = {
  cgroup: ['[', ']'],
  container: ['[', ']'],
  namespace: ['{{', '}}'],
  volume: ['[(', ')]'],
  secret: ['>', ']'],
  config: ['>', ']'],
  outside: ['([', '])'],
};

const MERMAID_ARROWS: Readonly<Record<EdgeKind, string>> = { namespace: '===', depends_on: '-->', mount: '-.->' };

/** Text of a node or an edge; mermaid writes what would end it as #codes;. */
function mermaidText(text: string): string {
  return `"${text.replace(/["#;<>&]/g, (c) => `#${c.charCodeAt(0)};`).replaceAll('\n', '<br/>')}"`;
}

/** A flowchart, cgroups as subgraphs. */
export function mermaidChart(graph: Graph): string {
  const names = new Map(graph.nodes.map((n, i) => [n.id, `n${i}`]));
  const out = ['flowchart LR'];
  const add = (parent: string | null, indent: string): void => {
    for (const node of graph.nodes.filter((n) => isRow(n) && n.parent === parent)) {
      const name = names.get(node.id) ?? '';
      if (node.kind === 'cgroup') {
        // Its title has one line: more of them lie over what is inside.
        out.push(`${indent}subgraph ${name}[${mermaidText(lines(node).replaceAll('\n', ' · '))}]`);
        add(node.id, `${indent}  `);
        out.push(`${indent}end`);
      } else {
        out.push(`${indent}${name}[${mermaidText(lines(node))}]`);
      }
    }
  };
  add(null, '  ');
  for (const node of graph.nodes.filter((n) => !isRow(n))) {
    const [open, close] = MERMAID_SHAPES[node.kind];
    out.push(`  ${names.get(node.id) ?? ''}${open}${mermaidText(lines(node))}${close}`);
  }
  for (const { from, to, kind, label } of graph.edges) {
    const text = label === '' ? '' : `|${mermaidText(label)}|`;
    out.push(`  ${names.get(from) ?? ''} ${MERMAID_ARROWS[kind]}${text} ${names.get(to) ?? ''}`);
  }
  return `${out.join('\n')}\n`;
}
