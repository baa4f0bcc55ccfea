/**
 * Units of the stack language: parse, format, and the zod schemas made of them.
 *
 * Parsers take raw YAML values, return plain numbers or text, and throw ValueError; none ever returns NaN, an infinity
 * or a negative number (parseOffset, which is signed, aside).
 */
import { show, valueSchema, ValueError } from './values.ts';

export { ValueError, valueSchema, show } from './values.ts';

const KIB = 1024;
const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;
const BYTES_EXPECTED = 'a size such as 64M, 512KiB or 1.5GiB, or a whole number of bytes';

/**
 * Bytes from `512KiB`, `1.5GiB`, `64M`, `1g`, `2 TiB`, `100B` or a whole number.
 *
 * K, M, G, T and P are powers of 1024 with or without `B` or `iB`, in any case: 1K = 1KB = 1KiB = 1024, as in Compose
 * and in the kernel's own files. A fraction of a byte is dropped. At most 2^53 - 1.
 */
export function parseBytes(input: unknown): number {
  if (typeof input === 'number') {
    return wholeNumber(input, 'size', BYTES_EXPECTED);
  }
  if (typeof input !== 'string') {
    throw new ValueError(`${show(input)} is not a size`, BYTES_EXPECTED);
  }
  const match = /^\s*(\d{1,16}(?:\.\d{1,16})?)\s*(?:([kmgtp])(?:i?b)?|b)?\s*$/i.exec(input);
  if (match === null) {
    throw new ValueError(`${show(input)} is not a size`, BYTES_EXPECTED, negativeHint(input));
  }
  const power = match[2] === undefined ? 0 : 'kmgtp'.indexOf(match[2].toLowerCase()) + 1;
  const bytes = Math.floor(Number(match[1]) * KIB ** power);
  return wholeNumber(bytes, 'size', BYTES_EXPECTED, input);
}

/** Bytes as people read them: '256 MiB', '1.5 GiB', '100 B'; at most three decimals. */
export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes) || bytes < 0) {
    return String(bytes);
  }
  let unit = 0;
  let value = bytes;
  while (unit < BYTE_UNITS.length - 1 && Number(value.toFixed(3)) >= KIB) {
    value /= KIB;
    unit++;
  }
  return `${Number(value.toFixed(3))} ${BYTE_UNITS[unit]}`;
}

const NS_PER: Readonly<Record<string, bigint>> = {
  d: 86_400_000_000_000n,
  h: 3_600_000_000_000n,
  m: 60_000_000_000n,
  s: 1_000_000_000n,
  ms: 1_000_000n,
  us: 1_000n,
  ns: 1n,
};
const UNIT_ORDER = Object.keys(NS_PER);
const DURATION_EXPECTED = 'a duration such as 10s, 1m30s, 500ms or 2h, or a number of seconds';

/** Nanoseconds of an unsigned duration's text; null when it is none. Units are d h m s ms us ns, largest first, each once. */
function nanoseconds(text: string): bigint | null {
  if (/^\d{1,15}(?:\.\d{1,9})?$/.test(text)) {
    return scaled(text, NS_PER['s'] as bigint);
  }
  const parts = text.length > 100 ? null : text.match(/\d+(?:\.\d+)?(?:ms|us|ns|d|h|m|s)/g);
  if (parts === null || parts.join('') !== text) {
    return null;
  }
  let total = 0n;
  let last = -1;
  for (const part of parts) {
    const split = /^([\d.]+)([a-z]+)$/.exec(part) as RegExpExecArray;
    const order = UNIT_ORDER.indexOf(split[2] as string);
    if (order <= last) {
      return null;
    }
    last = order;
    total += scaled(split[1] as string, NS_PER[split[2] as string] as bigint);
  }
  return total;
}

function scaled(decimal: string, factor: bigint): bigint {
  const [whole = '0', fraction = ''] = decimal.split('.');
  return BigInt(whole) * factor + (BigInt(fraction === '' ? 0 : fraction) * factor) / 10n ** BigInt(fraction.length);
}

