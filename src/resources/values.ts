/**
 * Values written as text in a stack (sizes, durations, ids …): one way to parse them inside a zod schema and to say
 * what would have been right. A parser throws ValueError; valueSchema turns it into a positioned issue.
 */
import * as z from 'zod';
import { suggest } from './suggest.ts';

/** A value cannot be used. The message is lower case, without a full stop, and shows the value. */
export class ValueError extends Error {
  readonly expected: string | undefined;
  readonly hint: string | undefined;
  /** Where inside the value, when it is not the whole of it. */
  readonly path: readonly (string | number)[];
  constructor(message: string, expected?: string, hint?: string, path: readonly (string | number)[] = []) {
    // Most are thrown by the first of several ways to write a value, where the second then fits: a trace of each would
    // take longer than all of the parsing.
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = limit;
    this.name = 'ValueError';
    this.expected = expected;
    this.hint = hint;
    this.path = path;
  }
}

/** What a JSON Schema for editors should say of the value: type, examples, description, pattern, enum … */
export type ValueMeta = Readonly<Record<string, unknown>>;

/**
 * A zod schema around a parser of raw YAML values. A missing key reaches the parser as undefined unless the schema is
 * made `.optional()` or given a `.default()`.
 */
export function valueSchema<T>(parse: (input: unknown) => T, meta: ValueMeta = {}): z.ZodType<T> {
  return z
    .unknown()
    .transform((input, context): T => {
      try {
        return parse(input);
      } catch (error) {
        if (!(error instanceof ValueError)) {
          throw error;
        }
        context.addIssue({
          code: 'custom',
          message: error.message,
          path: [...error.path],
          params: { expected: error.expected, hint: error.hint },
        });
        return z.NEVER;
      }
    })
    .meta(meta) as unknown as z.ZodType<T>;
}

/** The value as a message shows it: short, on one line, text in single quotes. */
export function show(input: unknown): string {
  if (input === undefined) {
    return 'nothing';
  }
  if (input === null) {
    return 'an empty value';
  }
  if (typeof input === 'string') {
    return `'${shorten(input)}'`;
  }
  if (Array.isArray(input)) {
    return input.length === 0 ? 'an empty list' : 'a list';
  }
  return typeof input === 'object' ? 'a map' : String(input);
}

function shorten(text: string): string {
  const limit = 60;
  return text.length <= limit ? text : `${text.slice(0, limit - 1)}…`;
}

/** A did-you-mean for a word that is none of the known ones. */
export function meant(input: unknown, known: Iterable<string>): string | undefined {
  const near = typeof input === 'string' ? suggest(input, known) : undefined;
  return near === undefined ? undefined : `did you mean "${near}"?`;
}
