/** Replicas of a container: how many, and how a change that ends them rolls over them. */
import * as z from 'zod';
import { durationSchema } from '../units.ts';
import { meant, show, valueSchema, ValueError } from '../values.ts';
import { boundedCount } from './fields.ts';

export const MAX_REPLICAS = 1000;

export interface UpdateSpec {
  /** Replicas that may be down at once while a change rolls: a number, or a share of them in per cent. */
  readonly maxUnavailable: { readonly count: number } | { readonly percent: number };
  /** What must be true of a replica before the next one is ended; null is healthy where there is a health check. */
  readonly wait: UpdateWait | null;
  /** How long a replica must have run to count as started, ms. */
  readonly settle: number;
  /** Pause between a replica and the next, ms. */
  readonly delay: number;
  /** start-first: the new one is up before the old one ends. */
  readonly order: 'stop-first' | 'start-first';
  readonly onFailure: OnFailure;
}

/** rollback: no old one ends before all new ones are up; if one does not come up, the new ones go. */
export type OnFailure = 'pause' | 'continue' | 'rollback';

export type UpdateWait = 'started' | 'healthy';

export const DEFAULT_UPDATE: UpdateSpec = {
  maxUnavailable: { count: 1 },
  wait: null,
  settle: 1000,
  delay: 0,
  order: 'stop-first',
  onFailure: 'pause',
};

const unavailableSchema = valueSchema(
  (input): UpdateSpec['maxUnavailable'] => {
    const expected = `a number from 1 to ${MAX_REPLICAS}, or a share of the replicas such as 25%`;
    if (typeof input === 'number' && Number.isInteger(input) && input >= 1 && input <= MAX_REPLICAS) {
      return { count: input };
    }
    const percent = typeof input === 'string' ? /^(\d{1,3})%$/.exec(input)?.[1] : undefined;
    if (percent !== undefined && Number(percent) >= 1 && Number(percent) <= 100) {
      return { percent: Number(percent) };
    }
    throw new ValueError(`${show(input)} is not a number of replicas`, expected);
  },
  { type: ['integer', 'string'], examples: [1, '25%'] },
);

const words = <T extends string>(what: string, all: readonly T[]): z.ZodType<T> =>
  valueSchema(
    (input): T => {
      const word = all.find((w) => w === input);
      if (word === undefined) {
        throw new ValueError(`${show(input)} is not ${what}`, all.join(' or '), meant(input, all));
      }
      return word;
    },
    { enum: all },
  );

const updateSchema = z
  .strictObject({
    max_unavailable: unavailableSchema.optional(),
    wait: words('something to wait for', ['started', 'healthy'] as const).optional(),
    settle: durationSchema.optional(),
    delay: durationSchema.optional(),
    order: words('an order', ['stop-first', 'start-first'] as const).optional(),
    on_failure: words('what to do after a failure', ['pause', 'continue', 'rollback'] as const).optional(),
  })
  .superRefine((input, context) => {
    if (input.on_failure === 'rollback' && input.order !== 'start-first') {
      const message = 'there is nothing to go back to: each replica is stopped before the new one is started';
      const params = { expected: 'order: start-first beside it, or pause or continue' };
      context.addIssue({ code: 'custom', path: ['on_failure'], message, params });
    }
  })
  .transform((input): UpdateSpec => ({
    maxUnavailable: input.max_unavailable ?? DEFAULT_UPDATE.maxUnavailable,
    wait: input.wait ?? DEFAULT_UPDATE.wait,
    settle: input.settle ?? DEFAULT_UPDATE.settle,
    delay: input.delay ?? DEFAULT_UPDATE.delay,
    order: input.order ?? DEFAULT_UPDATE.order,
    onFailure: input.on_failure ?? DEFAULT_UPDATE.onFailure,
  }));

export const replicasShape = {
  replicas: boundedCount('number of replicas', 0, MAX_REPLICAS).optional(),
  update: updateSchema.optional(),
};

/** How many of `replicas` may be down at once: at least one, or nothing would ever change. */
export function unavailableAtOnce(update: UpdateSpec, replicas: number): number {
  const most =
    'count' in update.maxUnavailable
      ? update.maxUnavailable.count
      : Math.floor((replicas * update.maxUnavailable.percent) / 100);
  return Math.max(1, most);
}
