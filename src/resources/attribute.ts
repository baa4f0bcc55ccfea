/**
 * The attribute table: one truth per knob. Validation, diff, in-place changes, drift and the reference are made from it.
 */

/** A value in canonical form: text as the kernel v2 file spells it, an unordered or ordered list, or a map. */
export type Value = string | readonly string[] | Readonly<Record<string, string>>;

/**
 * What a change of the attribute costs.
 * in-place: written on the live object. restart: the same cgroup, a new process. replace: destroyed and created.
 */
export type ChangeMode = 'in-place' | 'restart' | 'replace' | 'read-only';

/** 'bits' is bits per second. */
export type Unit = 'bytes' | 'bits' | 'cpu' | 'milliseconds' | 'microseconds' | 'none';

export interface Attribute {
  readonly name: string;
  readonly change: ChangeMode;
  /** Why it cannot change in place, for the plan's '# forces replacement' line. */
  readonly reason?: string;
  readonly unit?: Unit;
  /** Lists: 'set' ignores order, 'argv' keeps it. */
  readonly list?: 'set' | 'argv';
  /** Maps: live has only entries that are declared or were applied; one that the file has gained may have been there before. */
  readonly entries?: 'named';
  /** What tells one item of a set from another: two of one key are one that changed. */
  readonly itemKey?: (item: string) => string;
  /**
   * live: compared with what the kernel shows at every plan. recorded: the kernel cannot show it (or the process may
   * change it by itself), so it is compared with the label on the object only.
   */
  readonly observed: 'live' | 'recorded';
  /** What the kernel has when nobody sets it; the value written when the attribute leaves the stack file. */
  readonly default?: Value;
  /** Said in plans of what is made or removed only where it differs from the default. */
  readonly quiet?: boolean;
  /** One line for the reference. */
  readonly doc: string;
  /** Where that is written: a manual page or a kernel document. */
  readonly source: string;
  /** True when a live value that differs still satisfies the declared one (a process that gave up a privilege). */
  readonly satisfied?: (declared: Value, live: Value) => boolean;
}

export type AttributeTable = ReadonlyMap<string, Attribute>;

/** Makes a table and refuses a name given twice. */
export function attributeTable(rows: readonly Attribute[]): AttributeTable {
  const table = new Map<string, Attribute>();
  for (const row of rows) {
    if (table.has(row.name)) {
      throw new Error(`attribute ${row.name} is declared twice`);
    }
    table.set(row.name, row);
  }
  return table;
}

const rows = new WeakMap<AttributeTable, readonly Attribute[]>();

/** The attributes of a table, in its order: a list is gone through much faster than a map, and plans do so for each resource. */
export function attributesOf(table: AttributeTable): readonly Attribute[] {
  let list = rows.get(table);
  if (list === undefined) {
    list = [...table.values()];
    rows.set(table, list);
  }
  return list;
}

/** Structural equality under the attribute's list semantics. */
export function sameValue(attribute: Attribute, a: Value | undefined, b: Value | undefined): boolean {
  if (a === b || a === undefined || b === undefined || typeof a === 'string' || typeof b === 'string') {
    return a === b;
  }
  if (isList(a) && isList(b)) {
    if (a.length !== b.length) {
      return false;
    }
    if (a.every((x, i) => x === b[i])) {
      return true;
    }
    if (attribute.list === 'set') {
      const members = new Set(a);
      return b.every((x) => members.has(x));
    }
    return false;
  }
  if (isList(a) || isList(b)) {
    return false;
  }
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((k) => Object.hasOwn(b, k) && a[k] === b[k]);
}

export function isList(value: Value): value is readonly string[] {
  return Array.isArray(value);
}

export function isMap(value: Value | undefined): value is Readonly<Record<string, string>> {
  return typeof value === 'object' && !isList(value);
}

/** The entries of a map; none of what is no map. */
export function entriesOf(value: Value | undefined): Readonly<Record<string, string>> {
  return isMap(value) ? value : {};
}
