/** Reading knobs, hierarchies and members of many cgroups in one batch each. */
import type { KernelReader } from '../../kernel/reader.ts';
import { parsePids } from '../../kernel/proc.ts';
import type { Value } from '../attribute.ts';
import { directoryIn } from '../scope.ts';
import { knobAccess } from './access.ts';
import { KNOB_BY_NAME } from './registry.ts';

export interface KnobQuery {
  /** Path below the stack's directory. */
  readonly path: string;
  /** Knob names to read, with the values under which a rounded reading counts as unchanged (declared, last applied). */
  readonly knobs: ReadonlyMap<string, readonly Value[]>;
}

/** Canonical live value of each queried knob, by query; a file that is absent gives undefined. */
export function observeKnobs(
  reader: KernelReader,
  stack: string,
  queries: readonly KnobQuery[],
): Array<Record<string, string | undefined>> {
  const paths: string[] = [];
  for (const query of queries) {
    for (const name of query.knobs.keys()) {
      const knob = KNOB_BY_NAME.get(name);
      const access = knob === undefined ? undefined : knobAccess(reader.layout, knob);
      if (access !== undefined) {
        const dir = directoryIn(access.hierarchy.mount, reader.settings.cgroupRoot, stack, query.path);
        paths.push(...access.files.files.map((f) => `${dir}/${f}`));
      }
    }
  }
  const texts = reader.readFiles(paths);
  const byOther = frozenByV1(reader, stack, queries);
  let next = 0;
  return queries.map((query, at) => {
    const live: Record<string, string | undefined> = {};
    for (const [name, candidates] of query.knobs) {
      const knob = KNOB_BY_NAME.get(name);
      const access = knob === undefined ? undefined : knobAccess(reader.layout, knob);
      if (access === undefined) {
        continue;
      }
      const own = access.files.files.map(() => {
        const text = texts[next++];
        return typeof text === 'string' ? text : undefined;
      });
      const value = access.files.parse(own);
      const normalise = access.files.normalise ?? ((v: string): string => v);
      const unrounded = candidates.find((c) => typeof c === 'string' && normalise(c) === value);
      live[name] = typeof unrounded === 'string' ? unrounded : value;
      if (name === FREEZE && byOther[at] === true) {
        live[name] = '1';
      }
    }
    return live;
  });
}

const FREEZE = 'cgroup.freeze';

/** On a hybrid machine both versions can freeze; we use v2, and somebody else may have used v1. */
function frozenByV1(reader: KernelReader, stack: string, queries: readonly KnobQuery[]): boolean[] {
  const freezer = reader.layout.byController.get('freezer');
  if (reader.layout.primary?.version !== 2 || freezer?.version !== 1) {
    return [];
  }
  const asked = queries.map((q) => q.knobs.has(FREEZE));
  const texts = reader.readFiles(
    queries
      .filter((_, i) => asked[i])
      .map((q) => `${directoryIn(freezer.mount, reader.settings.cgroupRoot, stack, q.path)}/freezer.self_freezing`),
  );
  let next = 0;
  return asked.map((wanted) => {
    const text = wanted ? texts[next++] : undefined;
    return typeof text === 'string' && text.trim() === '1';
  });
}

/** Names of the hierarchies in which each cgroup has its directory. */
export function observeHierarchies(reader: KernelReader, stack: string, paths: readonly string[]): string[][] {
  const hierarchies = reader.layout.hierarchies;
  const all = paths.flatMap((path) =>
    hierarchies.map((h) => directoryIn(h.mount, reader.settings.cgroupRoot, stack, path)),
  );
  const stats = reader.stats(all);
  return paths.map((_, i) =>
    hierarchies.filter((__, j) => typeof stats[i * hierarchies.length + j] !== 'number').map((h) => h.name),
  );
}

/** Pids found in each cgroup itself (not below), with the hierarchies they are in. */
export function observeMembers(
  reader: KernelReader,
  stack: string,
  paths: readonly string[],
): Array<Map<number, string[]>> {
  const hierarchies = reader.layout.hierarchies;
  const files = paths.flatMap((path) =>
    hierarchies.map((h) => `${directoryIn(h.mount, reader.settings.cgroupRoot, stack, path)}/cgroup.procs`),
  );
  const texts = reader.readFiles(files);
  return paths.map((_, i) => {
    const members = new Map<number, string[]>();
    hierarchies.forEach((h, j) => {
      const text = texts[i * hierarchies.length + j];
      for (const pid of typeof text === 'string' ? parsePids(text) : []) {
        const list = members.get(pid) ?? [];
        list.push(h.name);
        members.set(pid, list);
      }
    });
    return members;
  });
}
