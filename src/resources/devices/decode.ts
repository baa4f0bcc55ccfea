/** Device programs, anybody's, described as rules. */
import { canonicalLines } from './canonical.ts';
import { explore, type Rectangle } from './explore.ts';
import { decodeInsns } from './insn.ts';
import { MAX_MAJOR, MAX_MINOR } from './schema.ts';
import { REQUESTS, allowedOf, intersect, joined, normalType, type DeviceSpace, type Segments, type TypeSpace } from './space.ts';

/** Steps for one program, type and request: a thousand rules one after another stay below it. */
const BUDGET = 2_000_000;

interface Region extends Rectangle {
  readonly request: number;
}

function segmentsOf(regions: readonly Region[]): Segments {
  const starts = [...new Set([0, ...regions.flatMap((r) => [r.minor[0], r.minor[1] + 1])])].sort((a, b) => a - b);
  const value = (minor: number): number =>
    regions.reduce((set, r) => (r.minor[0] <= minor && minor <= r.minor[1] ? set | (1 << r.request) : set), 0);
  return joined(starts.filter((from) => from <= MAX_MINOR).map((from) => ({ from, value: value(from) })));
}

function typeSpace(regions: readonly Region[]): TypeSpace {
  const starts = [...new Set([0, ...regions.flatMap((r) => [r.major[0], r.major[1] + 1])])].sort((a, b) => a - b);
  const classes = starts
    .filter((from) => from <= MAX_MAJOR)
    .map((from) => ({
      from,
      to: (starts.find((s) => s > from) ?? MAX_MAJOR + 1) - 1,
      segments: segmentsOf(regions.filter((r) => r.major[0] <= from && from <= r.major[1])),
    }));
  const widest = classes.reduce((best, c) => (c.to - c.from > best.to - best.from ? c : best));
  const majors = new Map<number, Segments>();
  for (const c of classes) {
    for (let major = c.from; c !== widest && major <= c.to; major++) majors.set(major, c.segments);
  }
  return normalType({ other: widest.segments, majors });
}

/** What a program decides, or 'opaque' when it cannot be told from its instructions. */
export function spaceOfProgram(insns: Uint8Array): DeviceSpace | 'opaque' {
  const program = decodeInsns(insns);
  if (program === undefined) return 'opaque';
  const spaces: TypeSpace[] = [];
  for (const type of ['b', 'c'] as const) {
    const regions: Region[] = [];
    for (const request of REQUESTS) {
      const found = explore(program, type, request, BUDGET);
      if (found === 'opaque') return 'opaque';
      regions.push(...found.map((r) => ({ ...r, request })));
    }
    spaces.push(typeSpace(regions));
  }
  const [b, c] = spaces;
  return b && c ? { b, c } : 'opaque';
}

const EVERYTHING: TypeSpace = { other: [{ from: 0, value: allowedOf(7) }], majors: new Map() };

/**
 * The canonical lines (canonicalRules) of what a cgroup may do under all programs that apply to it: its own and its
 * ancestors', each of which must allow. No program at all allows everything. Requests of several bits that a foreign
 * program decides unlike their bits get lines of their own, such as 'deny c 1:3 r+w'.
 */
export function decodePrograms(programs: readonly Uint8Array[]): string[] | 'opaque' {
  let space: DeviceSpace = { b: EVERYTHING, c: EVERYTHING };
  for (const insns of programs) {
    const own = spaceOfProgram(insns);
    if (own === 'opaque') return 'opaque';
    space = intersect(space, own);
  }
  return canonicalLines(space);
}
