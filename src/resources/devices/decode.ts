/** Device programs, anybody's, described as rules. */
import { canonicalLines } from './canonical.ts';
import { explore, type Area } from './explore.ts';
import { decodeInsns } from '../bpf/insn.ts';
import { MAX_MAJOR } from './schema.ts';
import {
  REQUESTS,
  allowedOf,
  band,
  combine,
  intersect,
  normalType,
  type DeviceSpace,
  type Segments,
  type TypeSpace,
} from './space.ts';

/** Steps for one program, type and request: a thousand rules one after another stay below it. */
const BUDGET = 2_000_000;

interface Region extends Area {
  readonly request: number;
}

function segmentsOf(regions: readonly Region[]): Segments {
  const minors = (r: Region): Segments =>
    r.minor.reduce<Segments>(
      (out, [from, to]) => combine(out, band(from, to, 1 << r.request), (x, y) => x | y),
      [{ from: 0, value: 0 }],
    );
  return regions.reduce<Segments>((out, r) => combine(out, minors(r), (x, y) => x | y), [{ from: 0, value: 0 }]);
}

function typeSpace(regions: readonly Region[]): TypeSpace {
  const covering = Array.from({ length: MAX_MAJOR + 1 }, (): number[] => []);
  regions.forEach((region, i) => {
    for (const [from, to] of region.major) for (let major = from; major <= to; major++) covering[major]?.push(i);
  });
  const classes = new Map<string, number[]>();
  covering.forEach((indexes, major) => {
    const key = indexes.join();
    const majors = classes.get(key);
    if (majors) majors.push(major);
    else classes.set(key, [major]);
  });
  const segments = (key: string): Segments =>
    segmentsOf(key === '' ? [] : key.split(',').flatMap((i) => regions[Number(i)] ?? []));
  const [[widest] = [''], ...rest] = [...classes].sort(([, x], [, y]) => y.length - x.length);
  const majors = rest.flatMap(([key, numbers]) => {
    const own = segments(key);
    return numbers.map((major): [number, Segments] => [major, own]);
  });
  return normalType({ other: segments(widest), majors: new Map(majors) });
}

/** What a program decides, or in words why it cannot be told from its instructions. */
export function readProgram(insns: Uint8Array): DeviceSpace | string {
  const program = decodeInsns(insns);
  if (program === undefined) return 'it is not whole instructions';
  const spaces: TypeSpace[] = [];
  for (const type of ['b', 'c'] as const) {
    const regions: Region[] = [];
    for (const request of REQUESTS) {
      const found = explore(program, type, request, BUDGET);
      if (typeof found === 'string') return found;
      regions.push(...found.map((r) => ({ ...r, request })));
    }
    spaces.push(typeSpace(regions));
  }
  const [b, c] = spaces;
  return b && c ? { b, c } : 'it has no types';
}

const ALL: TypeSpace = { other: [{ from: 0, value: allowedOf(7) }], majors: new Map() };
/** What no program at all decides. */
export const EVERYTHING: DeviceSpace = { b: ALL, c: ALL };

/**
 * The canonical lines (canonicalRules) of what a cgroup may do under all programs that apply to it: its own and its
 * ancestors', each of which must allow. No program at all allows everything. Requests of several bits that a foreign
 * program decides unlike their bits get lines of their own, such as 'deny c 1:3 r+w'.
 */
export function decodePrograms(programs: readonly Uint8Array[]): string[] | 'opaque' {
  let space = EVERYTHING;
  for (const insns of programs) {
    const own = readProgram(insns);
    if (typeof own === 'string') return 'opaque';
    space = intersect(space, own);
  }
  return canonicalLines(space);
}