function durationIn(unit: 'ms' | 'us', input: unknown): number {
  const text = typeof input === 'number' ? plainDecimal(input) : input;
  const ns = typeof text === 'string' ? nanoseconds(text.trim()) : null;
  if (ns === null) {
    throw new ValueError(`${show(input)} is not a duration`, DURATION_EXPECTED, negativeHint(text));
  }
  const factor = NS_PER[unit] as bigint;
  if (ns % factor !== 0n) {
    throw new ValueError(
      `${show(input)} is finer than 1 ${unit}`,
      `a whole number of ${unit === 'ms' ? 'milliseconds' : 'microseconds'}`,
    );
  }
  return wholeNumber(Number(ns / factor), 'duration', DURATION_EXPECTED, input);
}

/** Milliseconds from `10s`, `1m30s`, `500ms`, `1.5h`, `1d` or a number of seconds. Not finer than 1 ms. */
export function parseDuration(input: unknown): number {
  return durationIn('ms', input);
}

/** Microseconds from the same forms as parseDuration and `100us`; for scheduler periods and the like. */
export function parseMicroseconds(input: unknown): number {
  return durationIn('us', input);
}

/** Milliseconds as parseDuration reads them: '1m30s', '500ms', '0s'. Exact for whole milliseconds. */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms) || ms < 0) {
    return String(ms);
  }
  let rest = Math.round(ms);
  let text = '';
  for (const [unit, size] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
    ['ms', 1],
  ] as const) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    text += count > 0 ? `${count}${unit}` : '';
  }
  return text === '' ? '0s' : text;
}

/** A signed point or shift in time as the kernel writes it: nsec counts up from sec, so -1.5 s is {-2, 500000000}. */
export interface TimeOffset {
  readonly sec: number;
  readonly nsec: number;
}

/** A shift of a clock: seconds (`-3600`, `1.5`) or a duration with an optional sign (`-1h`, `+10s500ms`). */
export function parseOffset(input: unknown): TimeOffset {
  const expected = 'seconds or a duration, with a sign if backwards: 3600, -1h, 10s500ms';
  const text = typeof input === 'number' ? plainDecimal(input) : input;
  const match = typeof text === 'string' ? /^\s*([+-]?)(.+?)\s*$/.exec(text) : null;
  const magnitude = match === null ? null : nanoseconds(match[2] as string);
  if (match === null || magnitude === null) {
    throw new ValueError(`${show(input)} is not a time offset`, expected);
  }
  const billion = NS_PER['s'] as bigint;
  const ns = match[1] === '-' ? -magnitude : magnitude;
  const nsec = ((ns % billion) + billion) % billion;
  const sec = Number((ns - nsec) / billion);
  // The kernel takes no offset beyond KTIME_SEC_MAX / 2 (some 146 years).
  if (Math.abs(sec) > 4_611_686_018) {
    throw new ValueError(`${show(input)} is too far: the kernel takes offsets up to some 146 years`, expected);
  }
  return { sec, nsec: Number(nsec) };
}

const CPU_EXPECTED = 'cores such as 1.5, or a share of one such as 150%';

/** Cores as a fraction from `150%`, `1.5` or "1.5": all mean one and a half. More than 0, at most 65536. */
export function parseCpuAmount(input: unknown): number {
  const match = typeof input === 'string' ? /^\s*(\d{1,9}(?:\.\d{1,9})?)\s*(%?)\s*$/.exec(input) : null;
  if (match === null && typeof input !== 'number') {
    throw new ValueError(`${show(input)} is not an amount of CPU`, CPU_EXPECTED, negativeHint(input));
  }
  const cores = match === null ? (input as number) : match[2] === '%' ? Number(match[1]) / 100 : Number(match[1]);
  if (!Number.isFinite(cores) || cores <= 0 || cores > 65_536) {
    throw new ValueError(
      `${show(input)} is not an amount of CPU: it must be more than 0 and at most 65536 cores`,
      CPU_EXPECTED,
    );
  }
  return cores;
}

/** Cores as a percentage of one: 1.5 is '150%'. */
export function formatCpuAmount(cores: number): string {
  return `${Number((cores * 100).toFixed(3))}%`;
}

/** A user or group number. 4294967295 is the kernel's "no id" and is refused. */
export function parseId(input: unknown): number {
  const expected = 'a number from 0 to 4294967294';
  const id = typeof input === 'string' && /^\d{1,10}$/.test(input) ? Number(input) : input;
  if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > 4_294_967_294) {
    throw new ValueError(`${show(input)} is not an id`, expected);
  }
  return id;
}

const LIST_LIMIT = 65_535;

