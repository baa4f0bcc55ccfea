/** `nice:`, `scheduler:`, `ioprio:` and `cpu_affinity:` of a container (sched(7), ioprio_set(2)). */
import * as z from 'zod';
import type { Scheduler } from '../../../kernel/reader.ts';
import { parseCpuList, parseMicroseconds } from '../../units.ts';
import { meant, show, valueSchema, ValueError } from '../../values.ts';

/** SCHED_* of include/uapi/linux/sched.h. */
const POLICIES = { other: 0, fifo: 1, rr: 2, batch: 3, idle: 5, deadline: 6 } as const;
type Policy = keyof typeof POLICIES;
const POLICY_NAMES = Object.keys(POLICIES) as readonly Policy[];
const RESET_ON_FORK = 1;

/** Policies that have a nice value. */
export const FAIR: readonly string[] = ['other', 'batch', 'idle'];

const policyWord = valueSchema(
  (input): Policy => {
    const word = POLICY_NAMES.find((p) => p === input);
    if (word === undefined) {
      throw new ValueError(
        `${show(input)} is not a scheduling policy`,
        POLICY_NAMES.join(', '),
        meant(input, POLICY_NAMES),
      );
    }
    return word;
  },
  { enum: POLICY_NAMES },
);

/** A whole number within bounds, which may be below zero. */
export function bounded(what: string, least: number, most: number): z.ZodType<number> {
  return valueSchema(
    (input) => {
      if (typeof input !== 'number' || !Number.isInteger(input) || input < least || input > most) {
        throw new ValueError(`${show(input)} is not ${what}`, `a whole number from ${least} to ${most}`);
      }
      return input;
    },
    { type: 'integer', minimum: least, maximum: most },
  );
}

const micros = valueSchema(parseMicroseconds, { type: ['string', 'number'] });

const schedulerObject = z
  .strictObject({
    policy: policyWord,
    priority: bounded('a real-time priority', 1, 99).optional(),
    runtime: micros.optional(),
    deadline: micros.optional(),
    period: micros.optional(),
    reset_on_fork: z.boolean().optional(),
  })
  .transform((s, context): string => {
    const wrong = schedulerFault(s);
    if (wrong !== undefined) {
      const { path, message, expected } = wrong;
      context.addIssue({ code: 'custom', path: [path], message, params: { expected } });
      return z.NEVER;
    }
    const words: string[] = [s.policy];
    if (s.priority !== undefined) {
      words.push(`priority=${s.priority}`);
    }
    if (s.policy === 'deadline') {
      words.push(`runtime=${s.runtime}us`, `deadline=${s.deadline}us`, `period=${s.period ?? s.deadline}us`);
    }
    return [...words, ...(s.reset_on_fork === true ? ['reset_on_fork'] : [])].join(' ');
  });

interface SchedulerInput {
  readonly policy: Policy;
  readonly priority?: number | undefined;
  readonly runtime?: number | undefined;
  readonly deadline?: number | undefined;
  readonly period?: number | undefined;
}

/** What sched_setattr(2) would refuse, told before. */
function schedulerFault(s: SchedulerInput): { path: string; message: string; expected: string } | undefined {
  const realtime = s.policy === 'fifo' || s.policy === 'rr';
  if (realtime !== (s.priority !== undefined)) {
    return realtime
      ? { path: 'policy', message: `the policy ${s.policy} needs a priority`, expected: 'priority: 1 to 99' }
      : {
          path: 'priority',
          message: `the policy ${s.policy} has no priority`,
          expected: 'fifo or rr; others have nice',
        };
  }
  const given = (['runtime', 'deadline', 'period'] as const).find((key) => s[key] !== undefined);
  if (s.policy !== 'deadline') {
    return given === undefined
      ? undefined
      : { path: given, message: `the policy ${s.policy} has no ${given}`, expected: 'policy: deadline' };
  }
  const { runtime, deadline, period = deadline } = s;
  if (runtime === undefined || deadline === undefined || period === undefined) {
    return {
      path: 'policy',
      message: 'the policy deadline needs runtime and deadline',
      expected: 'runtime, deadline, period',
    };
  }
  return runtime >= 2 && runtime <= deadline && deadline <= period
    ? undefined
    : {
        path: 'runtime',
        message: `runtime ${runtime}us, deadline ${deadline}us and period ${period}us do not fit`,
        expected: 'runtime at most deadline, deadline at most period',
      };
}

