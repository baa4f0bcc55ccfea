/** The top level of a stack and its sections. */
import * as z from 'zod';
import { cgroupFieldsShape } from '../resources/cgroup/schema.ts';
import { containerSchema } from '../resources/container/schema.ts';
import { deviceRulesSchema, deviceUseSchema } from '../resources/devices/schema.ts';
import { driftSettingsSchema } from '../resources/drift-settings.ts';
import { namespaceSchema } from '../resources/namespace/schema.ts';
import { fileSchema } from '../resources/files.ts';
import { commonShape } from '../resources/lifecycle.ts';
import { volumeSchema } from '../resources/volume/schema.ts';
import { nameSchema } from '../resources/units.ts';
import { show, valueSchema, ValueError } from '../resources/values.ts';
import { blocksShape } from './blocks.ts';
import { checkSchema, policySchema } from './conditions.ts';
import { moduleSchema } from './modules.ts';
import { variableSchema } from './variables.ts';

/** The version of the language. */
export const LANGUAGE = 1;

const languageSchema = valueSchema(
  (input) => {
    if (input !== LANGUAGE) {
      const message =
        input === undefined ? "'tsbox' is missing" : `${show(input)} is not a version of the stack language`;
      throw new ValueError(
        message,
        `tsbox: ${LANGUAGE}`,
        typeof input === 'number' && input > LANGUAGE ? 'this stack wants a newer tsbox' : undefined,
      );
    }
    return input;
  },
  { const: LANGUAGE },
);

/** The path of a cgroup that exists already, from the root of the hierarchies. */
const adoptedPathSchema = valueSchema(
  (input) => {
    const expected = 'the path of an existing cgroup from the root of its hierarchy, such as /system.slice/db.service';
    if (typeof input !== 'string' || !input.startsWith('/') || input.length > 4000) {
      throw new ValueError(`${show(input)} is not the path of a cgroup`, expected);
    }
    const hint = input.startsWith('/sys/fs/cgroup') ? 'leave /sys/fs/cgroup and the hierarchy out' : undefined;
    const parts = input.split('/').filter((p) => p !== '');
    if (hint !== undefined || parts.length === 0 || parts.includes('..') || parts.includes('.')) {
      throw new ValueError(`${show(input)} cannot be adopted`, expected, hint);
    }
    return `/${parts.join('/')}`;
  },
  { type: 'string', pattern: '^/', examples: ['/system.slice/db.service'] },
);

/** A cgroup without its children, which are read one by one. */
export const cgroupSchema = z.strictObject({
  ...cgroupFieldsShape(),
  ...commonShape,
  devices: deviceUseSchema.optional(),
  optional: z.boolean().optional(),
  adopt: adoptedPathSchema.optional(),
  children: z.unknown().optional(),
});

export const outputSchema = z.union([
  valueSchema(
    (input) => {
      if (typeof input !== 'string' && typeof input !== 'number' && typeof input !== 'boolean') {
        throw new ValueError(
          `${show(input)} is not an output`,
          'text such as ${container.NAME.pid}, or { value, sensitive }',
        );
      }
      return { value: String(input), sensitive: false };
    },
    { type: ['string', 'number', 'boolean'] },
  ),
  z
    .strictObject({
      value: z.union([z.string(), z.number(), z.boolean()]),
      sensitive: z.boolean().optional(),
      description: z.string().optional(),
    })
    .transform((output) => ({ value: String(output.value), sensitive: output.sensitive ?? false })),
]);

/** Sections that hold named items, with the schema of an item. */
export const SECTIONS = {
  variables: variableSchema,
  cgroups: cgroupSchema,
  namespaces: namespaceSchema,
  devices: deviceRulesSchema,
  volumes: volumeSchema,
  secrets: fileSchema,
  configs: fileSchema,
  containers: containerSchema,
  modules: moduleSchema,
  checks: checkSchema,
  policies: policySchema,
  outputs: outputSchema,
} as const;
export type Section = keyof typeof SECTIONS;

/** What stands at the top besides sections. */
export const topShape = {
  tsbox: languageSchema,
  name: nameSchema,
  include: z.union([z.string(), z.array(z.string())]).optional(),
  drift: driftSettingsSchema.optional(),
  ...blocksShape,
};

/** Keys of the top level; x- keys are free besides. */
export const TOP_KEYS: readonly string[] = [...Object.keys(topShape), ...Object.keys(SECTIONS)];
