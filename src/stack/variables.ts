/** `variables:` — typed, from the command line, the environment or a default. */
import * as z from 'zod';
import { TsboxError } from '../errors.ts';
import { show, valueSchema, ValueError } from '../resources/values.ts';
import { suggest } from '../resources/suggest.ts';
import { translateIssues } from './issues.ts';
import { placeOf } from './positions.ts';
import { located } from './source.ts';
import { child, toData } from './tree.ts';
import type { MapTree } from './tree.ts';

export type VariableValue = string | number | boolean;

/** A declared variable; value is undefined when nothing gives it one, null when what gives it one has an error. */
export interface Variable {
  readonly type: VariableType;
  readonly value: VariableValue | undefined | null;
  readonly sensitive: boolean;
}

export interface VariableSources {
  /** From the command line, as text. */
  readonly variables: Readonly<Record<string, string>>;
  readonly env: NodeJS.ProcessEnv;
  /** How errors call where those come from. */
  readonly from?: string;
}

/** A variable x has its value in TSBOX_VAR_x where nothing nearer gives it one. */
export const ENV_PREFIX = 'TSBOX_VAR_';

const TYPES = ['string', 'integer', 'number', 'boolean'] as const;
export type VariableType = (typeof TYPES)[number];

export const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;

const scalar = valueSchema(
  (input): VariableValue => {
    if (typeof input === 'string' || typeof input === 'number' || typeof input === 'boolean') {
      return input;
    }
    throw new ValueError(`${show(input)} cannot be the value of a variable`, 'text, a number, true or false');
  },
  { type: ['string', 'number', 'boolean'] },
);

export const variableSchema = z.strictObject({
  type: z.enum(TYPES).optional(),
  default: scalar.optional(),
  env: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'an environment variable is named by letters, digits and _')
    .optional(),
  sensitive: z.boolean().optional(),
  description: z.string().optional(),
  min: z.number().optional(),
  max: z.number().optional(),
  enum: z.array(scalar).min(1).optional(),
});
type Declaration = z.output<typeof variableSchema>;

/** Values of all declared variables; errors are added to `problems`. */
export function resolveVariables(
  root: MapTree,
  sources: VariableSources,
  problems: TsboxError[],
): Map<string, Variable> {
  const section = child(root, 'variables');
  const variables = new Map<string, Variable>();
  if (section?.kind === 'map') {
    for (const [name, { key, tree }] of section.entries) {
      if (!VARIABLE_NAME.test(name)) {
        problems.push(
          new TsboxError('TSB1003', `'${name}' cannot name a variable`, {
            ...located(key),
            expected: "1 to 63 letters, digits and '_', not beginning with a digit",
          }),
        );
      } else if (name === 'index') {
        const message = "'index' cannot name a variable: ${index} is the number of a replica";
        problems.push(new TsboxError('TSB1003', message, located(key)));
      }
      const parsed = variableSchema.safeParse(toData(tree));
      if (parsed.success) {
        variables.set(name, {
          type: typeOf(parsed.data),
          value: valueOf(root, name, parsed.data, sources, problems),
          sensitive: parsed.data.sensitive ?? false,
        });
      } else {
        for (const { error } of translateIssues(parsed.error.issues, variableSchema, root, ['variables', name])) {
          problems.push(...(error === undefined ? [] : [error]));
        }
        variables.set(name, { type: 'string', value: null, sensitive: child(tree, 'sensitive') !== undefined });
      }
    }
  }
  for (const name of Object.keys(sources.variables)) {
    if (!variables.has(name)) {
      const near = suggest(name, variables.keys());
      const hint = near === undefined ? 'declare it under variables' : `did you mean "${near}"?`;
      problems.push(new TsboxError('TSB1006', `the stack declares no variable '${name}'`, { subject: name, hint }));
    }
  }
  return variables;
}

function valueOf(
  root: MapTree,
  name: string,
  declared: Declaration,
  sources: VariableSources,
  problems: TsboxError[],
): VariableValue | undefined | null {
  const given = Object.hasOwn(sources.variables, name) ? sources.variables[name] : undefined;
  const prefixed = `${ENV_PREFIX}${name}`;
  const ownEnv = declared.env === undefined ? undefined : sources.env[declared.env];
  const fromEnv = ownEnv ?? sources.env[prefixed];
  const value = given ?? fromEnv ?? declared.default;
  if (value === undefined) {
    return undefined;
  }
  const source =
    given !== undefined
      ? (sources.from ?? 'from the command line')
      : fromEnv !== undefined
        ? `from ${ownEnv === undefined ? prefixed : declared.env} in the environment`
        : 'by default';
  try {
    return checked(declared, value);
  } catch (error) {
    if (!(error instanceof ValueError)) {
      throw error;
    }
    const path = ['variables', name, ...(source === 'by default' ? ['default'] : [])];
    const what = declared.sensitive === true ? 'a value' : show(value);
    problems.push(
      new TsboxError('TSB1006', `the variable '${name}' has ${what} ${source}, which ${error.message}`, {
        ...located(placeOf(root, path)),
        expected: error.expected,
        hint: error.hint,
      }),
    );
    return null;
  }
}

/** The value as the declared type. Throws ValueError with the end of a sentence: "is not an integer". */
function checked(declared: Declaration, given: VariableValue): VariableValue {
  const type = typeOf(declared);
  const value = typed(type, given);
  if (typeof value === 'number' && declared.min !== undefined && value < declared.min) {
    throw new ValueError('is too small', `at least ${declared.min}`);
  }
  if (typeof value === 'number' && declared.max !== undefined && value > declared.max) {
    throw new ValueError('is too large', `at most ${declared.max}`);
  }
  if (declared.enum !== undefined && !declared.enum.some((allowed) => typed(type, allowed) === value)) {
    const near = declared.sensitive === true ? undefined : suggest(String(value), declared.enum.map(String));
    throw new ValueError(
      'is not one of its values',
      declared.enum.join(', '),
      near === undefined ? undefined : `did you mean "${near}"?`,
    );
  }
  return value;
}

function typeOf({ type, default: value }: Declaration): VariableType {
  if (type !== undefined || value === undefined) {
    return type ?? 'string';
  }
  return typeof value === 'number'
    ? Number.isInteger(value)
      ? 'integer'
      : 'number'
    : typeof value === 'boolean'
      ? 'boolean'
      : 'string';
}

function typed(type: VariableType, value: VariableValue): VariableValue {
  switch (type) {
    case 'string':
      if (String(value).includes('\0')) {
        throw new ValueError('contains a NUL character', 'text without it');
      }
      return String(value);
    case 'integer':
    case 'number': {
      const number = typeof value === 'string' && /^[+-]?\d{1,17}(\.\d{1,17})?$/.test(value) ? Number(value) : value;
      const right =
        typeof number === 'number' && Number.isFinite(number) && (type === 'number' || Number.isSafeInteger(number));
      if (!right) {
        throw new ValueError(
          type === 'integer' ? 'is not an integer' : 'is not a number',
          type === 'integer' ? 'a whole number' : 'a number',
        );
      }
      return number;
    }
    case 'boolean': {
      const flag = value === 'true' ? true : value === 'false' ? false : value;
      if (typeof flag !== 'boolean') {
        throw new ValueError('is not a boolean', 'true or false');
      }
      return flag;
    }
  }
}