/** Canonical text: 'other', 'fifo priority=10', 'deadline runtime=10us deadline=20us period=20us', with 'reset_on_fork'. */
export const schedulerSchema: z.ZodType<string> = z.union([
  valueSchema(
    (input): string => {
      const word = POLICY_NAMES.find((p) => p === input);
      if (word === undefined || word === 'fifo' || word === 'rr' || word === 'deadline') {
        const hint = word === undefined ? meant(input, POLICY_NAMES) : `{ policy: ${word}, … }`;
        throw new ValueError(
          word === undefined
            ? `${show(input)} is not a scheduling policy`
            : `the policy ${word} needs more than its name`,
          'other, batch, idle, or { policy: fifo | rr | deadline, … }',
          hint,
        );
      }
      return word;
    },
    { enum: ['other', 'batch', 'idle'] },
  ),
  schedulerObject,
]);

export const niceSchema = bounded('a nice value', -20, 19).transform(String);

const IO_CLASSES = ['none', 'rt', 'be', 'idle'] as const;
const IO_EXPECTED = 'none, idle, or { class: rt | be, level: 0 to 7 }';

/** 'none', 'idle', 'be 4', 'rt 0'. */
export const ioprioSchema: z.ZodType<string> = valueSchema(
  (input): string => {
    const {
      class: word = input,
      level,
      ...more
    } = typeof input === 'object' && input !== null ? (input as Record<string, unknown>) : { level: undefined };
    const name = IO_CLASSES.find((c) => c === word);
    if (name === undefined || Object.keys(more).length > 0) {
      throw new ValueError(`${show(input)} is not an i/o priority`, IO_EXPECTED, meant(word, IO_CLASSES));
    }
    const graded = name === 'rt' || name === 'be';
    const number = graded && level === undefined ? 4 : level;
    if (graded ? !Number.isInteger(number) || Number(number) < 0 || Number(number) > 7 : level !== undefined) {
      throw new ValueError(`${show(level)} is not a level of the i/o class ${name}`, IO_EXPECTED);
    }
    return graded ? `${name} ${Number(number)}` : name;
  },
  {
    anyOf: [
      { enum: IO_CLASSES },
      {
        type: 'object',
        properties: { class: { enum: IO_CLASSES }, level: { type: 'integer', minimum: 0, maximum: 7 } },
        required: ['class'],
        additionalProperties: false,
      },
    ],
    examples: ['none', 'idle', { class: 'be', level: 4 }],
  },
);

/** A list such as '0-3,7'; 'all' is every processor its cpuset allows. */
export const affinitySchema: z.ZodType<string> = valueSchema(
  (input) => (input === 'all' ? 'all' : parseCpuList(input)),
  {
    type: ['string', 'integer', 'array'],
  },
);

/** sched_setattr(2)'s form of a policy text and a nice value. */
export function schedulerOf(text: string, nice: string): Scheduler {
  const [policy = 'other', ...words] = text.split(' ');
  const value = (key: string): number =>
    Number(/\d+/.exec(words.find((w) => w.startsWith(`${key}=`)) ?? '0')?.[0] ?? 0);
  return {
    policy: POLICIES[policy as Policy],
    flags: words.includes('reset_on_fork') ? RESET_ON_FORK : 0,
    nice: FAIR.includes(policy) ? Number(nice) : 0,
    priority: value('priority'),
    runtime: value('runtime') * 1000,
    deadline: value('deadline') * 1000,
    period: value('period') * 1000,
  };
}

/** The canonical text of what the kernel shows. */
export function schedulerText(s: Scheduler): string {
  const policy = POLICY_NAMES.find((p) => POLICIES[p] === s.policy) ?? `policy-${s.policy}`;
  const us = (ns: number): string => `${ns / 1000}us`;
  return [
    policy,
    ...(s.priority > 0 ? [`priority=${s.priority}`] : []),
    ...(policy === 'deadline'
      ? [`runtime=${us(s.runtime)}`, `deadline=${us(s.deadline)}`, `period=${us(s.period)}`]
      : []),
    ...((s.flags & RESET_ON_FORK) !== 0 ? ['reset_on_fork'] : []),
  ].join(' ');
}

/** ioprio_set(2)'s number: the class above bit 13, the level below. */
export function ioprioNumber(text: string): number {
  const [name = 'none', level = '0'] = text.split(' ');
  return (IO_CLASSES.indexOf(name as (typeof IO_CLASSES)[number]) << 13) | Number(level);
}

/** The canonical text of ioprio_get(2)'s number. */
function ioprioText(value: number): string {
  const name = IO_CLASSES[value >> 13] ?? `class-${value >> 13}`;
  return name === 'rt' || name === 'be' ? `${name} ${value & 7}` : name;
}

/**
 * The i/o priority a thread has. Some kernels answer for none what they make of it, best effort by a fifth of the nice
 * value: that is none where none was applied.
 */
export function ioprioLive(value: number, nice: number, applied: unknown): string {
  const text = ioprioText(value);
  return text === `be ${Math.floor((nice + 20) / 5)}` && (applied === undefined || applied === 'none') ? 'none' : text;
}
