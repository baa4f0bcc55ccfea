/** Errors as lines of the event stream. */
import { TsboxError, TsboxErrors } from '../errors.ts';
import { diagnosticJson, versionJson } from '../report/plan-json.ts';
import { namingOf, type Naming } from '../report/terraform/names.ts';
import type { Origins } from '../resources/origins.ts';
import { VERSION } from './version.ts';

let begun = false;
let naming: Naming = namingOf(undefined);

/**
 * The stream's first line has been written: it is not written again.
 * @param origins of the stack, from which resources have their names
 */
export function streamBegun(origins?: Origins): void {
  begun = true;
  naming = namingOf(origins);
}

export function diagnosticLines(error: unknown): string {
  const errors = error instanceof TsboxErrors ? error.errors : [error];
  const head = begun ? [] : [versionJson(VERSION)];
  return `${[...head, ...errors.map(diagnosticLine)].join('\n')}\n`;
}

export function diagnosticLine(error: unknown): string {
  if (!(error instanceof TsboxError)) {
    return diagnosticJson('error', (error as Error).message, '', undefined);
  }
  const { code, message, info } = error;
  const { expected, hint, at, sourceLine, address, syscall, errnoCode, subject } = info;
  const detail = [expected === undefined ? '' : `expected: ${expected}`, hint ?? ''].filter((t) => t !== '').join('\n');
  const own = { code, syscall, errno: errnoCode, subject };
  return diagnosticJson(
    'error',
    message,
    detail,
    address,
    at === undefined ? undefined : { ...at, sourceLine },
    own,
    naming,
  );
}
