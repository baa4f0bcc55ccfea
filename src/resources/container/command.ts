/** `command:` and `env:` of a container. */
import * as z from 'zod';
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
      throw new ValueError(
        `${show(input)} is not a command`,
        'a list such as [ /bin/sleep, 60 ], or text for /bin/sh -c',
      );
    }
    return ['/bin/sh', '-c', input];
  },
  { type: 'string' },
);

/**
 * `command` and `entrypoint`: a list is executed as it stands; text is run by `/bin/sh -c` (it is not split into words
 * as Compose does). null leaves an image's own, an empty list takes it away.
 */
export const argvSchema = z.union([
  z.null(),
  shellCommand,
  z.array(argument).refine((argv) => argv[0] !== '', {
    path: [0],
    message: 'the program is empty',
    params: { expected: 'a path or a name looked up in PATH' },
  }),
]) as z.ZodType<readonly string[] | null>;

/** A command that has to be there: of a health check, of a hook. */
export const commandSchema = z.union([
  shellCommand,
  z
    .array(argument)
    .min(1)
    .refine((argv) => argv[0] !== '', {
      path: [0],
      message: 'the program is empty',
      params: { expected: 'a path or a name looked up in PATH' },
    }),
]) as z.ZodType<readonly string[]>;

/** What the stack, or an image, says of the arguments; null is nothing. */
export interface ArgvParts {
  readonly entrypoint: readonly string[] | null;
  readonly command: readonly string[] | null;
}

/**
 * The arguments to start: the stack's parts over the image's. As with Compose, an entrypoint of the stack's own also
 * takes the image's command away, which was meant for the image's entrypoint.
 */
export function mergedArgv(own: ArgvParts, image: ArgvParts): readonly string[] {
  const replaced = own.entrypoint !== null && own.entrypoint.length > 0;
  return [...(own.entrypoint ?? image.entrypoint ?? []), ...(own.command ?? (replaced ? null : image.command) ?? [])];
}

const variableValue = valueSchema(
  (input) => {
    if (input === null) {
      throw new ValueError(
        'the environment variable has no value',
        'text, a number, true or false',
        'for an empty value write "", to pass one on declare it under variables and write ${NAME}',
      );
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
    return [checkName(input.slice(0, at)), input.slice(at + 1)];
  },
  { type: 'string', pattern: '^[^=]+=' },
);

const NAME = /^[A-Za-z_][A-Za-z0-9_.-]*$/;

/** Throws ValueError for what cannot name an environment variable. */
function checkName(name: string): string {
  if (!NAME.test(name) || name === '__proto__') {
    throw new ValueError(
      `${show(name)} cannot name an environment variable`,
      "letters, digits, '_', '.' and '-', beginning with a letter or '_'",
    );
  }
  return name;
}

const variableName = z.string().superRefine((name, context) => {
  try {
    checkName(name);
  } catch (error) {
    const { message, expected } = error as ValueError;
    context.addIssue({ code: 'custom', message, params: { expected } });
  }
});

/** A map, or a list of KEY=VALUE where a later one wins. Numbers and booleans become text as they are written. */
export const envSchema = z.union([
  z.array(pair).transform((env): Readonly<Record<string, string>> => Object.fromEntries(env)),
  z.record(variableName, variableValue),
]) as z.ZodType<Readonly<Record<string, string>>>;
