/** From rules that name /dev paths to rules that name numbers. */
import type { DeviceRule } from './schema.ts';

export interface DeviceNumbers {
  readonly type: 'b' | 'c';
  readonly major: number;
  readonly minor: number;
}

export type Resolved =
  | { readonly ok: true; readonly rules: readonly DeviceRule[] }
  | { readonly ok: false; /** Paths that are not device nodes, each once. */ readonly missing: readonly string[] };

/** Replaces every path by the numbers `lookup` gives for it; all or nothing. */
export function resolveRules(
  rules: readonly DeviceRule[],
  lookup: (path: string) => DeviceNumbers | undefined,
): Resolved {
  const missing = new Set<string>();
  const resolved = rules.flatMap(({ path, ...rule }): DeviceRule[] => {
    if (path === undefined) return [rule];
    const found = lookup(path);
    if (found === undefined) missing.add(path);
    return found === undefined ? [] : [{ ...rule, type: found.type, major: found.major, minor: found.minor }];
  });
  return missing.size > 0 ? { ok: false, missing: [...missing] } : { ok: true, rules: resolved };
}
