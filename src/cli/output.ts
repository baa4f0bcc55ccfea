/** The only place that writes: data on stdout, progress and diagnostics on stderr. */
import { writeFileSync } from 'node:fs';
import { PLAIN, colours, type Palette } from '../report/palette.ts';
import { TsboxError, TsboxErrors } from '../errors.ts';
import type { Stack } from '../stack/types.ts';

let secrets: readonly string[] = [];

/** Values of a stack's sensitive variables, and the contents of its secrets, never leave the program; several stacks add up. */
export function hideSecrets(stack: Stack, contents: readonly string[]): void {
  secrets = [...new Set([...secrets, ...stack.sensitive, ...contents])].sort((a, b) => b.length - a.length);
}

/** What stands for a secret's content in records: resources/files.ts. */
const SECRET_DIGEST = /secret:[0-9a-f]{64}/g;

/** A text without secrets. */
export function masked(text: string): string {
  let result = text.replace(SECRET_DIGEST, '(sensitive content)');
  for (const secret of secrets) {
    for (const form of new Set([secret, JSON.stringify(secret).slice(1, -1)])) {
      result = result.split(form).join('(sensitive value)');
    }
  }
  return result;
}

export function out(text: string): void {
  process.stdout.write(masked(text));
}

/** Writes a report to a file; what never leaves the program does not leave it there either. */
export function outTo(path: string, text: string): void {
  writeFileSync(path, masked(text));
}

/** A copy of data in which no text holds a secret, for formats that write text in their own way. */
export function withoutSecrets<T>(data: T): T {
  if (typeof data === 'string') {
    return masked(data) as T;
  }
  if (Array.isArray(data)) {
    return data.map((item: unknown) => withoutSecrets(item)) as T;
  }
  return typeof data === 'object' && data !== null
    ? (Object.fromEntries(Object.entries(data).map(([k, v]) => [k, withoutSecrets(v)])) as T)
    : data;
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
