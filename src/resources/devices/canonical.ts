/**
 * The one text for what a rule set means: two sets have the same lines exactly when they decide every request alike.
 *
 * Each access bit is written on its own, from broad to narrow (`*:*`, `*:MINOR`, `MAJOR:*`, `MAJOR:MINOR`), always as
 * the exception to the broader line: the commonest answer is the broad line, so the text is short and has no choice in
 * it. Bits that ended up on the same line are then joined. Read as rules, the lines mean what they describe.
 */
import { MAX_MINOR, type DeviceRule } from './schema.ts';
import { accessText, mapType, maskOf, spaceOf, type DeviceSpace, type Segments, type TypeSpace } from './space.ts';

interface Region {
  readonly level: number;
  readonly allow: boolean;
  readonly major: number | '*';
  readonly from: number;
  readonly to: number;
}

const lastOf = (segments: Segments, i: number): number => (segments[i + 1]?.from ?? MAX_MINOR + 1) - 1;

/** The value that covers more minors; 0 when they share them evenly. */
function commonest(segments: Segments): number {
  const ones = segments.reduce((n, s, i) => (s.value ? n + lastOf(segments, i) - s.from + 1 : n), 0);
  return ones * 2 > MAX_MINOR + 1 ? 1 : 0;
}

function exceptions(segments: Segments, base: number, level: number, major: number | '*'): Region[] {
  return segments.flatMap((s, i) =>
    s.value === base ? [] : [{ level, allow: s.value === 1, major, from: s.from, to: lastOf(segments, i) }],
  );
}

/** The lines of one yes-or-no function, in normal form. */
function regions({ other, majors }: TypeSpace): Region[] {
  const whole = (level: number, value: number, major: number | '*'): Region[] => [
    { level, allow: value === 1, major, from: 0, to: MAX_MINOR },
  ];
  const base = commonest(other);
  const broad = [...(base ? whole(0, 1, '*') : []), ...exceptions(other, base, 1, '*')];
  const narrow = [...majors].flatMap(([major, segments]) => {
    const own = commonest(segments);
    // Where the broader lines differ by minor, the major states its own answer in full.
    const inherited = other.length === 1 && own === base;
    return [...(inherited ? [] : whole(2, own, major)), ...exceptions(segments, own, 3, major)];
  });
  return [...broad, ...narrow];
}

interface Line extends Region {
  readonly type: 'a' | 'b' | 'c';
  readonly access: string;
}

function accessLines(type: 'b' | 'c', space: TypeSpace): Line[] {
  const masks = new Map<string, { region: Region; mask: number }>();
  for (const bit of [1, 2, 4]) {
    for (const region of regions(mapType(space, (v) => (v >> bit) & 1))) {
      const key = JSON.stringify(region);
      masks.set(key, { region, mask: (masks.get(key)?.mask ?? 0) | bit });
    }
  }
  return [...masks.values()].map(({ region, mask }) => ({ ...region, type, access: accessText(mask) }));
}

/** Requests of several bits that are not decided as their bits are: 'deny c 1:3 r+w'. Only foreign programs have them. */
function togetherLines(type: 'b' | 'c', space: TypeSpace): Line[] {
  return [6, 3, 5, 7].flatMap((request) => {
    const access = [...accessText(request)].join('+');
    return [true, false].flatMap((allow) => {
      const odd = (v: number): number => {
        const byBits = (request & ~maskOf(v)) === 0;
        return byBits !== allow && ((v >> request) & 1) === (allow ? 1 : 0) ? 1 : 0;
      };
      return regions(mapType(space, odd)).map((r) => ({
        ...r,
        type,
        access,
        level: r.level + 4,
        allow: r.allow === allow,
      }));
    });
  });
}

const number = (n: number | '*'): number => (n === '*' ? -1 : n);

function byPlace(x: Line, y: Line): number {
  return (
    x.level - y.level ||
    x.type.localeCompare(y.type) ||
    number(x.major) - number(y.major) ||
    x.from - y.from ||
    x.to - y.to
  );
}

function text(line: Line): string {
  const range = line.from === line.to ? `${line.from}` : `${line.from}-${line.to}`;
  const minor = line.from === 0 && line.to === MAX_MINOR ? '*' : range;
  return `${line.allow ? 'allow' : 'deny'} ${line.type} ${line.major}:${minor} ${line.access}`;
}

/** The canonical lines of a decision function. */
export function canonicalLines(space: DeviceSpace): string[] {
  const b = [...accessLines('b', space.b), ...togetherLines('b', space.b)];
  const c = [...accessLines('c', space.c), ...togetherLines('c', space.c)];
  // What holds for every device of both types is one line of type a.
  const shared = b.filter((x) => x.level === 0 && c.some((y) => y.level === 0 && y.access === x.access));
  const own = [...b, ...c].filter((x) => x.level > 0 || !shared.some((y) => y.access === x.access));
  const lines = [...shared.map((x): Line => ({ ...x, type: 'a' })), ...own];
  return lines.sort((x, y) => byPlace(x, y) || (text(x) < text(y) ? -1 : 1)).map(text);
}

/** The normal form of a resolved rule set: equal for sets that decide alike, different for sets that do not. */
export function canonicalRules(rules: readonly DeviceRule[]): string[] {
  return canonicalLines(spaceOf(rules));
}
