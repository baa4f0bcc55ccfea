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
export const accessMask = (access: DeviceAccess): number => [...access].reduce((mask, l) => mask | BITS[l as 'r' | 'w' | 'm'], 0);

export const accessText = (mask: number): string => (['r', 'w', 'm'] as const).filter((l) => mask & BITS[l]).join('');

/** Every request made of the bits of `mask`. */
export const allowedOf = (mask: number): Allowed => REQUESTS.reduce((set, r) => ((r & ~mask) === 0 ? set | (1 << r) : set), 0);

/** The single bits allowed, whatever is said of them together. */
export const maskOf = (allowed: Allowed): number => [1, 2, 4].reduce((mask, bit) => ((allowed >> bit) & 1 ? mask | bit : mask), 0);

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
  const starts = [...new Set([...x, ...y].map((s) => s.from))].sort((a, b) => a - b);
  return joined(starts.map((from) => ({ from, value: join(valueAt(x, from), valueAt(y, from)) })));
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
    return { other, majors: new Map([...space.majors].filter(([, s]) => segmentsKey(s) !== key).sort(([a], [b]) => a - b)) };
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

function paint(segments: Segments, rule: DeviceRule): Segments {
  const mask = accessMask(rule.access);
  const change = (value: number): number => (rule.allow ? value | mask : value & ~mask);
  const from = rule.minor === '*' ? 0 : rule.minor;
  const to = rule.minor === '*' ? MAX_MINOR : (rule.minorEnd ?? rule.minor);
  const inside = [{ from: 0, value: from === 0 ? 1 : 0 }, { from, value: 1 }, { from: to + 1, value: 0 }];
  const region = joined(inside.filter((s, i) => s.from <= MAX_MINOR && (i !== 1 || from > 0)));
  return combine(segments, region, (value, hit) => (hit ? change(value) : value));
}

function typeSpace(rules: readonly DeviceRule[]): TypeSpace {
  const decide = (major: number | '*'): Segments => {
    const matching = rules.filter((r) => r.major === '*' || r.major === major);
    const masks = matching.reduce<Segments>(paint, [{ from: 0, value: 0 }]);
    return masks.map((s) => ({ from: s.from, value: allowedOf(s.value) }));
  };
  const majors = new Set(rules.flatMap((r) => (r.major === '*' ? [] : [r.major])));
  return normalType({ other: decide('*'), majors: new Map([...majors].map((m) => [m, decide(m)])) });
}

/** What an ordered rule set decides: nothing is allowed at first, and a later rule wins. */
export function spaceOf(rules: readonly DeviceRule[]): DeviceSpace {
  const unresolved = rules.find((r) => r.path !== undefined);
  if (unresolved) throw new TsboxError('TSB9002', `device rule for '${unresolved.path}' was not resolved to numbers`);
  return { b: typeSpace(rules.filter((r) => r.type !== 'c')), c: typeSpace(rules.filter((r) => r.type !== 'b')) };
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
