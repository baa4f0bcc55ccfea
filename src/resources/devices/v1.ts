/**
 * From a live devices.list to the wanted rules by writes to devices.allow and devices.deny.
 *
 * A list changes entry by entry, so processes see states in between. They are kept within what old and new rules agree
 * on: (1) what both allow gets entries of its own where it hung on entries that go, (2) what only the old allow goes,
 * (3) what only the new allow is added, (4) entries of the first step that the new ones cover go again. So until (3)
 * nothing is allowed that the old rules refuse, from (3) on nothing that the new refuse, and what both allow is never
 * refused. The kernel knows no ranges and removes only entries that match exactly. Only leaving "allow by default" goes
 * through "deny everything".
 */
import { canonicalLines } from './canonical.ts';
import type { DeviceRule } from './schema.ts';
import { MAX_MINOR } from './schema.ts';
import { accessText, maskOf, spaceOf, valueAt, type DeviceSpace, type Segments } from './space.ts';
import { canonicalFromList, entryKey, parseDevicesList, spaceOfList, type V1Entry } from './v1-list.ts';

export { canonicalFromList } from './v1-list.ts';

/** Single minors one range may become. */
const MAX_RANGE = 256;

export interface V1Write {
  readonly file: 'devices.allow' | 'devices.deny';
  readonly line: string;
}

export type V1Transition =
  | {
      readonly ok: true;
      /** One write(2) each, in this order. */
      readonly writes: readonly V1Write[];
      /**
       * The list was "allow by default", which the kernel leaves only through "deny everything": harmless while the
       * cgroup has no processes. It refuses with EINVAL while the cgroup has children.
       */
      readonly denyAllMoment: boolean;
    }
  | { readonly ok: false; readonly inexpressible: string };

interface Span {
  readonly from: number;
  readonly to: number;
  readonly mask: number;
}

function spans(segments: Segments): Span[] {
  return segments.map((s, i) => ({
    from: s.from,
    to: (segments[i + 1]?.from ?? MAX_MINOR + 1) - 1,
    mask: maskOf(s.value),
  }));
}

/** Entries for one major: the widest span as a wildcard, the others minor by minor; a string when there are too many. */
function entriesFor(type: 'b' | 'c', major: number | '*', segments: Segments, inherited: number): V1Entry[] | string {
  const all = spans(segments);
  const widest = all.reduce((best, s) => (s.to - s.from > best.to - best.from ? s : best));
  const out: V1Entry[] = [];
  if (widest.mask !== 0 && widest.mask !== inherited) out.push({ type, major, minor: '*', mask: widest.mask });
  for (const { from, to, mask } of all) {
    if ((mask & ~widest.mask) === 0) continue;
    const count = to - from + 1;
    if (count > MAX_RANGE) {
      return `${type} ${major}:${from}-${to} is ${count} minors, and the v1 devices controller takes each by itself: at most ${MAX_RANGE}, or a wildcard`;
    }
    for (let minor = from; minor <= to; minor++) out.push({ type, major, minor, mask });
  }
  return out;
}

/** The allow list that decides as the rules do, or why there is none. */
function wantedEntries(space: DeviceSpace): V1Entry[] | string {
  const wanted: V1Entry[] = [];
  for (const type of ['b', 'c'] as const) {
    const { other, majors } = space[type];
    const broad = entriesFor(type, '*', other, 0);
    if (typeof broad === 'string') return broad;
    const inherited = broad.find((e) => e.minor === '*')?.mask ?? 0;
    wanted.push(...broad);
    for (const [major, segments] of majors) {
      const own = entriesFor(type, major, segments, inherited);
      if (typeof own === 'string') return own;
      wanted.push(...own);
    }
  }
  const lines = canonicalLines(space);
  if (canonicalLines(spaceOfList({ unrestricted: false, entries: wanted })).join() === lines.join()) return wanted;
  const deny = lines.find((l) => l.startsWith('deny'));
  return `the v1 devices controller lists what is allowed and has no exceptions, so '${deny}' cannot be taken out of a broader allow`;
}

/** The bits of the entry that the rules allow on everything it covers. */
function permitted(space: DeviceSpace, { type, major, minor, mask }: V1Entry): number {
  const { other, majors } = space[type];
  const covered = major === '*' ? [other, ...majors.values()] : [majors.get(major) ?? other];
  const values = covered.flatMap((s) => (minor === '*' ? s.map((x) => x.value) : [valueAt(s, minor)]));
  return values.reduce((bits, v) => bits & maskOf(v), mask);
}

