/**
 * A graph as a picture that is read like a table: one row for each cgroup and container, indented as the cgroup tree,
 * limits beside the name; one column for each namespace, volume and file that containers have, with a mark where a row
 * meets it; dependencies as lines in lanes on the right. Nothing can overlap, however large the stack.
 */
import { isRow, titleOf, treeOf, type EdgeKind, type Graph, type GraphEdge, type GraphNode } from './model.ts';

const ROW = 24;
const MARGIN = 20;
const COLUMN = 26;
const LANE = 16;
const INDENT = 18;
/** Width of a character of the font, px at 12 px. */
const CHAR = 7.25;
const LIMITS_MOST = 96;

const STYLE = `
text { font: 12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #1f2328; }
.back { fill: #ffffff; } .band { fill: #f3f5f8; } .title { font-weight: bold; font-size: 15px; }
.cgroup { font-weight: bold; } .quiet { fill: #59636e; } .guide { stroke: #c3c9d0; fill: none; }
.rule { stroke: #e1e5ea; } .box { fill: #dbeafe; stroke: #2563a8; } .folder { fill: #fbe9c3; stroke: #96690a; }
.ns { fill: #6b3fa0; stroke: #6b3fa0; } .own { fill: none; stroke: #6b3fa0; stroke-width: 2; }
.rw { fill: #0f766e; stroke: #0f766e; } .ro { fill: none; stroke: #0f766e; stroke-width: 2; }
.dep { stroke: #b4341c; fill: none; stroke-width: 1.5; } .tip { fill: #b4341c; }
.healthy { stroke-dasharray: 6 3; } .completed { stroke-dasharray: 2 3; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .back { fill: #0d1117; } .band { fill: #161d27; } .quiet { fill: #9aa5b1; }
  .guide { stroke: #4a5460; } .rule { stroke: #2b333d; } .box { fill: #14304f; stroke: #6cb0f5; }
  .folder { fill: #3d3114; stroke: #d9a93f; } .ns { fill: #b794f0; stroke: #b794f0; } .own { stroke: #b794f0; }
  .rw { fill: #4fd1c0; stroke: #4fd1c0; } .ro { stroke: #4fd1c0; } .dep { stroke: #ff8a70; } .tip { fill: #ff8a70; }
}`;

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}

