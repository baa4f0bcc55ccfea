/** `restart:` of a container. */
import { z } from 'zod';
import { durationSchema } from '../units.ts';
import { show, valueSchema, ValueError } from '../values.ts';
import { boundedCount } from './fields.ts';

export const RESTART_POLICIES = ['no', 'always', 'on-failure', 'unless-stopped'] as const;
export type RestartWord = (typeof RESTART_POLICIES)[number];
const POLICY_EXPECTED = RESTART_POLICIES.join(', ');

const policyWord = valueSchema(
  (input): RestartWord => {
    const word = RESTART_POLICIES.find((policy) => policy === input);
    if (word === undefined) {
      const hint = input === false ? "write 'no'" : input === true ? "write 'always'" : undefined;
      throw new ValueError(`${show(input)} is not a restart policy`, POLICY_EXPECTED, hint);
    }
    return word;
  },
  { enum: RESTART_POLICIES },
);

/** A word, or a map with the number of restarts in a row (0: no bound) and the growing delay between them. */
export const restartSchema = z.union([
  policyWord.transform((policy) => ({ policy, max: undefined, backoff: undefined, backoff_max: undefined })),
  z.strictObject({
    policy: policyWord,
    max: boundedCount('number of restarts', 0, 1_000_000).optional(),
    backoff: durationSchema.optional(),
    backoff_max: durationSchema.optional(),
  }),
]);
