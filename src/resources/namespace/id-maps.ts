/** Maps of user namespaces in the stack language: written out, or how to find them. */
import * as z from 'zod';
import { idSchema } from '../units.ts';
import { show, valueSchema, ValueError } from '../values.ts';

/** `count` ids from `inside` in the namespace are those from `outside` in its parent. */
export interface IdMap {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

/** Maps that are not written out: found from the pool of subordinate ids, see resources/userns. */
export type IdAllocation =
  /** `size` ids that nothing else on the machine has. */
  | { readonly kind: 'auto'; readonly size: number }
  /** One user keeps its number inside; null is the owner of the stack file. The other ids are from the pool. */
  | { readonly kind: 'keep-id'; readonly uid: number | null; readonly gid: number | null; readonly size: number };

/** How many ids a namespace has when nothing else is said: 0 to 65535, nobody included. */
export const DEFAULT_SIZE = 65_536;

/** Ids after the last one would be 4294967295, which the kernel keeps for "no id". */
export const ID_END = 4_294_967_295;

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

/** user_namespaces(7): "must be less than the system page size". */
const MAP_BYTES = 4096;

/** Text for uid_map or gid_map, in the order in which the kernel shows more than five lines. */
export function mapText(maps: readonly IdMap[]): string {
  return [...maps]
    .sort((a, b) => a.inside - b.inside)
    .map((m) => `${m.inside} ${m.outside} ${m.count}`)
    .join('\n');
}

/** Lines of a uid_map or gid_map: at most 340 (the kernel's bound), none overlapping on either side. */
export const idRangesSchema = z
  .array(z.strictObject({ inside: idSchema, outside: idSchema, count: countSchema }))
  .min(1)
  .max(340)
  .superRefine((maps, context) => {
    const issue = (path: (string | number)[], message: string, expected: string, hint?: string): void => {
      context.addIssue({ code: 'custom', path, message, params: { expected, hint } });
    };
    maps.forEach((map, index) => {
      for (const side of ['inside', 'outside'] as const) {
        if (map[side] + map.count > ID_END) {
          const message = `${map.count} ids from ${side} ${map[side]} run past 4294967294, the last id`;
          issue([index, 'count'], message, `at most ${ID_END - map[side]}`);
        }
        const other = maps.findIndex(
          (m, i) => i < index && m[side] < map[side] + map.count && map[side] < m[side] + m.count,
        );
        if (other >= 0) {
          const { [side]: from, count } = maps[other] as IdMap;
          const message = `${side} ${span(map[side], map.count)} overlaps entry ${other + 1} of this map, ${side} ${span(from, count)}`;
          issue([index, side], message, `ids that no other entry has on its ${side}`);
        }
      }
    });
    const bytes = mapText(maps).length;
    if (bytes >= MAP_BYTES) {
      const message = `the map takes ${bytes} bytes, and the kernel reads less than ${MAP_BYTES} (user_namespaces(7))`;
      issue([], message, 'fewer or longer ranges');
    }
  });

/** Of a user namespace: id 0 is among them. */
export const idMapsSchema = idRangesSchema.superRefine((maps, context) => {
  if (!maps.some((m) => m.inside === 0)) {
    const message = 'no entry maps id 0 inside: without a root nothing can be mounted there';
    context.addIssue({ code: 'custom', path: [], message, params: { expected: 'an entry with inside: 0' } });
  }
});

function span(from: number, count: number): string {
  return count === 1 ? `${from}` : `${from}-${from + count - 1}`;
}

/** `auto`, `auto: true`, `auto: { size }`. */
const autoSchema = z.union([
  z.literal(true).transform((): IdAllocation => ({ kind: 'auto', size: DEFAULT_SIZE })),
  z
    .strictObject({ size: countSchema.optional() })
    .transform(({ size }): IdAllocation => ({ kind: 'auto', size: size ?? DEFAULT_SIZE })),
]);

/** `keep-id`, `keep-id: true`, `keep-id: { uid, gid, size }`. */
const keepIdSchema = z.union([
  z.literal(true).transform((): IdAllocation => KEEP_ID),
  z
    .strictObject({ uid: idSchema.optional(), gid: idSchema.optional(), size: countSchema.optional() })
    .transform(({ uid, gid, size }): IdAllocation => ({
      kind: 'keep-id',
      uid: uid ?? null,
      gid: gid ?? uid ?? null,
      size: size ?? DEFAULT_SIZE,
    })),
]);

const KEEP_ID: IdAllocation = { kind: 'keep-id', uid: null, gid: null, size: DEFAULT_SIZE };

/** What the bare words stand for. */
export const ALLOCATION_WORDS: Readonly<Record<string, IdAllocation>> = {
  auto: { kind: 'auto', size: DEFAULT_SIZE },
  'keep-id': KEEP_ID,
};

/** Keys of a user namespace. */
export const userShape = {
  uids: idMapsSchema.optional(),
  gids: idMapsSchema.optional(),
  setgroups: z.enum(['allow', 'deny']).optional(),
  auto: autoSchema.optional(),
  'keep-id': keepIdSchema.optional(),
  allow_host_root: z.boolean().optional(),
};
export type UserInput = { readonly [K in keyof typeof userShape]?: z.output<(typeof userShape)[K]> | undefined };

const HOST_ROOT_HINT = 'allow_host_root: true says that it is meant';

/** What no single key of a user namespace shows. */
export function checkUser(value: UserInput, context: z.core.$RefinementCtx): void {
  const issue = (path: (string | number)[], message: string, expected: string, hint?: string, at?: 'key'): void => {
    context.addIssue({ code: 'custom', path, message, params: { expected, hint, at } });
  };
  const given = (['uids', 'gids', 'auto', 'keep-id'] as const).filter((key) => value[key] !== undefined);
  const finders = given.filter((key) => key === 'auto' || key === 'keep-id');
  const [finder] = finders;
  if (finder !== undefined && given.length > 1) {
    const other = given.find((key) => key !== finder) as string;
    issue([finder], `${finder} finds the maps that ${other} says already`, `${finder} or ${other}`, undefined, 'key');
  }
  if (value.allow_host_root === true) {
    return;
  }
  for (const key of ['uids', 'gids'] as const) {
    value[key]?.forEach((map, index) => {
      if (map.outside === 0) {
        const what = key === 'uids' ? 'user' : 'group';
        const message = `${what} 0 of the host is mapped: ${map.inside} inside would be root outside`;
        issue([key, index, 'outside'], message, 'outside ids from 1', HOST_ROOT_HINT);
      }
    });
  }
  const kept = value['keep-id'];
  for (const key of ['uid', 'gid'] as const) {
    if (kept?.kind === 'keep-id' && kept[key] === 0 && !(key === 'gid' && kept.uid === 0)) {
      issue(['keep-id', key], 'root of the host would be root inside', 'an id from 1', HOST_ROOT_HINT);
    }
  }
}
