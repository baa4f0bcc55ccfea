/** `lifecycle:` in a plan: what is left alone, what is made anew because of another, and what is not let go. */
import { sameValue, type Value } from '../resources/attribute.ts';
import type { Address, AttributeChange, Declared, Observed } from '../resources/kind.ts';
import { leftTo, managersOf, type Claims } from '../resources/claims.ts';
import { isKept, triggerOf, withoutIgnored } from '../resources/lifecycle.ts';
import { kindOf } from '../resources/registry.ts';
import type { StackScope } from '../resources/scope.ts';
import type { Draft } from './cascade.ts';
import { satisfies } from './diff.ts';
import { removalOrder } from './order.ts';
import type { Blocked } from './plan.ts';

/**
 * ignore_changes: what exists keeps its values, and they are what is declared from here on.
 * @returns the differences that are left, by address
 */
export function leaveIgnored(
  declared: Map<Address, Declared>,
  observed: ReadonlyMap<Address, Observed>,
  claims: ReadonlyMap<Address, Claims>,
): Map<Address, readonly AttributeChange[]> {
  const left = new Map<Address, readonly AttributeChange[]>();
  for (const wanted of declared.values()) {
    const rules = wanted.lifecycle?.ignoreChanges ?? [];
    const patterns = rules.filter((r) => typeof r === 'string');
    const own = claims.get(wanted.address) ?? {};
    const table = kindOf(wanted.address).attributes;
    const live = observed.get(wanted.address);
    if (rules.length === 0 || live?.exists !== true) {
      continue;
    }
    const desired = { ...wanted.desired };
    const settled: Record<string, Value> = {};
    const ignored: AttributeChange[] = [];
    for (const attribute of table.values()) {
      const { name } = attribute;
      const before = live.live[name];
      const after = wanted.desired[name];
      const applied = live.applied?.[name];
      if (
        (after === undefined && applied === undefined) ||
        (after !== undefined && satisfies(attribute, after, before))
      ) {
        continue;
      }
      const theirs = leftTo(rules, own, table, name);
      const manager = managersOf(own, theirs);
      const kept = withoutIgnored([...patterns, ...theirs], name, after, before);
      if (kept !== undefined && !sameValue(attribute, kept, after)) {
        desired[name] = kept;
        const rest = withoutIgnored([...patterns, ...theirs], name, applied, before);
        if (applied !== undefined && rest !== undefined) {
          settled[name] = rest;
        }
        // What is left of the difference when the rest of it is applied.
        ignored.push({
          name,
          before: kept,
          after,
          applied,
          cause: 'config',
          mode: attribute.change,
          reason: undefined,
          ...(manager === undefined ? {} : { manager }),
        });
      }
    }
    declared.set(wanted.address, { ...wanted, desired, settled });
    if (ignored.length > 0) {
      left.set(wanted.address, ignored);
    }
  }
  return left;
}

/** replace_triggered_by; true when something is marked. */
export function addTriggers(drafts: Map<Address, Draft>, declared: ReadonlyMap<Address, Declared>): boolean {
  let marked = false;
  for (const wanted of declared.values()) {
    const draft = drafts.get(wanted.address);
    if (draft === undefined || draft.action === 'create' || draft.action === 'replace') {
      continue;
    }
    const reasons = (wanted.lifecycle?.replaceTriggeredBy ?? []).flatMap((trigger) => {
      const found = triggerOf(trigger, (address) => membersOf(drafts, address).length > 0);
      const others = found === undefined ? [] : membersOf(drafts, found.address);
      return others.some((other) => changes(other, found?.attribute))
        ? [`replace_triggered_by: ${trigger} changes`]
        : [];
    });
    if (reasons.length > 0) {
      const actionReason = 'replace_by_triggers' as const;
      drafts.set(wanted.address, {
        ...draft,
        action: 'replace',
        actionReason,
        reasons: [...draft.reasons, ...reasons],
      });
      marked = true;
    }
  }
  return marked;
}

/** The resource, or each replica of the container of that name. */
function membersOf(drafts: ReadonlyMap<Address, Draft>, address: Address): Draft[] {
  const own = drafts.get(address);
  return own === undefined ? [...drafts.values()].filter((d) => d.address.startsWith(`${address}[`)) : [own];
}

function changes(draft: Draft, attribute: string | undefined): boolean {
  if (draft.action === 'no-op' || draft.action === 'delete') {
    return false;
  }
  return (
    attribute === undefined || draft.attributes.some((a) => a.name === attribute || a.name.startsWith(`${attribute}.`))
  );
}

/** Marks what is protected, what a condition refuses, and what cannot be done without them. */
export function block(
  drafts: Map<Address, Draft>,
  declared: ReadonlyMap<Address, Declared>,
  observed: ReadonlyMap<Address, Observed>,
  scope: StackScope,
  refused: ReadonlyMap<Address, Blocked>,
): void {
  const mark = (address: Address, blocked: Blocked): void => {
    const draft = drafts.get(address);
    if (draft !== undefined && draft.blocked === undefined) {
      drafts.set(address, { ...draft, blocked });
    }
  };
  for (const draft of drafts.values()) {
    const ends = draft.action === 'delete' || draft.action === 'replace';
    if (ends && isProtected(declared.get(draft.address), observed.get(draft.address))) {
      mark(draft.address, protectedFrom(draft));
    }
  }
  refused.forEach((blocked, address) => {
    if (drafts.get(address)?.action !== 'no-op') {
      mark(address, blocked);
    }
  });
  const isBlocked = (address: Address): boolean => drafts.get(address)?.blocked !== undefined;
  for (let before = -1, now = count(drafts); now > before;) {
    before = now;
    for (const draft of drafts.values()) {
      const cause = draft.action === 'delete' ? removalOrder(draft.address, drafts, scope) : waitsOn(draft);
      const other = cause.find(isBlocked);
      if (other !== undefined && draft.action !== 'no-op') {
        const message = `${draft.address} cannot be ${WORD[draft.action]}: ${other} is not let go or made`;
        mark(draft.address, { by: 'dependency', message, because: other });
      }
      const owners = draft.action === 'replace' && isBlocked(draft.address) ? declared.get(draft.address)?.shares : [];
      for (const owner of owners ?? []) {
        const action = drafts.get(owner)?.action;
        if (action === 'replace' || action === 'restart') {
          const message = `${owner} cannot be ${WORD[action]}: ${draft.address} lives in it and is not let go`;
          mark(owner, { by: 'dependency', message, because: draft.address });
        }
      }
    }
    now = count(drafts);
  }

  function waitsOn(draft: Draft): readonly Address[] {
    if (draft.action === 'update' || draft.action === 'no-op') {
      return [];
    }
    const needs = declared.get(draft.address)?.needs ?? [];
    return needs.filter((n) => ['create', 'replace'].includes(drafts.get(n)?.action ?? ''));
  }
}

const WORD = { create: 'created', update: 'changed', restart: 'restarted', replace: 'replaced', delete: 'removed' };

function count(drafts: ReadonlyMap<Address, Draft>): number {
  return [...drafts.values()].filter((d) => d.blocked !== undefined).length;
}

function isProtected(declared: Declared | undefined, observed: Observed | undefined): boolean {
  return observed?.isProtected === true && isKept(declared?.lifecycle, true);
}

function protectedFrom({ address, action }: Draft): Blocked {
  const verb = action === 'delete' ? 'removed' : 'replaced';
  return {
    by: 'protection',
    message: `${address} is protected and would be ${verb}`,
    hint: `apply once with lifecycle: { prevent_destroy: false } on ${address}; taking it out of the file does not lift the protection`,
  };
}
