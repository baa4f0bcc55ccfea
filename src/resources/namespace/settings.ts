/** Settings of new namespaces: which type has which, and how each is written. */
import type * as z from 'zod';
import type { NamespaceType } from '../../kernel/init-spec.ts';
import { parseOffset } from '../units.ts';
import { show, valueSchema, ValueError } from '../values.ts';
import { userShape } from './id-maps.ts';

/** The settings each type takes, by their key in the stack. */
export const SETTINGS_OF: Readonly<Record<NamespaceType, readonly string[]>> = {
  user: [...Object.keys(userShape), 'sysctls'],
  mnt: [],
  pid: [],
  net: ['sysctls'],
  ipc: ['sysctls'],
  uts: ['hostname', 'domainname'],
  cgroup: [],
  time: ['monotonic', 'boottime'],
};

/** A host or domain name; the kernel takes up to 64 bytes (__NEW_UTS_LEN). */
export function hostSchema(what: 'hostname' | 'domainname'): z.ZodType<string> {
  return valueSchema(
    (input) => {
      if (typeof input !== 'string' || !/^[A-Za-z0-9]([A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?$/.test(input)) {
        const expected = "1 to 64 of A-Z a-z 0-9 '_' '.' '-', beginning and ending with a letter or digit";
        throw new ValueError(`${show(input)} is not a ${what}`, expected);
      }
      return input;
    },
    { type: 'string', maxLength: 64 },
  );
}

/** A shift of a clock, see parseOffset. */
export const offsetSetting = valueSchema(parseOffset, { type: ['string', 'number'], examples: [3600, '-1h'] });
