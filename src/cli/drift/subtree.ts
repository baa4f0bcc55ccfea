/** Everything that is below the cgroup of a stack, in any hierarchy, whoever made it, and how much of it is the stack's. */
import { MAX_DIRECTORIES, type KernelReader } from '../../kernel/reader.ts';
import { parsePids } from '../../kernel/proc.ts';
import type { Plan } from '../../planner/plan.ts';
import type { Coverage } from '../../report/drift/coverage.ts';
import { directoryIn, isBelow, type StackScope } from '../../resources/scope.ts';

/** Directories by their path below the stack's, '' for its own; one for each hierarchy that has it. */
export type Subtree = ReadonlyMap<string, readonly string[]>;

export function readSubtree(reader: KernelReader, scope: StackScope): Subtree {
  const found = new Map<string, string[]>();
  for (const h of reader.layout.hierarchies) {
    const root = directoryIn(h.mount, reader.settings.cgroupRoot, scope.stack);
    const walked = reader.walkDirs(root, MAX_DIRECTORIES);
    for (const { path } of Array.isArray(walked) ? walked : []) {
      found.set(path, [...(found.get(path) ?? []), path === '' ? root : `${root}/${path}`]);
    }
  }
  return found;
}

/** Processes by path, each where it is in any hierarchy. */
export function processesOf(
  reader: KernelReader,
  subtree: Subtree,
  paths: readonly string[],
): ReadonlyMap<string, ReadonlySet<number>> {
  const directories = paths.flatMap((path) => (subtree.get(path) ?? []).map((dir) => ({ path, dir })));
  const texts = reader.readFiles(directories.map(({ dir }) => `${dir}/cgroup.procs`));
  const found = new Map(paths.map((path) => [path, new Set<number>()]));
  directories.forEach(({ path }, i) => {
    const text = texts[i];
    (typeof text === 'string' ? parsePids(text) : []).forEach((pid) => found.get(path)?.add(pid));
  });
  return found;
}

/** Paths with a container's label: what is below them is the container's. */
export function leavesOf(scope: StackScope): ReadonlySet<string> {
  const leaves = [...scope.entries.values()].filter((e) => e.label?.address.startsWith('container/') === true);
  return new Set(leaves.map((e) => e.path));
}

/** Supervisors and the list of adopted cgroups: ours by their name, which no stack can declare. */
export function isHelper(path: string): boolean {
  return path.startsWith('_');
}

/** A directory below our root that is no stack: nothing in it says whose it is. */
export function isNobodys(scope: StackScope): boolean {
  return scope.byAddress.size + scope.namespaces.size + scope.known.size + scope.foreign.length === 0;
}

/** Null where the plan is not of the whole stack, or its labels cannot be seen. */
export function coverageOf(reader: KernelReader, plan: Plan, scope: StackScope, subtree: Subtree): Coverage | null {
  if (!plan.complete || scope.blind) {
    return null;
  }
  const leaves = leavesOf(scope);
  const paths = [...subtree.keys()];
  const counted = paths.filter((p) => (p !== '' || isNobodys(scope)) && !isBelow(p, leaves));
  const managed = counted.filter((p) => isHelper(p) || scope.entries.get(p)?.label !== undefined);
  const homes = paths.filter((p) => isHelper(p) || leaves.has(p) || isBelow(p, leaves));
  const evicted = plan.changes.flatMap((c) =>
    c.extras.flatMap((e) => e.steps.flatMap((s) => (s.op === 'evict' ? s.pids : []))),
  );
  const processes = processesOf(reader, subtree, paths);
  const together = (of: readonly string[]): Set<number> => new Set(of.flatMap((p) => [...(processes.get(p) ?? [])]));
  const all = together(paths);
  const strange = new Set(evicted);
  const own = [...together(homes)].filter((pid) => !strange.has(pid));
  return {
    cgroups: { managed: managed.length, total: counted.length },
    processes: { managed: own.length, total: all.size },
  };
}
