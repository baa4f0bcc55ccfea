/** `user:` of a container. */
import * as z from 'zod';
import { parseId } from '../units.ts';
import { show, valueSchema, ValueError } from '../values.ts';

/** A name or a number. */
export const userPart = valueSchema(
  (input): string | number => {
    if (typeof input === 'number') {
      return parseId(input);
    }
    if (typeof input !== 'string') {
      throw new ValueError(`${show(input)} is not a user or group`, USER_EXPECTED);
    }
    return namedOrNumbered(input);
  },
  { type: ['string', 'integer'] },
);
const USER_EXPECTED = 'a number, a name of /etc/passwd or /etc/group in the container, or USER:GROUP';

function namedOrNumbered(text: string): string | number {
  if (/^\d+$/.test(text)) {
    return parseId(text);
  }
  // useradd(8) and systemd agree on these letters.
  if (!/^[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?$/.test(text)) {
    throw new ValueError(`${show(text)} is not a user or group`, USER_EXPECTED);
  }
  return text;
}

export interface UserSpec {
  readonly user: string | number;
  /** null: the user's own group, or 0 for a number that /etc/passwd does not have. */
  readonly group: string | number | null;
  /** Supplementary groups. */
  readonly groups: readonly (string | number)[];
}

/** `1000`, `name`, `1000:1000`, `name:group`, or { user, group, groups }. */
export const userSchema: z.ZodType<UserSpec> = z.union([
  valueSchema(
    (input): UserSpec => {
      const parts = typeof input === 'string' ? input.split(':') : [input];
      if (parts.length > 2 || (typeof input !== 'string' && typeof input !== 'number')) {
        throw new ValueError(`${show(input)} is not a user or group`, USER_EXPECTED);
      }
      const [user, group = null] = parts.map((p) =>
        typeof p === 'number' ? parseId(p) : namedOrNumbered(p as string),
      );
      return { user: user as string | number, group, groups: [] };
    },
    { type: ['string', 'integer'] },
  ),
  z
    .strictObject({ user: userPart, group: userPart.optional(), groups: z.array(userPart).optional() })
    .transform(({ user, group, groups }): UserSpec => ({ user, group: group ?? null, groups: groups ?? [] })),
]);
