/**
 * `share`: several namespaces of one other container, by one word. It only stands for the longer `namespaces:`; what is
 * written there goes before it.
 */
import * as z from 'zod';
import { NAMESPACE_TYPES, type NamespaceType } from '../../kernel/init-spec.ts';
import type { NamespaceUse } from '../namespace/schema.ts';
import { containerUse } from '../namespace/use.ts';
import { meant, show, valueSchema, ValueError } from '../values.ts';

/** What a pod shares: addresses and ports, System V objects and message queues, the host name. */
export const POD_NAMESPACES: readonly NamespaceType[] = ['net', 'ipc', 'uts'];

export interface Share {
  readonly use: NamespaceUse;
  readonly types: readonly NamespaceType[];
}

const containerSchema = valueSchema(
  (input) => {
    if (typeof input !== 'string') {
      throw new ValueError(`${show(input)} does not name a container`, 'NAME, or STACK:NAME for one of another stack');
    }
    return containerUse(input.startsWith('container/') ? input : `container/${input}`);
  },
  { type: 'string', examples: ['db', 'shop:db'] },
);

const typesSchema = valueSchema(
  (input): readonly NamespaceType[] => {
    const expected = `a list of ${NAMESPACE_TYPES.join(', ')}`;
    if (!Array.isArray(input) || input.length === 0) {
      throw new ValueError(`${show(input)} does not say which namespaces`, expected);
    }
    input.forEach((item: unknown, index) => {
      if (!NAMESPACE_TYPES.some((type) => type === item)) {
        throw new ValueError(`${show(item)} is not a type of namespace`, expected, meant(item, NAMESPACE_TYPES), [
          index,
        ]);
      }
      if (input.indexOf(item) < index) {
        throw new ValueError(`${show(item)} is listed twice`, 'each type once', undefined, [index]);
      }
    });
    return input as NamespaceType[];
  },
  { type: 'array', items: { enum: NAMESPACE_TYPES } },
);

export const shareSchema = z.union([
  containerSchema.transform((use): Share => ({ use, types: POD_NAMESPACES })),
  z
    .strictObject({ container: containerSchema, namespaces: typesSchema.optional() })
    .transform(({ container, namespaces }): Share => ({ use: container, types: namespaces ?? POD_NAMESPACES })),
]);

/** The use that `share` makes of a type; undefined when it leaves it alone. */
export function sharedUse(share: Share | undefined, type: NamespaceType): NamespaceUse | undefined {
  return share?.types.includes(type) === true ? share.use : undefined;
}
