/**
 * What a set of rules or programs decides, as a function of (type, major, minor) to the requests it allows.
 *
 * A request carries one to three of the kernel's access bits at once (include/uapi/linux/bpf.h: mknod 1, read 2,
 * write 4), so there are seven requests. Rules decide bit by bit; other tools' programs may allow read and allow write
 * and still refuse both together, so a value of the function is a bitmap of the allowed requests 1 to 7.
 */
import { TsboxError } from '../../errors.ts';
import { MAX_MAJOR, MAX_MINOR, type DeviceAccess, type DeviceRule } from './schema.ts';

/** Bit n is set when request n (1–7) is allowed. */
export type Allowed = number;
/** A function of the minor number: sorted, the first from 0, neighbours differ. */
export type Segments = ReadonlyArray<{ readonly from: number; readonly value: number }>;

export interface TypeSpace {
  /** Holds for every major not in `majors`. */
  readonly other: Segments;
  readonly majors: ReadonlyMap<number, Segments>;
}

export interface DeviceSpace {
  readonly b: TypeSpace;
  readonly c: TypeSpace;
}

const BITS = { m: 1, r: 2, w: 4 } as const;
export const REQUESTS = [1, 2, 3, 4, 5, 6, 7] as const;

/** The kernel's access bits of 'rw' and the like. */
export const accessMask = (access: DeviceAccess): number =>
  [...access].reduce((mask, l) => mask | BITS[l as 'r' | 'w' | 'm'], 0);

export const accessText = (mask: number): string => (['r', 'w', 'm'] as const).filter((l) => mask & BITS[l]).join('');

/** Every request made of the bits of `mask`. */
export const allowedOf = (mask: number): Allowed =>
  REQUESTS.reduce((set, r) => ((r & ~mask) === 0 ? set | (1 << r) : set), 0);

/** The single bits allowed, whatever is said of them together. */
export const maskOf = (allowed: Allowed): number =>
  [1, 2, 4].reduce((mask, bit) => ((allowed >> bit) & 1 ? mask | bit : mask), 0);

export const segmentsKey = (segments: Segments): string => segments.map((s) => `${s.from}=${s.value}`).join(',');

/** Joins neighbours of equal value. */
export function joined(segments: Segments): Segments {
  return segments.filter((s, i) => i === 0 || s.value !== segments[i - 1]?.value);
}

export function valueAt(segments: Segments, minor: number): number {
  return segments.findLast((s) => s.from <= minor)?.value ?? 0;
}

/** Two functions of the minor as one. */
export function combine(x: Segments, y: Segments, join: (a: number, b: number) => number): Segments {
  const out: Array<{ from: number; value: number }> = [];
  for (let i = 0, j = 0, from = 0; ;) {
    const value = join(x[i]?.value ?? 0, y[j]?.value ?? 0);
    if (out.at(-1)?.value !== value) out.push({ from, value });
    const [nextX, nextY] = [x[i + 1]?.from ?? Infinity, y[j + 1]?.from ?? Infinity];
    from = Math.min(nextX, nextY);
    if (from === Infinity) return out;
    if (nextX === from) i++;
    if (nextY === from) j++;
  }
}

/** `value` from one minor to another, 0 elsewhere. */
export function band(from: number, to: number, value: number): Segments {
  const before = from > 0 ? [{ from: 0, value: 0 }] : [];
  return [...before, { from, value }, ...(to < MAX_MINOR ? [{ from: to + 1, value: 0 }] : [])];
}

