/** Any cgroup subtree as fields of the stack language: only what differs from the kernel's defaults. */
import type { Hierarchy } from '../../kernel/layout.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import { NAME_PATTERN } from '../units.ts';
import { knobAccess } from './access.ts';
import type { Knob, KnobValue } from './knob.ts';
import { KNOBS } from './registry.ts';
import { flag } from './schemas.ts';

/** A tree of plain data that reads as the cgroup fields of a stack file. */
export interface Description {
  readonly fields: Readonly<Record<string, unknown>>;
  /** Cgroups below whose names the language does not take: systemd's user@1000.service and the like. */
  readonly leftOut: readonly string[];
  readonly cgroups: number;
}

const MAX = 100_000;

/**
 * Describes an existing cgroup and what is below it.
 * @param path from the root of the hierarchies, '/system.slice/db.service'
 * @returns undefined when no hierarchy has it
 */
export function describeCgroup(reader: KernelReader, path: string, depth = Infinity): Description | undefined {
  const primary = reader.layout.primary;
  const walked = primary === undefined ? -2 : reader.walkDirs(`${primary.mount}${path}`, MAX);
  if (typeof walked === 'number') {
    return undefined;
  }
  const leftOut: string[] = [];
  const kept = walked
    .map((d) => d.path)
    .filter((below) => {
      const parts = below.split('/').filter((p) => p !== '');
      const bad = parts.find((p) => !NAME_PATTERN.test(p));
      if (bad !== undefined && parts.at(-1) === bad) {
        leftOut.push(below);
      }
      return bad === undefined && parts.length <= depth;
    });
  const values = readAll(reader, () => path, kept);
  const root: Record<string, unknown> = {};
  const nodes = new Map<string, Record<string, unknown>>([['', root]]);
  for (const below of kept) {
    const knobs = values.get(below) ?? {};
    const parent = below.includes('/') ? below.slice(0, below.lastIndexOf('/')) : '';
    const node = below === '' ? root : {};
    nodes.set(below, node);
    Object.assign(node, fieldsOf(differing(knobs, values.get(parent), below === '' ? undefined : parent)));
    if (below !== '') {
      const above = nodes.get(parent) ?? root;
      const children = (above['children'] ??= {}) as Record<string, unknown>;
      children[below.slice(below.lastIndexOf('/') + 1)] = node;
    }
  }
  return { fields: root, leftOut, cgroups: kept.length };
}

/**
 * The limits of one process, whose cgroup may be another in each hierarchy.
 * @param pathIn its path there from the root, '/a/b'; undefined or '/' where it has no limits of its own
 */
export function describeLimits(
  reader: KernelReader,
  pathIn: (hierarchy: Hierarchy) => string | undefined,
): Readonly<Record<string, unknown>> {
  const values = readAll(reader, pathIn, ['']);
  return fieldsOf(differing(values.get('') ?? {}, values.get('..'), '..'));
}

/**
 * What somebody set on each of several cgroups: the values that are not the kernel's defaults.
 * @param path of what they are below, from the root of the hierarchies
 * @param below paths from there, '' for itself; parents need not be among them
 */
export function knobsSet(
  reader: KernelReader,
  path: string,
  below: readonly string[],
): Map<string, Readonly<Record<string, KnobValue>>> {
  const parents = new Map(
    below.map((b) => [b, b.includes('/') ? b.slice(0, b.lastIndexOf('/')) : b === '' ? '..' : '']),
  );
  const values = readAll(
    reader,
    () => path,
    [...new Set([...below, ...parents.values()])].filter((b) => b !== '..'),
  );
  return new Map(
    below.map((b) => {
      const parent = parents.get(b);
      const set = differing(values.get(b) ?? {}, values.get(parent ?? ''), parent);
      return [b, Object.fromEntries([...set].map(([knob, value]) => [knob.name, value]))];
    }),
  );
}

/** Every knob of every cgroup, in one batch. The parent of the first is read too, under the key '..'. */
function readAll(
  reader: KernelReader,
  pathIn: (hierarchy: Hierarchy) => string | undefined,
  below: readonly string[],
): Map<string, Record<string, KnobValue>> {
  const sizes = pageSizes(reader);
  const places = ['..', ...below].map((b) => ({
    key: b,
    path: (path: string): string =>
      b === '..' ? path.slice(0, path.lastIndexOf('/')) : b === '' ? path : `${path}/${b}`,
  }));
  const accesses = KNOBS.flatMap((knob) => {
    const access = knobAccess(reader, knob);
    const path = access === undefined ? undefined : pathIn(access.hierarchy);
    if (access === undefined || path === undefined || path === '/') {
      return [];
    }
    const files = typeof access.files.files === 'function' ? access.files.files(sizes) : access.files.files;
    return [{ knob, access, files, path }];
  });
  const texts = reader.readFiles(
    places.flatMap((place) =>
      accesses.flatMap(({ access, files, path }) =>
        files.map((f) => `${access.hierarchy.mount}${place.path(path)}/${f}`),
      ),
    ),
  );
  let next = 0;
  const result = new Map<string, Record<string, KnobValue>>();
  for (const place of places) {
    const values: Record<string, KnobValue> = {};
    for (const { knob, access, files } of accesses) {
      const own = files.map(() => {
        const text = texts[next++];
        return typeof text === 'string' ? text : undefined;
      });
      const value = own.every((t) => t === undefined) ? undefined : access.files.parse(own, sizes);
      if (value !== undefined) {
        values[knob.name] = value;
      }
    }
    result.set(place.key, values);
  }
  return result;
}

