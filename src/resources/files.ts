/** `secrets:` and `configs:`: contents that containers are given as files. */
import { createHash, createHmac } from 'node:crypto';
import * as z from 'zod';
import { readContent } from '../kernel/host-facts.ts';
import { show, valueSchema, ValueError } from './values.ts';

/** As Swarm has it: what is larger is data, not a secret. */
export const MAX_CONTENT = 512 * 1024;

export type FileSource =
  | { readonly from: 'content'; readonly content: string }
  | { readonly from: 'file'; readonly path: string }
  /** The value is undefined where the variable is not set. */
  | { readonly from: 'environment'; readonly variable: string; readonly value: string | undefined };

export interface FileSpec {
  readonly name: string;
  readonly source: FileSource;
}

const content = valueSchema(
  (input) => {
    if (typeof input !== 'string' && typeof input !== 'number' && typeof input !== 'boolean') {
      throw new ValueError(`${Array.isArray(input) ? 'a list' : 'this'} is not a content`, 'text');
    }
    const text = String(input);
    if (Buffer.byteLength(text) > MAX_CONTENT) {
      throw new ValueError('the content is too long', `at most ${MAX_CONTENT} bytes`, 'name a file instead');
    }
    return text;
  },
  { type: ['string', 'number', 'boolean'] },
);

const variable = valueSchema(
  (input) => {
    if (typeof input !== 'string' || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(input)) {
      throw new ValueError(`${show(input)} cannot name a variable`, 'the name of an environment variable');
    }
    return input;
  },
  { type: 'string' },
);

const SOURCES = ['file', 'environment', 'content'] as const;

/** Exactly one of the three. */
export const fileSchema = z
  .strictObject({ file: z.string().min(1).optional(), environment: variable.optional(), content: content.optional() })
  .superRefine((input, context) => {
    const given = SOURCES.filter((s) => input[s] !== undefined);
    if (given.length !== 1) {
      const message =
        given.length === 0 ? 'nothing says where the content is' : `${given.join(' and ')} are two contents`;
      context.addIssue({ code: 'custom', message, params: { expected: 'one of file, environment, content' } });
    }
  });

export function fileSpec(
  name: string,
  input: z.output<typeof fileSchema>,
  resolvePath: (path: string) => string,
  env: NodeJS.ProcessEnv,
): FileSpec {
  if (input.file !== undefined) {
    return { name, source: { from: 'file', path: resolvePath(input.file) } };
  }
  const { environment } = input;
  return environment === undefined
    ? { name, source: { from: 'content', content: input.content ?? '' } }
    : { name, source: { from: 'environment', variable: environment, value: env[environment] } };
}

/** The bytes, or why there are none. */
export function contentOf({ source }: FileSpec): Buffer | string {
  switch (source.from) {
    case 'content':
      return Buffer.from(source.content);
    case 'environment':
      return source.value === undefined ? `$${source.variable} is not set` : Buffer.from(source.value);
    case 'file': {
      const found = readContent(source.path, MAX_CONTENT);
      return typeof found === 'string' ? `${source.path}: ${found}` : found;
    }
  }
}

/** Shorter ones would take ordinary words with them wherever they are hidden. */
const SHORTEST = 4;

/** Contents of secrets as text, whole and line by line, for whoever shows text that may hold them. */
export function secretTexts(secrets: Iterable<FileSpec>): string[] {
  return [...secrets].flatMap((spec) => {
    const found = contentOf(spec);
    const text = typeof found === 'string' ? '' : found.toString('utf8').trim();
    return [text, ...text.split('\n')].filter((t) => t.length >= SHORTEST);
  });
}

/** Marks the digest of a secret: cli/output.ts shows none. */
const SECRET = 'secret:';

/**
 * What stands for a content in records and comparisons. That of a secret is keyed by the boot, so that a short one
 * cannot be found from it in a table.
 */
export function contentDigest(bytes: Uint8Array, secret: boolean, bootId: string): string {
  return secret
    ? SECRET + createHmac('sha256', bootId).update(bytes).digest('hex')
    : `sha256:${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}`;
}
