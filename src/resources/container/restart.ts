/** `restart:` of a container. */
import * as z from 'zod';
import { durationSchema, formatDuration } from '../units.ts';
import { meant, show, valueSchema, ValueError } from '../values.ts';
import { boundedCount } from './fields.ts';

/** First delay between restarts, ms. */
export const DEFAULT_BACKOFF = 100;

export const RESTART_POLICIES = ['no', 'always', 'on-failure', 'unless-stopped'] as const;
export type RestartWord = (typeof RESTART_POLICIES)[number];
const POLICY_EXPECTED = RESTART_POLICIES.join(', ');

const policyWord = valueSchema(
  (input): RestartWord => {
    const word = RESTART_POLICIES.find((policy) => policy === input);
    if (word === undefined) {
      const hint = input === false ? "write 'no'" : input === true ? "write 'always'" : meant(input, RESTART_POLICIES);
      throw new ValueError(`${show(input)} is not a restart policy`, POLICY_EXPECTED, hint);
    }
    return word;
  },
  { enum: RESTART_POLICIES },
);

/** A word, or a map with the number of restarts in a row (0: no bound) and the growing delay between them. */
export const restartSchema = z.union([
  policyWord.transform((policy) => ({ policy, max: undefined, backoff: undefined, backoff_max: undefined })),
  z
    .strictObject({
      policy: policyWord,
      max: boundedCount('number of restarts', 0, 1_000_000).optional(),
      backoff: durationSchema.optional(),
      backoff_max: durationSchema.optional(),
    })
    .superRefine(({ backoff = DEFAULT_BACKOFF, backoff_max: most }, context) => {
      if (most !== undefined && most < backoff) {
        const message = `backoff_max is ${formatDuration(most)}, shorter than the first delay of ${formatDuration(backoff)}`;
        context.addIssue({
          code: 'custom',
          path: ['backoff_max'],
          message,
          params: { expected: `at least ${formatDuration(backoff)}` },
        });
      }
    }),
]);
