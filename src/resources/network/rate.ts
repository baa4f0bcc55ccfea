/** Bit rates of the stack language: parsed, formatted, and the zod schema made of them. */
import { show, valueSchema, ValueError } from '../values.ts';

/** Below it a full-sized packet takes a minute; above it no interface goes. */
const LEAST = 8_000;
const MOST = 1_000_000_000_000;
const EXPECTED = "a rate from 8kbit to 1Tbit per second such as 10Mbit or 1.5Gbit, or 'max'";
const PREFIXES = ['', 'k', 'M', 'G', 'T'] as const;

/** Bits per second from `10Mbit`, `1.5Gbit`, `800kbit/s`, `64000bit`: powers of 1000, the prefix in either case. */
export function parseBitRate(input: unknown): number {
  const match =
    typeof input === 'string' ? /^\s*(\d{1,15}(?:\.\d{1,9})?)\s*([kmgt]?)bit(?:\/s)?\s*$/i.exec(input) : null;
  if (match === null) {
    const unitless = typeof input === 'number' || (typeof input === 'string' && /^[\d.]+\s*[kmgt]?$/i.test(input));
    throw new ValueError(
      `${show(input)} is not a rate`,
      EXPECTED,
      unitless ? 'write the unit: bit, kbit, Mbit' : undefined,
    );
  }
  const power = PREFIXES.findIndex((p) => p.toLowerCase() === (match[2] ?? '').toLowerCase());
  const rate = Math.round(Number(match[1]) * 1000 ** power);
  if (rate < LEAST || rate > MOST) {
    throw new ValueError(`${show(input)} is not a rate that can be held`, EXPECTED);
  }
  return rate;
}

/** '10 Mbit/s' for 10000000; at most three decimals. */
export function formatBitRate(rate: number): string {
  let power = 0;
  let value = rate;
  while (power < PREFIXES.length - 1 && Number(value.toFixed(3)) >= 1000) {
    value /= 1000;
    power++;
  }
  return `${Number(value.toFixed(3))} ${PREFIXES[power]}bit/s`;
}

/** A rate in bits per second, or 'max'; canonical decimal text. */
export const bitRate = valueSchema((input) => (input === 'max' ? 'max' : String(parseBitRate(input))), {
  type: 'string',
  examples: ['10Mbit', '1.5Gbit', 'max'],
});