const within = (a: number | '*', b: number | '*'): boolean => a === '*' || a === b;

function covers(x: V1Entry, y: V1Entry): boolean {
  return x.type === y.type && within(x.major, y.major) && within(x.minor, y.minor) && (y.mask & ~x.mask) === 0;
}

/** What two entries both allow, which is an entry too. */
function common(x: V1Entry, y: V1Entry): V1Entry | undefined {
  const number = (a: number | '*', b: number | '*'): number | '*' | undefined =>
    a === '*' ? b : within(b, a) ? a : undefined;
  const [major, minor, mask] = [number(x.major, y.major), number(x.minor, y.minor), x.mask & y.mask];
  const none = x.type !== y.type || major === undefined || minor === undefined || mask === 0;
  return none ? undefined : { type: x.type, major, minor, mask };
}

/** Entries for what both lists allow and no entry that stays covers; none is covered by another. */
function bridges(live: readonly V1Entry[], wanted: readonly V1Entry[], kept: readonly V1Entry[]): V1Entry[] {
  const shared = live.flatMap((x) => wanted.flatMap((y) => common(x, y) ?? []));
  const needed = shared.filter((e) => !kept.some((k) => covers(k, e)));
  return needed.filter((e, i) => !needed.some((o, j) => i !== j && covers(o, e) && (j < i || !covers(e, o))));
}

const write = (file: V1Write['file'], e: V1Entry): V1Write => ({ file, line: `${entryKey(e)} ${accessText(e.mask)}` });

/**
 * The writes that turn the cgroup's live list into one that decides as the rules do; none when it already does.
 * @param list the text of devices.list.
 */
export function v1Transition(list: string, rules: readonly DeviceRule[]): V1Transition {
  const live = parseDevicesList(list);
  if (live === undefined) return { ok: false, inexpressible: canonicalFromList(list).join() };
  const space = spaceOf(rules);
  if (canonicalLines(spaceOfList(live)).join() === canonicalLines(space).join()) {
    return { ok: true, writes: [], denyAllMoment: false };
  }
  const wanted = wantedEntries(space);
  if (typeof wanted === 'string') return { ok: false, inexpressible: wanted };
  if (live.unrestricted) {
    const allows = wanted.map((e) => write('devices.allow', e));
    return { ok: true, writes: [{ file: 'devices.deny', line: 'a' }, ...allows], denyAllMoment: true };
  }
  // What the rules allow anyway stays as it is; the rest of an entry goes.
  const kept = live.entries.map((e) => ({ ...e, mask: permitted(space, e) }));
  const now = new Map(live.entries.map((e) => [entryKey(e), e.mask]));
  const writes: V1Write[] = [];
  const change = (file: V1Write['file'], entry: V1Entry): void => {
    const [key, had] = [entryKey(entry), now.get(entryKey(entry)) ?? 0];
    const mask = file === 'devices.allow' ? entry.mask & ~had : entry.mask & had;
    if (mask === 0) return;
    writes.push(write(file, { ...entry, mask }));
    now.set(key, file === 'devices.allow' ? had | mask : had & ~mask);
  };
  const bridging = bridges(live.entries, wanted, kept);
  for (const entry of bridging) change('devices.allow', entry);
  live.entries.forEach((entry, i) => {
    const own = bridging.find((b) => entryKey(b) === entryKey(entry))?.mask ?? 0;
    change('devices.deny', { ...entry, mask: entry.mask & ~(kept[i]?.mask ?? 0) & ~own });
  });
  const fresh = wanted.filter((entry) => !kept.some((k) => covers(k, entry)));
  for (const entry of fresh) change('devices.allow', entry);
  for (const entry of bridging) {
    const elsewhere = [...fresh, ...kept].some((o) => covers(o, entry) && entryKey(o) !== entryKey(entry));
    const stays = [...fresh, ...kept].find((o) => entryKey(o) === entryKey(entry))?.mask ?? 0;
    if (elsewhere) change('devices.deny', { ...entry, mask: entry.mask & ~stays });
  }
  return { ok: true, writes, denyAllMoment: false };
}