/** Makes the commonest function of all 4096 majors the `other` one, so that equal functions have equal forms. */
export function normalType(space: TypeSpace): TypeSpace {
  const count = new Map<string, { segments: Segments; majors: number }>();
  const add = (segments: Segments, n: number): void => {
    const key = segmentsKey(segments);
    count.set(key, { segments, majors: (count.get(key)?.majors ?? 0) + n });
  };
  add(space.other, MAX_MAJOR + 1 - space.majors.size);
  for (const segments of space.majors.values()) add(segments, 1);
  const [first] = [...count].sort(([k, a], [l, b]) => b.majors - a.majors || (k < l ? -1 : 1));
  const [key, { segments: other }] = first ?? ['', { segments: space.other }];
  if (key === segmentsKey(space.other)) {
    return {
      other,
      majors: new Map([...space.majors].filter(([, s]) => segmentsKey(s) !== key).sort(([a], [b]) => a - b)),
    };
  }
  const majors = new Map<number, Segments>();
  for (let major = 0; major <= MAX_MAJOR; major++) {
    const segments = space.majors.get(major) ?? space.other;
    if (segmentsKey(segments) !== key) majors.set(major, segments);
  }
  return { other, majors };
}

/** A type's space with every value replaced, in normal form. */
export function mapType(space: TypeSpace, f: (value: number) => number): TypeSpace {
  const map = (segments: Segments): Segments => joined(segments.map((s) => ({ from: s.from, value: f(s.value) })));
  return normalType({ other: map(space.other), majors: new Map([...space.majors].map(([m, s]) => [m, map(s)])) });
}

/** Something that changes what is decided on a part of the space. */
export interface Patch extends Pick<DeviceRule, 'type' | 'major' | 'minor' | 'minorEnd'> {
  readonly change: (allowed: Allowed) => Allowed;
}

function paint(segments: Segments, patch: Patch): Segments {
  const from = patch.minor === '*' ? 0 : patch.minor;
  const to = patch.minor === '*' ? MAX_MINOR : (patch.minorEnd ?? patch.minor);
  return combine(segments, band(from, to, 1), (value, hit) => (hit ? patch.change(value) : value));
}

function patchedType(patches: readonly Patch[]): TypeSpace {
  let other: Segments = [{ from: 0, value: 0 }];
  const majors = new Map<number, Segments>();
  for (const patch of patches) {
    if (patch.major !== '*') {
      majors.set(patch.major, paint(majors.get(patch.major) ?? other, patch));
      continue;
    }
    other = paint(other, patch);
    for (const [major, segments] of majors) majors.set(major, paint(segments, patch));
  }
  return normalType({ other, majors });
}

/** Starts from "deny everything" and applies the patches in order. */
export function patched(patches: readonly Patch[]): DeviceSpace {
  return {
    b: patchedType(patches.filter((p) => p.type !== 'c')),
    c: patchedType(patches.filter((p) => p.type !== 'b')),
  };
}

/** What an ordered rule set decides: nothing is allowed at first, and a later rule wins. */
export function spaceOf(rules: readonly DeviceRule[]): DeviceSpace {
  const unresolved = rules.find((r) => r.path !== undefined);
  if (unresolved) throw new TsboxError('TSB9002', `device rule for '${unresolved.path}' was not resolved to numbers`);
  return patched(
    rules.map((rule) => {
      const mask = accessMask(rule.access);
      return { ...rule, change: (v) => allowedOf(rule.allow ? maskOf(v) | mask : maskOf(v) & ~mask) };
    }),
  );
}

/** What remains allowed when both must allow: programs on one cgroup and on its ancestors. */
export function intersect(x: DeviceSpace, y: DeviceSpace): DeviceSpace {
  const both = (p: TypeSpace, q: TypeSpace): TypeSpace => {
    const and = (a: Segments, b: Segments): Segments => combine(a, b, (v, w) => v & w);
    const majors = new Set([...p.majors.keys(), ...q.majors.keys()]);
    const entries = [...majors].map((m) => [m, and(p.majors.get(m) ?? p.other, q.majors.get(m) ?? q.other)] as const);
    return normalType({ other: and(p.other, q.other), majors: new Map(entries) });
  };
  return { b: both(x.b, y.b), c: both(x.c, y.c) };
}
