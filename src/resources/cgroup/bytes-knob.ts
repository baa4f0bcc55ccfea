/** The kernel's byte limits: page-rounded on write, 'max' for none, a huge number for none on v1. */
import type { KnobFiles } from './knob.ts';

/** Page size of every machine Node runs on here; limits are kept by the kernel in pages. */
const PAGE = 4096n;

/** v1 prints its "unlimited" as LONG_MAX rounded to a page; anything this large means none. */
const V1_UNLIMITED = 1n << 62n;

function floorPage(value: string): string {
  return /^\d+$/.test(value) ? String((BigInt(value) / PAGE) * PAGE) : value;
}

/** memory.* of v2: bytes or 'max', rounded down to a page. */
export function bytesV2(file: string): KnobFiles {
  return {
    files: [file],
    parse: ([text]) => text?.trim(),
    format: (value) => [{ file, data: value }],
    normalise: floorPage,
  };
}

/**
 * memory.*_in_bytes of v1: -1 is written for none.
 * @param none the canonical value that v1 spells as unlimited ('max' for a limit, '0' for a protection)
 */
export function bytesV1(file: string, none: string): KnobFiles {
  return {
    files: [file],
    parse: ([text]) => {
      const value = text?.trim();
      if (value === undefined || !/^\d+$/.test(value)) {
        return undefined;
      }
      return BigInt(value) >= V1_UNLIMITED ? none : value;
    },
    format: (value) => [{ file, data: value === none ? '-1' : value }],
    normalise: floorPage,
  };
}
