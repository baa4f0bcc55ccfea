/** `rlimits:` of a container: the sixteen limits of getrlimit(2), soft and hard. */
import * as z from 'zod';
import { parseBytes, parseMicroseconds, wholeNumber } from '../../units.ts';
import { show, valueSchema, ValueError } from '../../values.ts';

type Measure = 'count' | 'bytes' | 'seconds' | 'microseconds';

interface Limit {
  /** RLIMIT_* of include/uapi/asm-generic/resource.h, the same on x86_64 and aarch64. */
  readonly number: number;
  readonly measure: Measure;
  /** As /proc/PID/limits calls it. */
  readonly title: string;
}

/** getrlimit(2); titles from fs/proc/base.c. */
export const RLIMITS: Readonly<Record<string, Limit>> = {
  as: { number: 9, measure: 'bytes', title: 'Max address space' },
  core: { number: 4, measure: 'bytes', title: 'Max core file size' },
  cpu: { number: 0, measure: 'seconds', title: 'Max cpu time' },
  data: { number: 2, measure: 'bytes', title: 'Max data size' },
  fsize: { number: 1, measure: 'bytes', title: 'Max file size' },
  locks: { number: 10, measure: 'count', title: 'Max file locks' },
  memlock: { number: 8, measure: 'bytes', title: 'Max locked memory' },
  msgqueue: { number: 12, measure: 'bytes', title: 'Max msgqueue size' },
  nice: { number: 13, measure: 'count', title: 'Max nice priority' },
  nofile: { number: 7, measure: 'count', title: 'Max open files' },
  nproc: { number: 6, measure: 'count', title: 'Max processes' },
  rss: { number: 5, measure: 'bytes', title: 'Max resident set' },
  rtprio: { number: 14, measure: 'count', title: 'Max realtime priority' },
  rttime: { number: 15, measure: 'microseconds', title: 'Max realtime timeout' },
  sigpending: { number: 11, measure: 'count', title: 'Max pending signals' },
  stack: { number: 3, measure: 'bytes', title: 'Max stack size' },
};

const UNLIMITED = 'unlimited';
/** RLIM64_INFINITY. */
export const INFINITY = 0xffff_ffff_ffff_ffffn;

const EXPECTED: Readonly<Record<Measure, string>> = {
  count: "a whole number, or 'unlimited'",
  bytes: "a size such as 64MiB or a whole number of bytes, or 'unlimited'",
  seconds: "a number of seconds or a duration such as 10m, or 'unlimited'",
  microseconds: "a duration such as 200ms, or 'unlimited'",
};

function parseOne(input: unknown, name: string, measure: Measure): string {
  if (input === UNLIMITED || input === -1) {
    return UNLIMITED;
  }
  const expected = EXPECTED[measure];
  try {
    switch (measure) {
      case 'count':
        if (typeof input !== 'number') {
          throw new ValueError('');
        }
        return String(wholeNumber(input, 'limit', expected));
      case 'bytes':
        return String(parseBytes(input));
      case 'seconds':
        return String(Math.ceil(parseMicroseconds(input) / 1e6));
      case 'microseconds':
        return String(parseMicroseconds(input));
    }
  } catch (error) {
    if (!(error instanceof ValueError)) {
      throw error;
    }
    throw new ValueError(`${show(input)} is not a limit for ${name}`, expected);
  }
}

/** True when limit a is above limit b. */
export function exceeds(a: string, b: string): boolean {
  return limitNumber(a) > limitNumber(b);
}

/** The number that prlimit(2) takes. */
export function limitNumber(text: string): bigint {
  return text === UNLIMITED ? INFINITY : BigInt(text);
}

function limitSchema(name: string, { measure }: Limit): z.ZodType<string> {
  return valueSchema(
    (input): string => {
      if (typeof input !== 'object' || input === null) {
        const both = parseOne(input, name, measure);
        return `${both}:${both}`;
      }
      const { soft, hard, ...more } = input as Record<string, unknown>;
      const unknown = Object.keys(more)[0];
      if (unknown !== undefined || soft === undefined || hard === undefined) {
        throw new ValueError(`${show(input)} is not a limit for ${name}`, `${EXPECTED[measure]}, or { soft, hard }`);
      }
      const pair = [parseOne(soft, name, measure), parseOne(hard, name, measure)] as const;
      if (exceeds(pair[0], pair[1])) {
        throw new ValueError(
          `the soft limit ${pair[0]} of ${name} is above the hard one ${pair[1]}`,
          'soft at most hard',
        );
      }
      return pair.join(':');
    },
    { type: ['integer', 'string', 'object'], description: EXPECTED[measure] },
  );
}

/** 'soft:hard' by name, sorted. */
export const rlimitsSchema = z
  .strictObject(Object.fromEntries(Object.entries(RLIMITS).map(([n, limit]) => [n, limitSchema(n, limit).optional()])))
  .transform((limits): Readonly<Record<string, string>> =>
    Object.fromEntries(Object.entries(limits).flatMap(([n, v]) => (typeof v === 'string' ? [[n, v]] : []))),
  );

/** The last that were parsed: containers are mostly given the same. */
let lastParsed: { readonly text: string; readonly limits: Readonly<Record<string, string>> } = { text: '', limits: {} };

/** 'soft:hard' by name, from the text of /proc/PID/limits (proc_pid_limits(5)). */
export function parseLimits(text: string): Readonly<Record<string, string>> {
  if (lastParsed.text !== text) {
    lastParsed = { text, limits: limitsIn(text) };
  }
  return lastParsed.limits;
}

function limitsIn(text: string): Record<string, string> {
  const lines = text.split('\n');
  const found: Record<string, string> = {};
  for (const [name, { title }] of Object.entries(RLIMITS)) {
    const [soft, hard] =
      lines
        .find((l) => l.startsWith(title))
        ?.slice(title.length)
        .trim()
        .split(/\s+/) ?? [];
    if (soft !== undefined && hard !== undefined) {
      found[name] = `${soft}:${hard}`;
    }
  }
  return found;
}

/** The halves of 'soft:hard'. */
export function halves(pair: string): { readonly soft: string; readonly hard: string } {
  const [soft = UNLIMITED, hard = UNLIMITED] = pair.split(':');
  return { soft, hard };
}