/** Page sizes as hugetlb names its files, from /sys/kernel/mm/hugepages. */
function pageSizes(reader: KernelReader): string[] {
  const walked = reader.walkDirs('/sys/kernel/mm/hugepages', 100);
  return (typeof walked === 'number' ? [] : walked).flatMap((d) => {
    const kilobytes = Number(/^hugepages-(\d+)kB$/.exec(d.path)?.[1] ?? NaN);
    if (!Number.isFinite(kilobytes)) {
      return [];
    }
    return kilobytes >= 1 << 20
      ? [`${kilobytes / (1 << 20)}GB`]
      : kilobytes >= 1 << 10
        ? [`${kilobytes / (1 << 10)}MB`]
        : [`${kilobytes}KB`];
  });
}

/** v1 files that a new cgroup copies from its parent: what equals the parent's was not said here. */
const INHERITED = ['cpuset.cpus', 'cpuset.mems', 'memory.swappiness', 'memory.oom_control'];

/** The knobs that somebody set. */
function differing(
  values: Readonly<Record<string, KnobValue>>,
  parent: Readonly<Record<string, KnobValue>> | undefined,
  parentKey: string | undefined,
): Map<Knob, KnobValue> {
  const set = new Map<Knob, KnobValue>();
  const above = parentKey === undefined ? undefined : parent;
  for (const knob of KNOBS) {
    const value = values[knob.name];
    // The nice form says what the weight says already, and an idle cgroup has no weight.
    const shadowed =
      knob.name === 'cpu.weight.nice' || (knob.name === 'cpu.weight' && (values['cpu.idle'] === '1' || value === '0'));
    if (value === undefined || shadowed) {
      continue;
    }
    if (typeof value !== 'string') {
      const entries = Object.entries(value).filter(([key, text]) => text !== knob.keyDefault?.(key));
      if (entries.length > 0) {
        set.set(knob, Object.fromEntries(entries));
      }
    } else if (value !== knob.default && !(INHERITED.includes(knob.name) && value === above?.[knob.name])) {
      set.set(knob, value);
    }
  }
  return set;
}

/** Canonical values back into the language's form. */
function fieldsOf(values: ReadonlyMap<Knob, KnobValue>): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [knob, value] of values) {
    if (typeof value === 'string') {
      put(fields, knob.name === 'io.prio.class' ? ['io', 'priority_class'] : knob.yaml, plainValue(knob, value));
      continue;
    }
    for (const [key, text] of Object.entries(value)) {
      put(fields, keyedPath(knob, key), knob.name === 'io.latency' ? `${text}us` : numberOr(text));
    }
  }
  return fields;
}

function put(fields: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [first = '', ...rest] = path;
  if (rest.length === 0) {
    fields[first] = value;
    return;
  }
  const below = (fields[first] ??= {}) as Record<string, unknown>;
  put(below, rest, value);
}

function keyedPath(knob: Knob, key: string): string[] {
  const [first = '', second = ''] = key.split(' ');
  switch (knob.name) {
    case 'io.weight':
      return key === 'default' ? ['io', 'weight'] : ['io', key, 'weight'];
    case 'io.latency':
      return ['io', first, 'latency'];
    case 'hugetlb.max':
      return ['hugetlb', key, 'max'];
    case 'hugetlb.rsvd.max':
      return ['hugetlb', key, 'rsvd'];
    case 'misc.max':
      return ['misc', key];
    case 'dmem.min':
    case 'dmem.low':
    case 'dmem.max':
      return ['dmem', key, knob.name.slice('dmem.'.length)];
    default:
      return [...knob.yaml, first, second];
  }
}

function numberOr(text: string): string | number {
  return /^\d{1,15}$/.test(text) ? Number(text) : text;
}

function plainValue(knob: Knob, value: string): unknown {
  if (knob.schema === flag) {
    return value === '1';
  }
  if (knob.unit === 'microseconds') {
    return `${value}us`;
  }
  if (knob.name === 'cpu.max') {
    const [quota = 'max', period = '100000'] = value.split(' ');
    return quota === 'max' ? 'max' : `${quota}us/${period}us`;
  }
  // A list of one processor would be read as a number, which means the same; a text is what it is.
  return knob.bound === 'subset' ? value : /^-?\d{1,15}$/.test(value) ? Number(value) : value;
}
