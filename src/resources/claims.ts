/**
 * Claims: attributes of a live object that somebody else than the stack file sets, an autoscaler for one, as a manager
 * owns fields in Kubernetes' server-side apply. They are on the cgroup itself, written by `tsbox own` or by whoever may
 * write the xattr, and go with it.
 */
import type { KernelReader } from '../kernel/reader.ts';
import { entriesOf, type AttributeTable, type Value } from './attribute.ts';
import { fitsGlob } from './glob.ts';
import type { Address } from './kind.ts';
import { ignorable, isEntry, type IgnoreRule } from './lifecycle.ts';
import { directoryIn, type StackScope } from './scope.ts';

/** JSON: {"memory.max": "autoscaler", "io.max.8:0": "throttler"}, an attribute or one entry of its map each. */
export const CLAIMS_XATTR = 'trusted.tsbox.managers';

/** Managers by what they have claimed. */
export type Claims = Readonly<Record<string, string>>;

const MANAGER = /^[A-Za-z0-9][A-Za-z0-9_.@:/-]{0,62}$/;

export function isManager(name: string): boolean {
  return MANAGER.test(name);
}

/** Undefined for anything that is not a map of names. */
export function parseClaims(text: string): Claims | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isMap && Object.values(value as object).every((m) => typeof m === 'string' && isManager(m))
    ? (value as Claims)
    : undefined;
}

export interface ClaimsRead {
  readonly claims: ReadonlyMap<Address, Claims>;
  /** What stands there and is none. */
  readonly warnings: readonly string[];
}

/** The claims on cgroups and containers of the stack, in one batch. */
export function readClaims(reader: KernelReader, scope: StackScope, addresses: Iterable<Address>): ClaimsRead {
  const entries = [...addresses].flatMap((a) => {
    const path = scope.byAddress.get(a)?.path;
    return path === undefined ? [] : [{ address: a, path }];
  });
  const { cgroupRoot } = reader.settings;
  const mount = reader.layout.primary?.mount ?? '';
  const texts = reader.getXattrs(
    entries.map((e) => directoryIn(mount, cgroupRoot, scope.stack, e.path)),
    CLAIMS_XATTR,
  );
  const claims = new Map<Address, Claims>();
  const warnings: string[] = [];
  entries.forEach(({ address }, i) => {
    const text = texts[i];
    const found = typeof text === 'string' ? parseClaims(text) : {};
    if (found === undefined) {
      warnings.push(`${address}: its ${CLAIMS_XATTR} is not a map of attributes to managers and counts for nothing`);
    } else if (Object.keys(found).length > 0) {
      claims.set(address, found);
    }
  });
  return { claims, warnings };
}

/** The attribute that a claim is of, or of an entry of; undefined for what cannot be claimed. */
export function claimedAttribute(table: AttributeTable, field: string): string | undefined {
  const names = ignorable(table).filter((name) => table.get(name)?.observed === 'live');
  return names.includes(field)
    ? field
    : names.filter((n) => field.startsWith(`${n}.`)).sort((a, b) => b.length - a.length)[0];
}

/** What of an attribute is claimed: itself, or entries of its map as `memory.max` or `io.max.8:0`. */
export function fieldsOf(claims: Claims, table: AttributeTable, name: string): string[] {
  return Object.keys(claims).filter((field) => claimedAttribute(table, field) === name);
}

/** Claimed fields that these two values of an attribute differ in. */
export function fieldsBetween(
  claims: Claims,
  table: AttributeTable,
  name: string,
  before: Value | undefined,
  after: Value | undefined,
): string[] {
  const [old, fresh] = [entriesOf(before), entriesOf(after)];
  const differing = [...new Set([...Object.keys(old), ...Object.keys(fresh)])].filter((k) => old[k] !== fresh[k]);
  return fieldsOf(claims, table, name).filter(
    (field) => field === name || differing.some((key) => isEntry(field.slice(name.length + 1), key)),
  );
}

/** 'autoscaler', or 'a, b' for several; undefined for no field. */
export function managersOf(claims: Claims, fields: readonly string[]): string | undefined {
  const names = [...new Set(fields.map((f) => claims[f] ?? ''))].sort();
  return names.length === 0 ? undefined : names.join(', ');
}

/** Claimed fields of an attribute that `ignore_changes` leaves to their managers. */
export function leftTo(rules: readonly IgnoreRule[], claims: Claims, table: AttributeTable, name: string): string[] {
  const patterns = rules.flatMap((r) => (typeof r === 'string' ? [] : [r.manager]));
  return patterns.length === 0
    ? []
    : fieldsOf(claims, table, name).filter((f) => patterns.some((p) => fitsGlob(p, claims[f] ?? '')));
}
