/** The value forms of cgroup knobs: what the stack may say and the canonical text it becomes. */
import * as z from 'zod';
import { parseBytes, parseCpuAmount, parseCpuList, parseMicroseconds, wholeNumber } from '../units.ts';
import { meant, show, valueSchema, ValueError } from '../values.ts';

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
export const flag: z.ZodType<string> = valueSchema(
  (input) => {
    if (typeof input !== 'boolean') {
      throw new ValueError(`${show(input)} is not true or false`, 'true or false');
    }
    return input ? '1' : '0';
  },
  { type: 'boolean', examples: [true] },
);

/** A whole number within bounds; canonical decimal text. */
export function numberWithin(
  what: string,
  least: number,
  most: number,
  examples: readonly number[],
): z.ZodType<string> {
  const expected = `a whole number from ${least} to ${most}`;
  return valueSchema(
    (input) => {
      if (typeof input !== 'number' || !Number.isInteger(input) || input < least || input > most) {
        throw new ValueError(`${show(input)} is not a ${what}`, expected);
      }
      return String(input);
    },
    { type: 'integer', minimum: least, maximum: most, examples },
  );
}

/** A count of anything, or 'max'. */
export function countOrMax(what: string): z.ZodType<string> {
  const expected = "a whole number, or 'max'";
  return valueSchema(
    limited((input) => {
      if (typeof input !== 'number') {
        throw new ValueError(`${show(input)} is not a ${what}`, expected);
      }
      return String(wholeNumber(input, what, expected));
    }),
    { type: ['string', 'integer'], examples: [1000, 'max'] },
  );
}

/** A duration kept in µs. */
export const microseconds: z.ZodType<string> = valueSchema((input) => String(parseMicroseconds(input)), {
  type: ['string', 'number'],
  examples: ['10ms', '500us'],
});

/** One of some words, which are canonical as they are. */
export function oneOf(what: string, words: readonly string[]): z.ZodType<string> {
  return valueSchema(
    (input) => {
      if (typeof input !== 'string' || !words.includes(input)) {
        throw new ValueError(`${show(input)} is not a ${what}`, words.join(', '), meant(input, words));
      }
      return input;
    },
    { enum: words },
  );
}

const UCLAMP_EXPECTED = "a percentage from 0 to 100 with at most two decimals, or 'max'";

/** cpu.uclamp.*: percent of a processor's capacity; canonical with two decimals as the kernel prints it. */
export const utilClamp: z.ZodType<string> = valueSchema(
  (input) => {
    if (input === 'max') {
      return 'max';
    }
    const match = typeof input === 'string' ? /^\s*(\d{1,3}(?:\.\d{1,2})?)\s*%?\s*$/.exec(input) : null;
    const percent = match === null ? (typeof input === 'number' ? input : NaN) : Number(match[1]);
    if (!(percent >= 0 && percent <= 100) || Math.abs(percent * 100 - Math.round(percent * 100)) > 1e-6) {
      throw new ValueError(`${show(input)} is not a utilisation`, UCLAMP_EXPECTED);
    }
    // The kernel calls everything 'max'.
    return percent === 100 ? 'max' : percent.toFixed(2);
  },
  { type: ['string', 'number'], examples: ['25%', 12.34, 'max'] },
);

/**
 * A check of a map's keys that also runs when values are wrong, and then speaks for them: a misspelt key is one mistake.
 * @param wrong what is the matter with a key, undefined when nothing is
 */
export function keysFit(
  wrong: (key: string) => { message: string; expected?: string | undefined; hint?: string | undefined } | undefined,
): z.core.$ZodCheck<Record<string, unknown>> {
  const check = z.check<Record<string, unknown>>((payload) => {
    const input: unknown = payload.value;
    for (const key of typeof input === 'object' && input !== null ? Object.keys(input) : []) {
      const problem = wrong(key);
      if (problem !== undefined) {
        payload.issues = payload.issues.filter((issue) => issue.path?.[0] !== key);
        payload.issues.push({
          code: 'custom',
          input,
          path: [key],
          message: problem.message,
          params: { at: 'key', expected: problem.expected, hint: problem.hint },
        });
      }
    }
  });
  check._zod.def.when = () => true;
  return check;
}