function clipped(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

function label(x: number, y: number, text: string, style = '', more = ''): string {
  return `<text x="${round(x)}" y="${round(y)}"${style === '' ? '' : ` class="${style}"`}${more}>${escape(text)}</text>`;
}

const round = (n: number): number => Math.round(n * 10) / 10;

/** A column: what it is of, and the mark in each row. */
interface Column {
  readonly head: string;
  readonly marks: ReadonlyMap<
    string,
    { readonly style: string; readonly shape: 'round' | 'square'; readonly title: string }
  >;
}

function columnsOf(graph: Graph): Column[] {
  const columns = new Map<
    string,
    { head: string; marks: Map<string, { style: string; shape: 'round' | 'square'; title: string }> }
  >();
  const column = (key: string, head: string): typeof columns extends Map<string, infer C> ? C : never => {
    const found = columns.get(key) ?? { head, marks: new Map() };
    columns.set(key, found);
    return found;
  };
  const byId = new Map(graph.nodes.map((n) => [n.id, n]));
  for (const { from, to, kind, label: what } of graph.edges) {
    const target = byId.get(to);
    if (target === undefined || kind === 'depends_on') {
      continue;
    }
    if (kind === 'mount') {
      const { marks } = column(`1 ${to}`, to);
      marks.set(from, { style: what === 'ro' ? 'ro' : 'rw', shape: 'square', title: `${from} has ${to} (${what})` });
      continue;
    }
    for (const type of what.split(', ')) {
      const name = target.id.startsWith(`${target.kind}/`) ? target.id.slice(target.kind.length + 1) : target.label;
      const head = target.kind === 'container' ? `${type} of ${name}` : `${type} ${name}`;
      const { marks } = column(`0 ${to} ${type}`, head);
      if (isRow(target)) {
        marks.set(to, { style: 'own', shape: 'round', title: `${to}: its own ${type} namespace, shared` });
      }
      marks.set(from, { style: 'ns', shape: 'round', title: `${from} is in ${head}` });
    }
  }
  return [...columns].sort(([a], [b]) => (a[0] ?? '').localeCompare(b[0] ?? '')).map(([, c]) => c);
}

/** Dependencies on one container for one condition, drawn as one line. */
interface Lane {
  readonly to: string;
  readonly condition: string;
  readonly from: readonly string[];
  readonly top: number;
  readonly bottom: number;
  lane: number;
}

function lanesOf(edges: readonly GraphEdge[], rowOf: ReadonlyMap<string, number>): Lane[] {
  const groups = new Map<string, GraphEdge[]>();
  for (const edge of edges.filter((e) => e.kind === 'depends_on')) {
    const key = `${edge.to} ${edge.label}`;
    groups.set(key, [...(groups.get(key) ?? []), edge]);
  }
  const lanes: Lane[] = [...groups.values()].map((group) => {
    const rows = group.flatMap((e) => [rowOf.get(e.from) ?? 0, rowOf.get(e.to) ?? 0]);
    const [first] = group;
    return {
      to: first?.to ?? '',
      condition: first?.label ?? '',
      from: group.map((e) => e.from),
      top: Math.min(...rows),
      bottom: Math.max(...rows),
      lane: 0,
    };
  });
  // Short ones inside, so that long ones cross less; each in the first lane that is free along it.
  lanes.sort((a, b) => a.bottom - a.top - (b.bottom - b.top) || a.top - b.top);
  const taken: Lane[][] = [];
  for (const one of lanes) {
    let at = taken.findIndex((others) => others.every((o) => o.bottom < one.top || o.top > one.bottom));
    at = at < 0 ? taken.push([]) - 1 : at;
    taken[at]?.push(one);
    one.lane = at;
  }
  return lanes;
}

export function svgText(graph: Graph): string {
  const rows = treeOf(graph);
  const rowOf = new Map(rows.map(({ node }, i) => [node.id, i]));
  const columns = columnsOf(graph);
  const lanes = lanesOf(graph.edges, rowOf);
  const facts = rows.map(({ node }) => clipped([...node.notes, ...node.limits].join(' · '), LIMITS_MOST));
  const nameWidth = Math.max(12, ...rows.map(({ node, depth }) => depth * INDENT + 22 + node.label.length * CHAR));
  const factsWidth = Math.max(0, ...facts.map((f) => f.length * CHAR));
  const tableLeft = MARGIN + nameWidth + 18 + factsWidth + 22;
  const headSize = Math.max(0, ...columns.map((c) => c.head.length * CHAR));
  const headHeight = headSize * 0.71 + 14;
  const top = MARGIN + 26 + Math.max(headHeight, 12);
  const lanesLeft = tableLeft + columns.length * COLUMN + (lanes.length > 0 ? 14 : 0);
  const laneCount = Math.max(0, ...lanes.map((l) => l.lane + 1));
  const legend = legendOf(graph, lanes);
  const right = Math.max(lanesLeft + laneCount * LANE + 10, tableLeft + columns.length * COLUMN + headSize * 0.71);
  const width = Math.ceil(Math.max(right, MARGIN + legend.width) + MARGIN);
  const legendTop = top + rows.length * ROW + 22;
  const height = Math.ceil(legendTop + legend.height + MARGIN);
  const middle = (index: number): number => top + index * ROW + ROW / 2;
  const columnAt = (index: number): number => tableLeft + index * COLUMN + COLUMN / 2;
  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escape(titleOf(graph))}</title>`,
    `<style>${STYLE}\n</style>`,
    `<rect class="back" width="${width}" height="${height}"/>`,
    label(MARGIN, MARGIN + 12, titleOf(graph), 'title'),
  ];
  rows.forEach((_, i) => {
    if (i % 2 === 0) {
      out.push(
        `<rect class="band" x="${MARGIN / 2}" y="${round(middle(i) - ROW / 2)}" width="${width - MARGIN}" height="${ROW}"/>`,
      );
    }
  });
  columns.forEach((c, i) => {
    const x = round(columnAt(i));
    out.push(`<line class="rule" x1="${x}" y1="${round(top - 4)}" x2="${x}" y2="${round(top + rows.length * ROW)}"/>`);
    out.push(label(x + 4, top - 8, c.head, '', ` transform="rotate(-45 ${round(x + 4)} ${round(top - 8)})"`));
  });
  rows.forEach(({ node, depth }, i) =>
    out.push(...rowParts(node, depth, middle(i), facts[i] ?? '', MARGIN + nameWidth + 18)),
  );
  out.push(...guides(rows, middle));
  columns.forEach((c, i) => {
    for (const [id, mark] of c.marks) {
      const row = rowOf.get(id);
      if (row !== undefined) {
        out.push(markAt(columnAt(i), middle(row), mark.style, mark.shape, mark.title));
      }
    }
  });
  for (const lane of lanes) {
    out.push(...laneParts(lane, rowOf, middle, lanesLeft));
  }
  out.push(...legend.parts(MARGIN, legendTop));
  return `${[...out, '</svg>'].join('\n')}\n`;
}

function markAt(x: number, y: number, style: string, shape: 'round' | 'square', title: string): string {
  const tip = title === '' ? '' : `<title>${escape(title)}</title>`;
  return shape === 'round'
    ? `<circle class="${style}" cx="${round(x)}" cy="${round(y)}" r="5">${tip}</circle>`
    : `<rect class="${style}" x="${round(x - 4.5)}" y="${round(y - 4.5)}" width="9" height="9">${tip}</rect>`;
}

function iconAt(x: number, y: number, kind: 'cgroup' | 'container'): string {
  return kind === 'cgroup'
    ? `<path class="folder" d="M${round(x)} ${round(y + 5)}v-10h5l2 2h6v8z"/>`
    : `<rect class="box" x="${round(x)}" y="${round(y - 5)}" width="12" height="10" rx="2"/>`;
}

function rowParts(node: GraphNode, depth: number, y: number, facts: string, factsLeft: number): string[] {
  const x = MARGIN + depth * INDENT;
  const full = [node.id, ...node.notes, ...node.limits].join('\n');
  return [
    `<g><title>${escape(full)}</title>`,
    iconAt(x, y, node.kind === 'cgroup' ? 'cgroup' : 'container'),
    label(x + 19, y + 4, node.label, node.kind === 'cgroup' ? 'cgroup' : ''),
    ...(facts === '' ? [] : [label(factsLeft, y + 4, facts, 'quiet')]),
    '</g>',
  ];
}

/** Lines from each cgroup down to what is in it. */
function guides(rows: ReturnType<typeof treeOf>, middle: (index: number) => number): string[] {
  return rows.flatMap(({ node }, i) => {
    const below = rows.flatMap((r, j) => (r.node.parent === node.id ? [j] : []));
    const last = below.at(-1);
    if (last === undefined) {
      return [];
    }
    const x = MARGIN + (rows[i]?.depth ?? 0) * INDENT + 6;
    const branches = below.map((j) => `M${round(x)} ${round(middle(j))}h${INDENT - 8}`).join('');
    return [`<path class="guide" d="M${round(x)} ${round(middle(i) + 7)}V${round(middle(last))}${branches}"/>`];
  });
}

function laneParts(
  lane: Lane,
  rowOf: ReadonlyMap<string, number>,
  middle: (index: number) => number,
  left: number,
): string[] {
  const x = left + lane.lane * LANE + LANE;
  const to = middle(rowOf.get(lane.to) ?? 0) - 3;
  const branches = lane.from.map(
    (f) => `M${round(left - 4)} ${round(middle(rowOf.get(f) ?? 0) + 4)}H${round(x)}V${round(to)}`,
  );
  const title = `${lane.from.length > 3 ? `${lane.from.length} containers` : lane.from.join(', ')} start after ${lane.to}${lane.condition === '' ? '' : ` (${lane.condition})`}`;
  return [
    `<g><title>${escape(title)}</title>`,
    `<path class="${`dep ${lane.condition}`.trimEnd()}" d="${branches.join('')}M${round(x)} ${round(to)}H${round(left + 2)}"/>`,
    `<path class="tip" d="M${round(left - 6)} ${round(to)}l9 -4v8z"/>`,
    '</g>',
  ];
}

/** What a line to a container says; of what runs nobody knows the condition. */
const CONDITIONS: Readonly<Record<string, string>> = {
  '': 'started after it',
  started: 'starts after it has started',
  healthy: 'starts after it has become healthy',
  completed: 'starts after it has completed',
};

/** Explains the marks that the picture has. */
function legendOf(
  graph: Graph,
  lanes: readonly Lane[],
): { width: number; height: number; parts: (x: number, y: number) => string[] } {
  const has = (kind: EdgeKind, what?: string): boolean =>
    graph.edges.some((e) => e.kind === kind && (what === undefined || e.label === what));
  const icons = (['cgroup', 'container'] as const).filter((kind) => graph.nodes.some((n) => n.kind === kind));
  const items: { readonly text: string; readonly draw: (x: number, y: number) => string }[] = icons.map((kind) => ({
    text: kind,
    draw: (x, y) => iconAt(x, y, kind),
  }));
  const owners = graph.edges.some((e) => e.kind === 'namespace' && e.to.startsWith('container/'));
  if (has('namespace')) {
    items.push({ text: 'in this namespace', draw: (x, y) => markAt(x + 6, y, 'ns', 'round', '') });
  }
  if (owners) {
    items.push({ text: 'whose namespace it is', draw: (x, y) => markAt(x + 6, y, 'own', 'round', '') });
  }
  if (has('mount', 'rw')) {
    items.push({ text: 'reads and writes it', draw: (x, y) => markAt(x + 6, y, 'rw', 'square', '') });
  }
  if (has('mount', 'ro')) {
    items.push({ text: 'reads it', draw: (x, y) => markAt(x + 6, y, 'ro', 'square', '') });
  }
  for (const condition of Object.keys(CONDITIONS).filter((c) => lanes.some((l) => l.condition === c))) {
    items.push({
      text: CONDITIONS[condition] ?? '',
      draw: (x, y) => `<path class="${`dep ${condition}`.trimEnd()}" d="M${round(x - 2)} ${round(y)}h18"/>`,
    });
  }
  const step = Math.max(0, ...items.map((i) => i.text.length)) * CHAR + 40;
  const columns = Math.max(1, Math.min(items.length, 3));
  return {
    width: columns * step,
    height: Math.ceil(items.length / columns) * 20,
    parts: (x, y) =>
      items.flatMap((item, i) => {
        const left = x + (i % columns) * step;
        const line = y + Math.floor(i / columns) * 20 + 6;
        return [item.draw(left, line), label(left + 22, line + 4, item.text, 'quiet')];
      }),
  };
}