/** A list of CPUs or memory nodes, sorted and merged: `3,0-1,2,7` is '0-3,7'. Also a number or a YAML list of them. */
export function parseCpuList(input: unknown): string {
  const expected = 'numbers and ranges such as 0-3,7';
  const text = Array.isArray(input) ? input.join(',') : typeof input === 'number' ? String(input) : input;
  if (typeof text !== 'string' || text.length > 100_000) {
    throw new ValueError(`${show(input)} is not a list of CPUs or nodes`, expected);
  }
  const ranges: [number, number][] = [];
  for (const part of text.split(',')) {
    const match = /^\s*(\d{1,6})(?:\s*-\s*(\d{1,6}))?\s*$/.exec(part);
    const from = Number(match?.[1]);
    const to = Number(match?.[2] ?? match?.[1]);
    if (match === null || to > LIST_LIMIT) {
      throw new ValueError(`${show(text)} is not a list of CPUs or nodes: ${show(part.trim())} does not fit`, expected);
    }
    if (from > to) {
      throw new ValueError(`the range ${from}-${to} runs backwards`, `${to}-${from}`);
    }
    ranges.push([from, to]);
  }
  return mergeRanges(ranges);
}

function mergeRanges(ranges: [number, number][]): string {
  const merged: [number, number][] = [];
  for (const [from, to] of ranges.sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1] + 1) {
      last[1] = Math.max(last[1], to);
    } else {
      merged.push([from, to]);
    }
  }
  return merged.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

/** Names of stacks, cgroups, namespaces, containers and rule sets; '..' is refused besides. */
export const NAME_PATTERN = /^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
export const NAME_EXPECTED = "1 to 63 of A-Z a-z 0-9 '_' '.' '-', beginning with a letter or digit, without '..'";

/** A name as NAME_PATTERN wants it. A number is refused: YAML would have changed how it is written (007, 1e3). */
export function parseName(input: unknown): string {
  if (typeof input !== 'string') {
    const hint = typeof input === 'number' || typeof input === 'boolean' ? `put it in quotes: "${input}"` : undefined;
    throw new ValueError(`${show(input)} is not a name`, NAME_EXPECTED, hint);
  }
  if (!NAME_PATTERN.test(input)) {
    throw new ValueError(`${show(input)} cannot be a name`, NAME_EXPECTED);
  }
  return input;
}

/** Checks that a number is whole, not negative and exact; `source` is what the message shows. */
export function wholeNumber(value: number, what: string, expected: string, source: unknown = value): number {
  if (!Number.isFinite(value) || value < 0 || !Number.isInteger(value)) {
    throw new ValueError(`${show(source)} is not a ${what}`, expected, value < 0 ? 'it cannot be negative' : undefined);
  }
  if (!Number.isSafeInteger(value)) {
    throw new ValueError(`the ${what} ${show(source)} is too large`, expected);
  }
  return value + 0; // -0 becomes 0
}

function negativeHint(input: unknown): string | undefined {
  return typeof input === 'string' && /^\s*-/.test(input) ? 'it cannot be negative' : undefined;
}

/** A number without exponent, so that 1e-7 and 1e21 do not slip through as other text; '' when that cannot be. */
function plainDecimal(value: number): string {
  const text = String(value);
  return /^-?\d+(\.\d+)?$/.test(text) ? text : '';
}

export const bytesSchema = valueSchema(parseBytes, {
  type: ['string', 'integer'],
  examples: ['512KiB', '1.5GiB', '64M'],
});
export const durationSchema = valueSchema(parseDuration, {
  type: ['string', 'number'],
  examples: ['10s', '1m30s', '500ms'],
});
export const microsecondsSchema = valueSchema(parseMicroseconds, {
  type: ['string', 'number'],
  examples: ['100ms', '50us'],
});
export const offsetSchema = valueSchema(parseOffset, { type: ['string', 'number'], examples: [3600, '-1h'] });
export const cpuAmountSchema = valueSchema(parseCpuAmount, { type: ['string', 'number'], examples: ['150%', 1.5] });
export const idSchema = valueSchema(parseId, { type: 'integer', minimum: 0, maximum: 4_294_967_294 });
export const cpuListSchema = valueSchema(parseCpuList, { type: ['string', 'integer', 'array'], examples: ['0-3,7'] });
export const nameSchema = valueSchema(parseName, { type: 'string', pattern: NAME_PATTERN.source });
