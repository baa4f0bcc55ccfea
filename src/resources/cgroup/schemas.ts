/** The value forms of cgroup knobs: what the stack may say and the canonical text it becomes. */
import type { z } from 'zod';
import { parseBytes, parseCpuAmount, parseCpuList, parseMicroseconds, wholeNumber } from '../units.ts';
import { show, valueSchema, ValueError } from '../values.ts';

const limited =
  (parse: (input: unknown) => string) =>
  (input: unknown): string =>
    input === 'max' ? 'max' : parse(input);

/** Bytes or 'max'. */
export const byteLimit: z.ZodType<string> = valueSchema(
  limited((input) => String(parseBytes(input))),
  { type: ['string', 'integer'], examples: ['256MiB', 'max'] },
);

const COUNT_EXPECTED = "a whole number of processes, or 'max'";

/** A count or 'max'. */
export const countLimit: z.ZodType<string> = valueSchema(
  limited((input) => {
    if (typeof input !== 'number') {
      throw new ValueError(`${show(input)} is not a number of processes`, COUNT_EXPECTED);
    }
    return String(wholeNumber(input, 'number of processes', COUNT_EXPECTED));
  }),
  { type: ['string', 'integer'], examples: [512, 'max'] },
);

const WEIGHT_EXPECTED = 'a whole number from 1 to 10000 (100 is the default)';

/** cpu.weight. */
export const cpuWeight: z.ZodType<string> = valueSchema(
  (input) => {
    if (typeof input !== 'number' || !Number.isInteger(input) || input < 1 || input > 10_000) {
      throw new ValueError(`${show(input)} is not a weight`, WEIGHT_EXPECTED);
    }
    return String(input);
  },
  { type: 'integer', examples: [100, 800] },
);

/** The scheduler's default period, µs. */
const PERIOD = 100_000;
const CPU_MAX_EXPECTED = "cores or a percentage (1.5, 150%), 'max', or a time per period such as 20ms/50ms";

/** cpu.max: '150%', 1.5, 'max', or QUOTA/PERIOD as durations; canonical 'QUOTA PERIOD' in µs. */
export const cpuMax: z.ZodType<string> = valueSchema(
  (input) => {
    if (input === 'max') {
      return `max ${PERIOD}`;
    }
    if (typeof input === 'string' && input.includes('/')) {
      const [quota = '', period = ''] = input.split('/');
      return bandwidth(input, parseMicroseconds(quota.trim()), parseMicroseconds(period.trim()));
    }
    return bandwidth(input, Math.round(parseCpuAmount(input) * PERIOD), PERIOD);
  },
  { type: ['string', 'number'], examples: ['150%', 1.5, 'max', '20ms/50ms'] },
);

function bandwidth(input: unknown, quota: number, period: number): string {
  // sched-bwc.rst: at least 1 ms of quota, a period of 1 ms to 1 s.
  if (quota < 1000) {
    throw new ValueError(`${show(input)} is less than the kernel's least quota of 1 ms per period`, CPU_MAX_EXPECTED);
  }
  if (period < 1000 || period > 1_000_000) {
    throw new ValueError(`${show(input)}: the period must be from 1 ms to 1 s`, CPU_MAX_EXPECTED);
  }
  return `${quota} ${period}`;
}

/** A list of processors or memory nodes; canonical sorted ranges. */
export const cpuList: z.ZodType<string> = valueSchema(parseCpuList, {
  type: ['string', 'integer'],
  examples: ['0-3,7'],
});

/** true or false; canonical '1' or '0'. */
export const freezeFlag: z.ZodType<string> = valueSchema(
  (input) => {
    if (typeof input !== 'boolean') {
      throw new ValueError(`${show(input)} is not true or false`, 'true or false');
    }
    return input ? '1' : '0';
  },
  { type: 'boolean', examples: [true] },
);
