/** `moved:`, `removed:` and `import:`: what becomes of objects whose address changes, goes, or comes to be. */
import * as z from 'zod';
import { isContainerName, parseReplica } from '../resources/container/replica-names.ts';
import { NAME_PATTERN } from '../resources/units.ts';
import { show, valueSchema, ValueError } from '../resources/values.ts';

const KINDS = ['cgroup', 'namespace', 'volume', 'container'];

const addressSchema = valueSchema(
  (input): string => {
    const expected = 'KIND/NAME such as container/db; kinds are container, cgroup, namespace, volume';
    const [kind = '', ...parts] = typeof input === 'string' ? input.split('/') : [];
    const named =
      kind === 'cgroup'
        ? parts.length > 0 && parts.every((p) => NAME_PATTERN.test(p))
        : parts.length === 1 && (kind === 'container' ? isContainerName(parts[0] ?? '') : isItem(parts[0] ?? ''));
    if (typeof input !== 'string' || !KINDS.includes(kind) || !named) {
      throw new ValueError(`${show(input)} is not the address of a resource`, expected);
    }
    return input;
  },
  { type: 'string', examples: ['container/db'] },
);

function isItem(name: string): boolean {
  return NAME_PATTERN.test(parseReplica(name)?.container ?? name);
}

const idSchema = valueSchema(
  (input): string => {
    const text = typeof input === 'string' ? input : '';
    const parts = text.replace(/^path:/, '').split('/');
    const isPath =
      !text.startsWith('/sys/fs/cgroup') &&
      parts.length > 1 &&
      parts[0] === '' &&
      !parts.includes('..') &&
      !parts.includes('.');
    if (!/^pid:[1-9]\d{0,6}$/.test(text) && !isPath) {
      const expected = 'a path such as /system.slice/db.service or /run/netns/front, or pid:NUMBER';
      const hint = text.startsWith('/sys/fs/cgroup') ? 'leave /sys/fs/cgroup and the hierarchy out' : undefined;
      throw new ValueError(`${show(input)} does not name an existing object`, expected, hint);
    }
    return text.replace(/^path:/, '').replace(/(.)\/+$/, '$1');
  },
  { type: 'string', examples: ['/system.slice/db.service', '/run/netns/front', 'pid:4711'] },
);

const moveSchema = z.strictObject({ from: addressSchema, to: addressSchema });
const removalSchema = z.strictObject({ from: addressSchema, destroy: z.boolean().optional() });
const importSchema = z.strictObject({ to: addressSchema, id: idSchema });

export const blocksShape = {
  moved: z.array(moveSchema).optional(),
  removed: z.array(removalSchema).optional(),
  import: z.array(importSchema).optional(),
};

export interface Blocks {
  readonly moved: ReadonlyArray<{ readonly from: string; readonly to: string }>;
  readonly removed: ReadonlyArray<{ readonly from: string; readonly destroy?: boolean | undefined }>;
  readonly import: ReadonlyArray<{ readonly to: string; readonly id: string }>;
}

export const NO_BLOCKS: Blocks = { moved: [], removed: [], import: [] };
