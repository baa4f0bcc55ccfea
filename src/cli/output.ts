/** The only place that writes: data on stdout, progress and diagnostics on stderr. */
import { PLAIN, colours, type Palette } from '../report/palette.ts';
import { TsboxError, TsboxErrors } from '../errors.ts';
import type { Stack } from '../stack/types.ts';

interface Form {
  readonly text: string;
  /** What is written for it. */
  readonly name: string;
}

/** The longest first: one may be a part of another. */
let forms: readonly Form[] = [];

/** What stands for a secret's content in records: resources/files.ts. */
const SECRET_DIGEST = /secret:[0-9a-f]{64}/g;

/** What is written for secrets already: reports are masked before they are laid out, and when they leave. */
const WRITTEN = /(\(sensitive (?:value(?: #\d+)?|content)\))/;

/** In the order of their numbers. */
const secrets = new Set<string>();

/** Values of a stack's sensitive variables, and the contents of its secrets, never leave the program; several stacks add up. */
export function hideSecrets(stack: Pick<Stack, 'sensitive'>, contents: readonly string[]): void {
  for (const secret of [...stack.sensitive, ...contents]) {
    secrets.add(secret);
  }
  secrets.delete('');
  forms = [...secrets]
    .flatMap((value, i) =>
      [...new Set([value, JSON.stringify(value).slice(1, -1)])].map((text) => ({
        text,
        name: `(sensitive value #${i + 1})`,
      })),
    )
    .sort((a, b) => b.text.length - a.text.length);
}

/** A text without secrets. Each has a number, so that what is equal and what differs can be seen. */
export function masked(text: string): string {
  const result = text.replace(SECRET_DIGEST, '(sensitive content)');
  return forms.length === 0
    ? result
    : result
        .split(WRITTEN)
        .map((part, i) => (i % 2 === 1 ? part : maskedFrom(part, 0)))
        .join('');
}

/** What is written for one secret is not looked at for another. */
function maskedFrom(text: string, first: number): string {
  for (let at = first; at < forms.length; at++) {
    const form = forms[at] as Form;
    if (text.includes(form.text)) {
      return text
        .split(form.text)
        .map((part) => maskedFrom(part, at + 1))
        .join(form.name);
    }
  }
  return text;
}

export function out(text: string): void {
  process.stdout.write(masked(text));
}

/** A copy of data in which no text holds a secret, for formats that write text in their own way; nothing undefined in it. */
export function withoutSecrets<T>(data: T): T {
  if (typeof data === 'string') {
    return masked(data) as T;
  }
  if (Array.isArray(data)) {
    return data.map((item: unknown) => withoutSecrets(item)) as T;
  }
  if (typeof data !== 'object' || data === null) {
    return data;
  }
  const entries = Object.entries(data as Readonly<Record<string, unknown>>).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries.map(([key, value]) => [masked(key), withoutSecrets(value)])) as T;
}

export function err(text: string): void {
  process.stderr.write(masked(text));
}

export interface OutputFlags {
  readonly noColor: boolean;
}

/** Colours when stdout is a terminal and nobody said otherwise (no-color.org). */
export async function paletteFor(flags: OutputFlags): Promise<Palette> {
  const wanted = !flags.noColor && (process.env['NO_COLOR'] ?? '') === '' && process.stdout.isTTY;
  return wanted ? colours() : PLAIN;
}

/** Prints any failure as one clear block each. */
export async function printError(error: unknown): Promise<void> {
  if (error instanceof TsboxErrors) {
    const { renderErrors } = await import('../stack/diagnostics.ts');
    err(`${renderErrors(error.errors)}\n`);
    return;
  }
  if (error instanceof TsboxError) {
    const { renderError } = await import('../stack/diagnostics.ts');
    err(`${renderError(error)}\n`);
    return;
  }
  const unknown = error as Error;
  err(`error[TSB9002]: ${unknown.message}\n${unknown.stack ?? ''}\n`);
}
