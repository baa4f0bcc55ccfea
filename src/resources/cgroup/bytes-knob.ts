/** The kernel's byte limits: page-rounded on write, 'max' for none, a huge number for none on v1. */
import { textOf, type KnobFiles } from './knob.ts';

/** Page size of every machine Node runs on here; limits are kept by the kernel in pages. */
const PAGE = 4096n;

/** v1 prints its "unlimited" as LONG_MAX rounded to a page; anything this large means none. */
const V1_UNLIMITED = 1n << 62n;

/** Rounds a canonical byte count down to a multiple of the page size. */
export function floorPage(value: string, page = PAGE): string {
  return /^\d+$/.test(value) ? String((BigInt(value) / page) * page) : value;
}

/** memory.* of v2: bytes or 'max', rounded down to a page. */
export function bytesV2(file: string, more: Pick<KnobFiles, 'since' | 'conditional'> = {}): KnobFiles {
  return {
    files: [file],
    parse: ([text]) => text?.trim(),
    format: (value) => [{ file, data: textOf(value) }],
    normalise: (value) => floorPage(value),
    ...more,
  };
}

/** Bytes that v1 shows, 'max' for its huge numbers; undefined for what is no number. */
export function v1Bytes(text: string | undefined, none = 'max'): string | undefined {
  const value = text?.trim();
  if (value === undefined || !/^\d+$/.test(value)) {
    return undefined;
  }
  return BigInt(value) >= V1_UNLIMITED ? none : value;
}

/**
 * memory.*_in_bytes of v1: -1 is written for none.
 * @param none the canonical value that v1 spells as unlimited ('max' for a limit, '0' for a protection)
 */
export function bytesV1(file: string, none: string): KnobFiles {
  return {
    files: [file],
    parse: ([text]) => v1Bytes(text, none),
    format: (value) => [{ file, data: value === none ? '-1' : textOf(value) }],
    normalise: (value) => floorPage(value),
  };
}
