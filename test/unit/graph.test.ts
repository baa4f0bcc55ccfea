/** Graphs of stacks: the same text each time, and a picture in which nothing lies over anything else. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { declaredGraph } from '../../src/cli/graph-model.ts';
import { graphJson, type Graph } from '../../src/report/graph/model.ts';
import { svgText } from '../../src/report/graph/svg.ts';
import { dotText, mermaidChart } from '../../src/report/graph/text-formats.ts';
import { loadStack } from '../../src/stack/index.ts';
import { parseDot } from '../support/dot.ts';
import { repository } from '../support/sandbox.ts';

function graphOf(text: string): Graph {
  return declaredGraph(loadStack(['x.yaml'], { env: {}, texts: new Map([['x.yaml', text]]) }));
}

const POD = graphOf(`
tsbox: 1
name: pod
cgroups: { team: { memory: { max: 256MiB }, children: { api: { cpu: { max: 150% } } } } }
namespaces: { bus: { type: ipc } }
volumes: { data: {} }
secrets: { key: { content: "x" } }
containers:
  db:
    command: [sleep, infinity]
    cgroup: team/api
    namespaces: { ipc: bus }
    mounts: [{ volume: data, target: /d }]
  "web":
    command: [sleep, infinity]
    cgroup: team
    namespaces: { net: container/db, ipc: bus, pid: host }
    depends_on: [db]
    mounts: [{ volume: data, target: /d, readonly: true }]
    secrets: [key]
`);

const FORMATS = { svg: svgText, dot: dotText, mmd: mermaidChart, json: graphJson } as const;

for (const [ending, render] of Object.entries(FORMATS)) {
  test(`golden: ${ending}`, () => {
    const directory = join(repository(), 'test', 'golden', 'graph');
    const file = join(directory, `pod.${ending}`);
    const text = render(POD);
    if (process.env['UPDATE'] === '1') {
      mkdirSync(directory, { recursive: true });
      writeFileSync(file, text);
    }
    assert.fixture(text, readFileSync(file, 'utf8'));
    assert.is(render(POD), text, 'the same each time');
  });
}

test('what the graph says', () => {
  const edges = POD.edges.map((e) => `${e.from} ${e.kind} ${e.to} ${e.label}`);
  assert.equal(edges.sort(), [
    'container/db mount volume/data rw',
    'container/db namespace namespace/bus ipc',
    'container/web depends_on container/db started',
    'container/web mount secret/key ro',
    'container/web mount volume/data ro',
    'container/web namespace container/db net',
    'container/web namespace host pid',
    'container/web namespace namespace/bus ipc',
  ]);
  const limits = POD.nodes.find((n) => n.id === 'cgroup/team/api')?.limits;
  assert.equal(limits, ['cpu.max 150%']);
});

test('a stack of 40: each text of the table has a line of its own and ends before the next column', () => {
  const containers = Array.from({ length: 40 }, (_, i) => {
    const on = i === 0 ? '' : `, depends_on: [c${Math.floor(i / 2)}]`;
    return `  c${i}: { command: [sleep, "1"], memory: { max: ${i + 1}MiB }, namespaces: { ipc: bus }${on} }`;
  });
  const svg = svgText(
    graphOf(`tsbox: 1\nname: many\nnamespaces: { bus: { type: ipc } }\ncontainers:\n${containers.join('\n')}\n`),
  );
  const texts = [...svg.matchAll(/<text x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</g)].map((m) => ({
    x: Number(m[1]),
    y: Number(m[2]),
    end: Number(m[1]) + (m[3] ?? '').replace(/&#\d+;/g, 'x').length * 7.25,
    turned: m[0].includes('rotate'),
  }));
  const flat = texts.filter((t) => !t.turned);
  assert.ok(flat.length > 80);
  for (const a of flat) {
    const over = flat.filter((b) => a !== b && Math.abs(a.y - b.y) < 14 && a.x < b.end && b.x < a.end);
    assert.equal(over, []);
  }
  const width = Number(/ width="(\d+)"/.exec(svg)?.[1]);
  assert.ok(texts.every((t) => t.turned || t.end <= width));
});

test('text of a stack cannot leave its place', () => {
  const graph: Graph = {
    stack: 'a"b<c',
    nodes: [{ id: 'container/x', kind: 'container', label: '<b>"];\\', parent: null, limits: ['a\nb'], notes: [] }],
    edges: [],
  };
  assert.not.match(svgText(graph), /<b>/);
  assert.match(dotText(graph), 'label="<b>\\"];\\\\\\na\\nb"');
  assert.match(mermaidChart(graph), '["#60;b#62;#34;]#59;\\<br/>a<br/>b"]');
});

test('dot is of the language, whatever the names and texts', () => {
  const nasty = ['a"b', 'c\\', 'd\\"e', 'f\ng', '-> {', '];', '<b>h</b>', 'é 日本', 'graph', '//x', ''];
  const graph: Graph = {
    stack: 'x" } y',
    nodes: nasty.flatMap((text, i): Graph['nodes'] => [
      { id: `cgroup/${text}`, kind: 'cgroup', label: text, parent: null, limits: [text], notes: [] },
      { id: text, kind: 'container', label: text, parent: `cgroup/${text}`, limits: [], notes: [text] },
      { id: `v${i}`, kind: 'volume', label: text, parent: null, limits: [], notes: [] },
    ]),
    edges: nasty.map((text, i) => ({ from: text, to: `v${i}`, kind: 'mount', label: text })),
  };
  const read = parseDot(dotText(graph));
  const written = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  assert.is(read.name, 'x" } y');
  assert.equal(
    read.edges,
    nasty.map((text, i) => [written(text), `v${i}`]),
  );
  assert.equal(
    read.clusters,
    nasty.map((text) => `cluster_cgroup/${written(text)}`),
  );
  assert.ok(nasty.every((text) => read.labels.includes(written(`${text}\n${text}`))));
  const ids = new Set(read.nodes);
  assert.ok(read.edges.every(([from, to]) => ids.has(from) && ids.has(to)));
  assert.throws(() => parseDot('digraph "a" { "b" [label="c"d"]; }'), /no token/);
});

test('dot of the example stacks', () => {
  const directory = join(repository(), 'stacks');
  for (const file of readdirSync(directory).filter((f) => f.endsWith('.yaml') && !f.endsWith('.test.yaml'))) {
    const graph = declaredGraph(loadStack([join(directory, file)], { env: {} }));
    const read = parseDot(dotText(graph));
    assert.is(read.nodes.length, graph.nodes.length, file);
    assert.is(read.edges.length, graph.edges.length, file);
  }
});

test.run();
