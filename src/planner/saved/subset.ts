/**
 * Whether the plan of this moment does less than one that was approved, and nothing else: an update may have become no
 * change, a part of it may be there already, what was to be removed may be gone. What is left to do is done to the same
 * objects, from the same values, by steps of the approved plan in their order.
 */
import type { Address } from '../../resources/kind.ts';
import type { Step } from '../../resources/step.ts';
import type { Action } from '../plan.ts';
import type { Basis, BasisChange } from './basis.ts';
import { canonicalJson } from './canonical.ts';
import { movedFacts, type Moved } from './moved.ts';

/** What an action may have become. */
const WEAKER: Readonly<Record<Action, readonly Action[]>> = {
  create: [],
  update: ['no-op'],
  restart: ['update', 'no-op'],
  replace: ['restart', 'update', 'no-op'],
  delete: [],
  'no-op': [],
};

/** What a step may have less of: the rest of it is to be the same. */
const PARTS: Readonly<Partial<Record<Step['op'], readonly string[]>>> = {
  'cgroup-write': ['writes'],
  evict: ['pids'],
  mounts: ['edits'],
  settings: ['names'],
  sysctls: ['values', 'reset'],
};

/** What makes the plan of now more than the approved one, or another; nothing where it is a subset. */
export function factsBeyond(approved: Basis, now: Basis): Moved[] {
  const whole = ({ stack, complete, declared }: Basis): unknown => [stack, complete, declared];
  if (!same(whole(approved), whole(now))) {
    return movedFacts(approved, now);
  }
  const before = new Map(approved.changes.map((c) => [c.address, c]));
  const beyond = new Set(now.changes.filter((c) => !isWithin(before.get(c.address), c)).map((c) => c.address));
  const part = (basis: Basis): Basis => only(basis, beyond);
  return movedFacts(part(approved), part(now));
}

function only(basis: Basis, addresses: ReadonlySet<Address>): Basis {
  return { ...basis, unchanged: [], changes: basis.changes.filter((c) => addresses.has(c.address)) };
}

function isWithin(approved: BasisChange | undefined, now: BasisChange): boolean {
  if (now.steps.length + now.lateSteps.length === 0) {
    return true;
  }
  return (
    approved !== undefined &&
    (approved.action === now.action || WEAKER[approved.action].includes(now.action)) &&
    approved.missing === now.missing &&
    approved.inode === now.inode &&
    contains(approved.facts, now.facts) &&
    contains(approved.attributes, now.attributes) &&
    contains(approved.extras, now.extras) &&
    contains(approved.reasons, now.reasons) &&
    contains(approved.after, now.after) &&
    contains(approved.lateAfter, now.lateAfter) &&
    takesTurns(approved, now) &&
    inOrder(approved.steps, now.steps) &&
    inOrder(approved.lateSteps, now.lateSteps)
  );
}

function takesTurns({ rollout: approved }: BasisChange, { rollout: now }: BasisChange): boolean {
  return same({ ...approved, after: [] }, { ...now, after: [] }) && contains(approved?.after ?? [], now?.after ?? []);
}

/** Each step is one of the approved, or a part of it, and none comes before one that it came after. */
function inOrder(approved: readonly Step[], now: readonly Step[]): boolean {
  let at = 0;
  return now.every((step) => {
    while (at < approved.length && !isPart(approved[at] as Step, step)) {
      at++;
    }
    return at++ < approved.length;
  });
}

function isPart(approved: Step, now: Step): boolean {
  const parts = PARTS[now.op] ?? [];
  const [a, b] = [approved, now] as ReadonlyArray<Readonly<Record<string, unknown>>>;
  return [...new Set([...Object.keys(approved), ...Object.keys(now)])].every((key) =>
    parts.includes(key) ? contains(a?.[key], b?.[key]) : same(a?.[key], b?.[key]),
  );
}

/** Whether everything of one list (in its order) or map is in the other. */
function contains(approved: unknown, now: unknown): boolean {
  if (!Array.isArray(approved) || !Array.isArray(now)) {
    const known = new Map(Object.entries(approved ?? {}));
    return Object.entries(now ?? {}).every(([key, value]) => known.has(key) && same(known.get(key), value));
  }
  let at = 0;
  return now.every((item) => {
    while (at < approved.length && !same(approved[at], item)) {
      at++;
    }
    return at++ < approved.length;
  });
}

function same(a: unknown, b: unknown): boolean {
  return canonicalJson(a ?? null) === canonicalJson(b ?? null);
}
