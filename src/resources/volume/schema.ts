/** An item of `volumes:`. */
import * as z from 'zod';
import { commonShape } from '../lifecycle.ts';
import { modeSchema } from '../mode.ts';
import { NAME_PATTERN } from '../units.ts';
import { show, valueSchema, ValueError } from '../values.ts';

export interface VolumeSpec {
  readonly name: string;
  /** Absolute path of a directory that is not ours; null for a volume below the state directory. */
  readonly path: string | null;
  /** STACK/NAME of another stack's volume. */
  readonly external: string | null;
  /** 'UID:GID' of the host, and mode of the directory; null leaves them to whoever uses it. */
  readonly owner: string | null;
  readonly mode: number | null;
}

const ownerSchema = valueSchema(
  (input): string => {
    const match = typeof input === 'string' ? /^(\d{1,10}):(\d{1,10})$/.exec(input) : null;
    if (match === null || Number(match[1]) > 4_294_967_294 || Number(match[2]) > 4_294_967_294) {
      throw new ValueError(`${show(input)} is not an owner`, 'UID:GID in numbers of the host, such as "1000:1000"');
    }
    return `${Number(match[1])}:${Number(match[2])}`;
  },
  { type: 'string', examples: ['1000:1000'] },
);

const externalSchema = valueSchema(
  (input): string => {
    const parts = typeof input === 'string' ? input.split('/') : [];
    if (parts.length !== 2 || !parts.every((p) => NAME_PATTERN.test(p))) {
      throw new ValueError(`${show(input)} does not name a volume of another stack`, 'STACK/NAME');
    }
    return parts.join('/');
  },
  { type: 'string', examples: ['shop/data'] },
);

const fields = z.strictObject({
  path: z.string().min(1).optional(),
  external: externalSchema.optional(),
  owner: ownerSchema.optional(),
  mode: modeSchema.optional(),
  ...commonShape,
});

/** Empty, or a map: `data:`, `data: {}`, `data: { owner: "1000:1000", mode: 0750 }`, `data: { path: ./data }`. */
export const volumeSchema = z
  .union([
    valueSchema(
      (input): null => {
        if (input !== null) {
          throw new ValueError(`${show(input)} is not a volume`, '{} or { path, external, owner, mode }');
        }
        return input;
      },
      { const: null },
    ),
    fields,
  ])
  .transform((input) => input ?? {}) as z.ZodType<z.output<typeof fields>>;

export function volumeSpec(
  name: string,
  input: z.output<typeof volumeSchema>,
  resolvePath: (path: string) => string,
): VolumeSpec {
  return {
    name,
    path: input.path === undefined ? null : resolvePath(input.path),
    external: input.external ?? null,
    owner: input.owner ?? null,
    mode: input.mode ?? null,
  };
}
