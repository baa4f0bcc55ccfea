/** Arithmetic on ranges of ids. */
import { parseIdMap } from '../../kernel/proc.ts';
import type { IdMap } from '../namespace/id-maps.ts';

export interface IdRange {
  readonly start: number;
  readonly count: number;
}

/** What is left of `free` once `taken` is out, in ascending order. */
export function without(free: readonly IdRange[], taken: readonly IdRange[]): IdRange[] {
  let left = [...free].sort((a, b) => a.start - b.start);
  for (const hole of taken) {
    const end = hole.start + hole.count;
    left = left.flatMap((range) => {
      const rangeEnd = range.start + range.count;
      if (end <= range.start || hole.start >= rangeEnd) {
        return [range];
      }
      return [
        { start: range.start, count: hole.start - range.start },
        { start: end, count: rangeEnd - end },
      ].filter((part) => part.count > 0);
    });
  }
  return left;
}

/** The lowest start of `count` ids in a row. */
export function firstFit(free: readonly IdRange[], count: number): number | undefined {
  return free.find((range) => range.count >= count)?.start;
}

export function overlap(a: IdRange, b: IdRange): boolean {
  return a.start < b.start + b.count && b.start < a.start + a.count;
}

/** The outer side of a map's text ('inside outside count' lines); an unreadable line is no range. */
export function outerRanges(mapText: string): IdRange[] {
  return parseIdMap(mapText).map(({ outside, count }) => ({ start: outside, count }));
}

/** `size` ids from 0 inside, in a row from `start` outside. */
export function plainMap(start: number, size: number): IdMap[] {
  return [{ inside: 0, outside: start, count: size }];
}

/** The same, but for one id, which keeps its number: its place in the row stays empty. */
export function keepingMap(start: number, size: number, kept: number): IdMap[] {
  const below = Math.min(kept, size);
  return [
    { inside: 0, outside: start, count: below },
    { inside: kept, outside: kept, count: 1 },
    { inside: kept + 1, outside: start + kept + 1, count: size - kept - 1 },
  ].filter((map) => map.count > 0);
}

/** Where the row of a plainMap or keepingMap of this size starts, from the map's text; undefined for any other map. */
export function rowStart(mapText: string, size: number): number | undefined {
  const lines = parseIdMap(mapText);
  const row = lines.filter(({ inside, outside }) => inside !== outside);
  const [first] = row;
  const start = (first?.outside ?? 0) - (first?.inside ?? 0);
  const covered = lines.reduce((sum, { count }) => sum + count, 0);
  const whole = covered === size || (covered === size + 1 && row.length < lines.length);
  return whole && row.every(({ inside, outside }) => outside - inside === start) ? start : undefined;
}
