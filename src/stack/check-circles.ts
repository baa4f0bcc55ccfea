/** Containers that wait for each other: by namespaces they share and by depends_on. */
import { NAMESPACE_TYPES } from '../kernel/init-spec.ts';
import type { ContainerSpec } from '../resources/container/schema.ts';
import type { Path } from './build.ts';
import { dependencyPath, lineOf, report, usePath } from './checking.ts';
import { membersOf } from './replicas.ts';
import type { Checking } from './checking.ts';

interface Edge {
  readonly from: string;
  readonly to: string;
  /** Where `from` says so, within the container; several when it does so in several ways. */
  readonly paths: Path[];
}

/** Circles told about; a few are enough to see the knot. */
const TOLD = 20;

function edgesOf(checking: Checking, container: ContainerSpec): Edge[] {
  const edges = new Map<string, Edge>();
  const from = container.name;
  const add = (to: string, path: Path): void => {
    const edge = edges.get(to) ?? { from, to, paths: [] };
    edge.paths.push(path);
    edges.set(to, edge);
  };
  for (const type of NAMESPACE_TYPES) {
    const use = container.namespaces[type];
    const own = use.kind === 'container' && (use.stack === null || use.stack === checking.items.name);
    if (own && use.name !== from) {
      const path = usePath(checking, from, type);
      if (path[0] !== 'share' || edges.get(use.name)?.paths.some((p) => p[0] === 'share') !== true) {
        add(use.name, path);
      }
    }
  }
  Object.keys(container.dependsOn).forEach((to, index) => {
    // Replicas are alike: where a circle leads through one of them, it leads through the first.
    add(membersOf(checking.items.replicas, to)[0] ?? to, dependencyPath(checking, `container/${from}`, to, index));
  });
  return [...edges.values()];
}

/** One error per circle, at its first edge in the file's order, with the whole chain. Iterative: chains may be long. */
export function checkCircles(checking: Checking): void {
  const edges = new Map([...checking.items.containers.values()].map((c) => [c.name, edgesOf(checking, c)]));
  const finished = new Set<string>();
  let told = 0;
  for (const start of edges.keys()) {
    if (finished.has(start)) {
      continue;
    }
    const trail: { readonly name: string; readonly left: Edge[]; readonly by: Edge | undefined }[] = [];
    const onTrail = new Map<string, number>();
    const enter = (name: string, by: Edge | undefined): void => {
      onTrail.set(name, trail.length);
      trail.push({ name, left: [...(edges.get(name) ?? [])], by });
    };
    enter(start, undefined);
    while (trail.length > 0) {
      const here = trail.at(-1) as (typeof trail)[number];
      const edge = here.left.shift();
      if (edge === undefined) {
        finished.add(here.name);
        onTrail.delete(here.name);
        trail.pop();
        continue;
      }
      const at = onTrail.get(edge.to);
      if (at !== undefined && told++ < TOLD) {
        const chain = trail.slice(at + 1).flatMap((step) => (step.by === undefined ? [] : [step.by]));
        tell(checking, [...chain, edge]);
      } else if (at === undefined && !finished.has(edge.to) && edges.has(edge.to)) {
        enter(edge.to, edge);
      }
    }
  }
}

function tell(checking: Checking, circle: readonly Edge[]): void {
  const first = circle[0] as Edge;
  const path = first.paths[0] as Path;
  const address = `container/${first.from}`;
  if (circle.length === 1) {
    report(checking, 'TSB1005', address, path, `container '${first.from}' waits for itself`, 'other containers');
    return;
  }
  const words = shortened(
    circle.map(
      (edge) => `${edge.from} → ${edge.to}: ${edge.paths.map((p) => reason(checking, edge.from, p)).join(', ')}`,
    ),
  );
  const names = shortened([first.from, ...circle.map((edge) => edge.to)]);
  const message = `containers wait for each other in a circle: ${names.join(' → ')}\n${words.join('\n')}`;
  report(checking, 'TSB1005', address, path, message, undefined, 'remove one of these references');
}

/** The ends of a long list. */
function shortened(parts: readonly string[]): readonly string[] {
  return parts.length <= 16 ? parts : [...parts.slice(0, 10), `… ${parts.length - 15} more …`, ...parts.slice(-5)];
}

/** 'namespaces.net (stack.yaml:12)'. */
function reason(checking: Checking, from: string, path: Path): string {
  const name = path.filter((step, index) => !(path[0] === 'depends_on' && index > 0)).join('.');
  return `${name} (${lineOf(checking, `container/${from}`, path)})`;
}
