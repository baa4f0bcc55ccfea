/** Reading knobs, hierarchies and members of many cgroups in one batch each. */
import type { KernelReader } from '../../kernel/reader.ts';
import { parsePids } from '../../kernel/proc.ts';
import { isList, type Value } from '../attribute.ts';
import { directoryIn } from '../scope.ts';
import { knobAccess } from './access.ts';
import { managedPart } from './keyed.ts';
import type { Knob, KnobFiles, KnobValue } from './knob.ts';
import { KNOB_BY_NAME } from './registry.ts';

export interface KnobQuery {
  /** Path below the stack's directory. */
  readonly path: string;
  /**
   * Knob names to read, with the values under which a rounded reading counts as unchanged: declared (undefined when it
   * is not), then last applied.
   */
  readonly knobs: ReadonlyMap<string, readonly (Value | undefined)[]>;
}

interface Wanted {
  readonly knob: Knob;
  readonly files: KnobFiles;
  readonly keys: readonly string[];
  readonly candidates: readonly KnobValue[];
  readonly from: number;
  readonly count: number;
}

/** Canonical live value of each queried knob, by query; a file that is absent gives undefined. */
export function observeKnobs(
  reader: KernelReader,
  stack: string,
  queries: readonly KnobQuery[],
): Array<Record<string, KnobValue | undefined>> {
  const paths: string[] = [];
  const directories = new Map<string, string>();
  const wanted = queries.map((query) => {
    const list: Wanted[] = [];
    directories.clear();
    for (const [name, values] of query.knobs) {
      const knob = KNOB_BY_NAME.get(name);
      const access = knob === undefined ? undefined : knobAccess(reader, knob);
      if (knob === undefined || access === undefined) {
        continue;
      }
      const { mount } = access.hierarchy;
      let dir = directories.get(mount);
      if (dir === undefined) {
        dir = directoryIn(mount, reader.settings.cgroupRoot, stack, query.path);
        directories.set(mount, dir);
      }
      const candidates = values.map((v) => (isKnobValue(v) ? v : knob.default));
      const keys = typeof access.files.files === 'function' ? keysOf(candidates) : [];
      const files = typeof access.files.files === 'function' ? access.files.files(keys) : access.files.files;
      list.push({ knob, files: access.files, keys, candidates, from: paths.length, count: files.length });
      for (const file of files) {
        paths.push(`${dir}/${file}`);
      }
    }
    return list;
  });
  const texts = reader.readFiles(paths);
  const byOther = frozenByV1(reader, stack, queries);
  return wanted.map((list, at) => {
    const live: Record<string, KnobValue | undefined> = {};
    for (const item of list) {
      const own = texts.slice(item.from, item.from + item.count).map((t) => (typeof t === 'string' ? t : undefined));
      live[item.knob.name] = liveValue(item, own);
      if (item.knob.name === FREEZE && byOther[at] === true) {
        live[FREEZE] = '1';
      }
    }
    return live;
  });
}

function keysOf(candidates: readonly KnobValue[]): string[] {
  return [...new Set(candidates.flatMap((c) => (typeof c === 'string' ? [] : Object.keys(c))))];
}

function isKnobValue(value: Value | undefined): value is KnobValue {
  return value !== undefined && (typeof value === 'string' || !isList(value));
}

/** The value read, as declared (or applied) where the kernel merely rounded it. */
function liveValue(item: Wanted, texts: ReadonlyArray<string | undefined>): KnobValue | undefined {
  const { knob, files, candidates } = item;
  const value = files.parse(texts, item.keys);
  const normalise = files.normalise ?? ((v: string): string => v);
  if (value === undefined || knob.keyDefault === undefined) {
    const unrounded = candidates.find((c) => typeof c === 'string' && normalise(c) === value);
    return unrounded ?? value;
  }
  return typeof value === 'string' ? value : managedPart(value, candidates, normalise, knob.keyDefault);
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

export interface Presence {
  /** Names of the hierarchies in which the cgroup has its directory. */
  readonly hierarchies: readonly string[];
  /** Pids found in the cgroup itself (not below), with the hierarchies they are in. */
  readonly members: ReadonlyMap<number, readonly string[]>;
}

/** The files that observePresence reads. */
export function presenceFiles(reader: KernelReader, stack: string, paths: readonly string[]): string[] {
  const { cgroupRoot } = reader.settings;
  return paths.flatMap((path) =>
    reader.layout.hierarchies.map((h) => `${directoryIn(h.mount, cgroupRoot, stack, path)}/cgroup.procs`),
  );
}

/** Errors of a file whose directory is not there: ENOENT, ENOTDIR, and ENODEV of one removed while it was read. */
const NO_DIRECTORY: ReadonlySet<unknown> = new Set([-2, -20, -19]);

/** Where each cgroup is, and who is in it. */
export function observePresence(reader: KernelReader, stack: string, paths: readonly string[]): Presence[] {
  const { hierarchies } = reader.layout;
  const texts = reader.readFiles(presenceFiles(reader, stack, paths));
  return paths.map((_, i) => {
    const present: string[] = [];
    const members = new Map<number, string[]>();
    hierarchies.forEach((h, j) => {
      const text = texts[i * hierarchies.length + j];
      if (!NO_DIRECTORY.has(text)) {
        present.push(h.name);
      }
      for (const pid of typeof text === 'string' ? parsePids(text) : []) {
        const list = members.get(pid) ?? [];
        list.push(h.name);
        members.set(pid, list);
      }
    });
    return { hierarchies: present, members };
  });
}
