/** Settings of new namespaces: which type has which, and how each is written. */
import * as z from 'zod';
import type { NamespaceType } from '../../kernel/init-spec.ts';
import { idSchema, parseOffset } from '../units.ts';
import { show, valueSchema, ValueError } from '../values.ts';

/** `count` ids from `inside` in the namespace are those from `outside` in its parent. */
export interface IdMap {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

/** The settings each type takes, by their key in the stack. */
export const SETTINGS_OF: Readonly<Record<NamespaceType, readonly string[]>> = {
  user: ['uids', 'gids', 'setgroups'],
  mnt: [],
  pid: [],
  net: [],
  ipc: [],
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

/** Ids after the last one would be 4294967295, which the kernel keeps for "no id". */
const ID_END = 4_294_967_295;

const countSchema = valueSchema(
  (input) => {
    if (typeof input !== 'number' || !Number.isInteger(input) || input < 1 || input > ID_END) {
      throw new ValueError(
        input === 0 ? 'a map of 0 ids maps nothing' : `${show(input)} is not a number of ids`,
        `a whole number from 1 to ${ID_END}`,
      );
    }
    return input;
  },
  { type: 'integer', minimum: 1 },
);

/** Lines of a uid_map or gid_map: at most 340 (the kernel's bound), none overlapping on either side. */
export const idMapsSchema = z
  .array(z.strictObject({ inside: idSchema, outside: idSchema, count: countSchema }))
  .min(1)
  .max(340)
  .superRefine((maps, context) => {
    maps.forEach((map, index) => {
      for (const side of ['inside', 'outside'] as const) {
        if (map[side] + map.count > ID_END) {
          context.addIssue({
            code: 'custom',
            path: [index, 'count'],
            message: `${map.count} ids from ${side} ${map[side]} run past 4294967294, the last id`,
            params: { expected: `at most ${ID_END - map[side]}` },
          });
        }
        const other = maps.findIndex(
          (m, i) => i < index && m[side] < map[side] + map.count && map[side] < m[side] + m.count,
        );
        if (other >= 0) {
          const { [side]: from, count } = maps[other] as IdMap;
          context.addIssue({
            code: 'custom',
            path: [index, side],
            message: `${side} ${span(map[side], map.count)} overlaps entry ${other + 1} of this map, ${side} ${span(from, count)}`,
            params: { expected: `ids that no other entry has on its ${side}` },
          });
        }
      }
    });
  });

function span(from: number, count: number): string {
  return count === 1 ? `${from}` : `${from}-${from + count - 1}`;
}
