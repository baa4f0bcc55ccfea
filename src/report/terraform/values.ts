/** Values of resources as JSON, with secrets taken out and the places of those marked, as Terraform marks them. */
import { isList, type AttributeTable, type Value } from '../../resources/attribute.ts';
import type { AttributeChange, Observed } from '../../resources/kind.ts';
import { covered, COVERED } from '../covered.ts';

export type Json = string | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type Values = Readonly<Record<string, Value>>;

/** Takes secrets out of a text. */
export type Mask = (text: string) => string;

export interface Shown {
  readonly values: Readonly<Record<string, Json>>;
  /** `true` at the places of secrets, in the shape of the values. */
  readonly sensitive: Readonly<Record<string, Json>>;
}

/** Values without secrets, keys in order. */
export function shown(values: Values, mask: Mask): Shown {
  const result: Record<string, Json> = {};
  const sensitive: Record<string, Json> = {};
  for (const name of Object.keys(values).sort()) {
    const value = values[name];
    if (value === undefined) {
      continue;
    }
    const clean = cleanValue(value, mask);
    result[name] = clean.value;
    if (clean.marks !== undefined) {
      sensitive[name] = clean.marks;
    }
  }
  return { values: result, sensitive };
}

function cleanValue(value: Value, mask: Mask): { value: Json; marks: Json | undefined } {
  if (typeof value === 'string') {
    const clean = mask(value);
    return { value: clean, marks: isHidden(value, clean) ? true : undefined };
  }
  if (isList(value)) {
    const clean = value.map(mask);
    const hidden = clean.map((text, i) => isHidden(value[i] as string, text));
    return { value: clean, marks: hidden.includes(true) ? hidden : undefined };
  }
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  const clean = entries.map(([key, text]) => [key, mask(text)] as const);
  const hidden = clean.filter(([, text], i) => isHidden(entries[i]?.[1] as string, text));
  return {
    value: Object.fromEntries(clean),
    marks: hidden.length === 0 ? undefined : Object.fromEntries(hidden.map(([key]) => [key, true])),
  };
}

function isHidden(text: string, clean: string): boolean {
  return clean !== text || text === COVERED;
}

/** Values with those hidden that a secret of `after` takes the place of. */
export function coveredValues(before: Values, after: Values, mask: Mask): Values {
  return Object.fromEntries(Object.entries(before).map(([name, value]) => [name, covered(value, after[name], mask)]));
}

/** What is no attribute but worth knowing: pid, path, and what is inside that nobody declared. */
const UNMANAGED = 'unmanaged';

/** Facts that only a running resource has; unknown until it is made. */
export const KNOWN_AFTER: Readonly<Record<string, readonly string[]>> = {
  container: ['pid'],
  namespace: ['inode'],
};

export function liveValues(observed: Observed): Values {
  const values: Record<string, Value> = {};
  for (const [name, value] of [...Object.entries(observed.facts), ...Object.entries(observed.live)]) {
    if (value !== undefined) {
      values[name] = value;
    }
  }
  if (observed.extras.length > 0) {
    values[UNMANAGED] = observed.extras.map((e) => e.text);
  }
  return values;
}

/** Values with the changes made: what is no longer declared goes back to the default. */
export function changedValues(before: Values, changes: readonly AttributeChange[], table: AttributeTable): Values {
  const values: Record<string, Value> = { ...before };
  delete values[UNMANAGED];
  for (const change of changes) {
    const after = change.after ?? table.get(change.name)?.default;
    if (after === undefined) {
      delete values[change.name];
    } else {
      values[change.name] = after;
    }
  }
  return values;
}

/** Live values with those that drifted put back: what the last apply left. */
export function appliedValues(live: Values, changes: readonly AttributeChange[]): Values {
  const values: Record<string, Value> = { ...live };
  delete values[UNMANAGED];
  for (const change of changes.filter((c) => c.cause === 'drift' || c.cause === 'both')) {
    if (change.applied === undefined) {
      delete values[change.name];
    } else {
      values[change.name] = change.applied;
    }
  }
  return values;
}
