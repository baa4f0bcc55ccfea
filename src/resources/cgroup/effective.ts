/** What holds for a cgroup in the end: its limits as those above it bound them, and which cgroup sets the tightest. */
import type { KernelReader } from '../../kernel/reader.ts';
import type { Unit } from '../attribute.ts';
import { knobAccess, type KnobAccess } from './access.ts';
import type { Knob, KnobValue } from './knob.ts';
import { KNOBS } from './registry.ts';

export interface EffectiveLimit {
  /** The attribute, with the key where a device or a resource has its own: 'memory.max', 'io.max 8:0 rbps'. */
  readonly name: string;
  /** In canonical form; 'max' when nothing on the way to the root bounds it. */
  readonly value: string;
  /** Path of the cgroup that sets it; undefined when nobody does. */
  readonly setBy: string | undefined;
  readonly unit: Unit;
}

/** A limit at one level of the ancestry, the cgroup itself first. */
interface Level {
  readonly path: string;
  readonly value: KnobValue | undefined;
}

/**
 * The limits that hold for a cgroup: hierarchical ones are the least of all on the way up, lists of processors and
 * nodes what the kernel shows as effective (cgroup-v2.rst, "Limits" and "Cpuset"). An ancestor's limit is shared with
 * all that is below it.
 * @param path from the root of the hierarchies, '/tsbox/shop/api'
 */
export function effectiveLimits(reader: KernelReader, path: string): EffectiveLimit[] {
  const ancestry = ancestryOf(path);
  return KNOBS.flatMap((knob) => {
    const access = knobAccess(reader, knob);
    if (knob.bound === undefined || access === undefined || typeof access.files.files === 'function') {
      return [];
    }
    const levels = readLevels(reader, access, access.files.files, ancestry);
    return knob.bound === 'min' ? tightest(knob, levels) : narrowest(reader, knob, access, path, levels);
  });
}

/** '/a/b' gives ['/a/b', '/a']; the root has no limits. */
function ancestryOf(path: string): string[] {
  const parts = path.split('/').filter((p) => p !== '');
  return parts.map((_, i) => `/${parts.slice(0, parts.length - i).join('/')}`);
}

function readLevels(
  reader: KernelReader,
  access: KnobAccess,
  files: readonly string[],
  ancestry: readonly string[],
): Level[] {
  const texts = reader.readFiles(ancestry.flatMap((p) => files.map((f) => `${access.hierarchy.mount}${p}/${f}`)));
  return ancestry.map((path, i) => {
    const own = texts
      .slice(i * files.length, (i + 1) * files.length)
      .map((text) => (typeof text === 'string' ? text : undefined));
    return { path, value: own.every((t) => t === undefined) ? undefined : access.files.parse(own, []) };
  });
}

function tightest(knob: Knob, levels: readonly Level[]): EffectiveLimit[] {
  const keys = new Set(levels.flatMap(({ value }) => (typeof value === 'object' ? Object.keys(value) : [''])));
  return [...keys].flatMap((key) => {
    const found = levels.flatMap(({ path, value }, distance) => {
      const text = typeof value === 'object' ? value[key] : value;
      return text === undefined ? [] : [{ path, ...bound(knob, text, distance) }];
    });
    if (found.length === 0) {
      return [];
    }
    const least = found.reduce((a, b) => (b.amount < a.amount ? b : a));
    return [
      {
        name: key === '' ? knob.name : `${knob.name} ${key}`,
        value: least.text,
        setBy: least.amount === Infinity ? undefined : least.path,
        unit: knob.unit,
      },
    ];
  });
}

/** How tight a value is: an ancestor's depth is counted from the ancestor, a quota by its share of the period. */
function bound(knob: Knob, text: string, distance: number): { readonly amount: number; readonly text: string } {
  const [first = '', period] = text.split(' ');
  if (first === 'max') {
    return { amount: Infinity, text: 'max' };
  }
  if (knob.name === 'cgroup.max.depth') {
    const left = Math.max(0, Number(first) - distance);
    return { amount: left, text: String(left) };
  }
  const amount = period === undefined ? Number(first) : Number(first) / Number(period);
  return { amount: Number.isNaN(amount) ? Infinity : amount, text };
}

/** The kernel's own answer, and the nearest cgroup that names a list at all. */
function narrowest(
  reader: KernelReader,
  knob: Knob,
  access: KnobAccess,
  path: string,
  levels: readonly Level[],
): EffectiveLimit[] {
  const list = knob.name.slice(knob.name.indexOf('.') + 1);
  const file = access.hierarchy.version === 2 ? `${knob.name}.effective` : `cpuset.effective_${list}`;
  const [text] = reader.readFiles([`${access.hierarchy.mount}${path}/${file}`]);
  if (typeof text !== 'string') {
    return [];
  }
  const setBy = levels.find(({ value }) => typeof value === 'string' && value !== '')?.path;
  return [{ name: knob.name, value: text.trim(), setBy, unit: knob.unit }];
}
