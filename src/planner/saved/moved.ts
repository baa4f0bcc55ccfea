/** What moved between two readings, fact by fact. */
import type { Value } from '../../resources/attribute.ts';
import type { Address, AttributeChange } from '../../resources/kind.ts';
import type { Basis, BasisChange } from './basis.ts';
import { canonicalJson } from './canonical.ts';

export interface Moved {
  readonly address: Address;
  /** An attribute, or a fact: pid, inode. */
  readonly what: string;
  /** undefined: there was none. */
  readonly planned: Value | undefined;
  readonly now: Value | undefined;
}

const same = (a: unknown, b: unknown): boolean => canonicalJson(a ?? null) === canonicalJson(b ?? null);

/** The facts that differ; empty only when both bases are the same. */
export function movedFacts(planned: Basis, now: Basis): Moved[] {
  const before = new Map(planned.changes.map((c) => [c.address, c]));
  const after = new Map(now.changes.map((c) => [c.address, c]));
  const moved = [...new Set([...before.keys(), ...after.keys()])].flatMap((address) =>
    movedOf(address, before.get(address), after.get(address)),
  );
  if (moved.length === 0 && !same(planned, now)) {
    return [{ address: planned.stack, what: 'resources', planned: resources(planned), now: resources(now) }];
  }
  return moved;
}

function resources(basis: Basis): string[] {
  return [...basis.unchanged, ...basis.changes.map((c) => c.address)];
}

function movedOf(address: Address, planned: BasisChange | undefined, now: BasisChange | undefined): Moved[] {
  const moved: Moved[] = [];
  const add = (what: string, before: Value | undefined, after: Value | undefined): void => {
    if (!same(before, after)) {
      moved.push({ address, what, planned: before, now: after });
    }
  };
  const old = new Map((planned?.attributes ?? []).map((a) => [a.name, a]));
  const fresh = new Map((now?.attributes ?? []).map((a) => [a.name, a]));
  const whole = (change: BasisChange | undefined): boolean =>
    change?.action === 'create' || change?.action === 'delete';
  if (!whole(planned) && !whole(now)) {
    for (const name of new Set([...old.keys(), ...fresh.keys()])) {
      add(name, readValue(old.get(name), fresh.get(name)), readValue(fresh.get(name), old.get(name)));
    }
  } else if (planned?.action !== now?.action) {
    add('existence', existence(planned), existence(now));
  } else {
    for (const [name, attribute] of old) {
      add(name, attribute.before, fresh.get(name)?.before);
    }
  }
  if (planned !== undefined && now !== undefined) {
    for (const name of new Set([...Object.keys(planned.facts), ...Object.keys(now.facts)])) {
      add(name, planned.facts[name], now.facts[name]);
    }
    add('inode', planned.inode?.toString(), now.inode?.toString());
  }
  add('unmanaged', planned?.extras ?? [], now?.extras ?? []);
  add('reasons', planned?.reasons ?? [], now?.reasons ?? []);
  if (moved.length === 0) {
    for (const [name, attribute] of old) {
      add(`${name} at the last apply`, attribute.applied, fresh.get(name)?.applied);
      add(`cause of ${name}`, attribute.cause, fresh.get(name)?.cause);
    }
  }
  if (moved.length === 0 && !same(planned, now)) {
    add('action', planned?.action, now?.action);
    add('steps', stepsOf(planned), stepsOf(now));
    if (moved.length === 0) {
      moved.push({
        address,
        what: 'details',
        planned: canonicalJson(planned ?? null),
        now: canonicalJson(now ?? null),
      });
    }
  }
  return moved;
}

/** What was read, or, where nothing was to be done, what it was wanted to be. */
function readValue(own: AttributeChange | undefined, other: AttributeChange | undefined): Value | undefined {
  return own === undefined ? other?.after : own.before;
}

function existence(change: BasisChange | undefined): string {
  return change === undefined ? 'as declared' : change.action === 'create' ? 'does not exist' : 'exists';
}

function stepsOf(change: BasisChange | undefined): string[] {
  return [...(change?.steps ?? []), ...(change?.lateSteps ?? [])].map((s) => canonicalJson(s));
}
