/** The result of validate in the shape of Terraform's `validate -json` (format_version 1.0). */
import type { TsboxError } from '../errors.ts';
import { placeJson } from './plan-json.ts';

/** A warning of the language, as the stack has it. */
export interface WarningLike {
  readonly message: string;
  readonly at?: TsboxError['info']['at'];
  readonly sourceLine?: string | undefined;
}

export interface ValidStack {
  readonly name: string;
  readonly cgroups: number;
  readonly namespaces: number;
  readonly containers: number;
}

function place(at: WarningLike['at'], sourceLine: string | undefined): Record<string, unknown> {
  return at === undefined ? {} : placeJson({ ...at, sourceLine });
}

/** `stack` is what is valid; undefined where it is not. What Terraform has no word for stands under `tsbox`. */
export function validateJson(
  errors: readonly TsboxError[],
  warnings: readonly WarningLike[],
  stack: ValidStack | undefined,
): string {
  const diagnostics = [
    ...errors.map(({ code, message, info: { at, sourceLine, expected, hint } }) => ({
      severity: 'error',
      summary: message,
      detail: [expected === undefined ? '' : `expected: ${expected}`, hint ?? ''].filter((t) => t !== '').join('\n'),
      ...place(at, sourceLine),
      tsbox: { code },
    })),
    ...warnings.map(({ message, at, sourceLine }) => ({
      severity: 'warning',
      summary: message,
      detail: '',
      ...place(at, sourceLine),
    })),
  ];
  const result = {
    format_version: '1.0',
    valid: errors.length === 0,
    error_count: errors.length,
    warning_count: warnings.length,
    diagnostics,
    ...(stack === undefined ? {} : { tsbox: stack }),
  };
  return `${JSON.stringify(result, null, 2)}\n`;
}
