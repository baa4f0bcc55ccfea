/** `command:` and `env:` of a container. */
import { z } from 'zod';
import { show, valueSchema, ValueError } from '../values.ts';

/** Text as it stands; numbers become their text, everything else is an error. */
function textOf(input: unknown, what: string): string {
  if (typeof input === 'string') {
    return input;
  }
  if (typeof input === 'number' || typeof input === 'boolean') {
    return String(input);
  }
  throw new ValueError(`${show(input)} is not ${what}`, 'text');
}

const argument = valueSchema(
  (input) => {
    if (input === null) {
      throw new ValueError('an argument is empty', 'text', 'for an empty argument write ""');
    }
    return textOf(input, 'an argument');
  },
  { type: ['string', 'number', 'boolean'] },
);

const shellCommand = valueSchema(
  (input): readonly string[] => {
    if (typeof input !== 'string' || input.trim() === '') {
      throw new ValueError(`${show(input)} is not a command`, 'a list such as [ /bin/sleep, 60 ], or text for /bin/sh -c');
    }
    return ['/bin/sh', '-c', input];
  },
  { type: 'string' },
);

/** A list is executed as it stands; text is run by `/bin/sh -c` (it is not split into words as Compose does). */
export const commandSchema = z.union([
  shellCommand,
  z
    .array(argument)
    .min(1)
    .refine((argv) => argv[0] !== '', { path: [0], message: 'the program is empty', params: { expected: 'a path or a name looked up in PATH' } }),
]) as z.ZodType<readonly string[]>;

const variableValue = valueSchema(
  (input) => {
    if (input === null) {
      throw new ValueError('the variable has no value', 'text, a number, true or false', 'for an empty value write "", to pass one on declare it under variables and write ${NAME}');
    }
    return textOf(input, 'the value of an environment variable');
  },
  { type: ['string', 'number', 'boolean'] },
);

const pair = valueSchema(
  (input): readonly [string, string] => {
    const at = typeof input === 'string' ? input.indexOf('=') : -1;
    if (typeof input !== 'string' || at <= 0) {
      throw new ValueError(`${show(input)} does not set an environment variable`, 'KEY=VALUE');
    }
    return [input.slice(0, at), input.slice(at + 1)];
  },
  { type: 'string', pattern: '^[^=]+=' },
);

function checkNames(env: ReadonlyArray<readonly [string, string]>, context: z.core.$RefinementCtx, keyOf: (index: number) => string | number): void {
  env.forEach(([name], index) => {
    if (!/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name) || name === '__proto__') {
      const expected = "letters, digits, '_', '.' and '-', beginning with a letter or '_'";
      context.addIssue({ code: 'custom', path: [keyOf(index)], message: `${show(name)} cannot name an environment variable`, params: { expected, at: 'key' } });
    }
  });
}

/** A map, or a list of KEY=VALUE where a later one wins. Numbers and booleans become text as they are written. */
export const envSchema = z.union([
  z
    .array(pair)
    .superRefine((env, context) => checkNames(env, context, (index) => index))
    .transform((env): Readonly<Record<string, string>> => Object.fromEntries(env)),
  z
    .record(z.string(), variableValue)
    .superRefine((env, context) => checkNames(Object.entries(env), context, (index) => Object.keys(env)[index] as string)),
]) as z.ZodType<Readonly<Record<string, string>>>;
