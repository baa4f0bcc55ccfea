/** One resource's change before its steps and order are known. */
import type { Declared, Observed } from '../resources/kind.ts';
import { kindOf } from '../resources/registry.ts';
import type { StackScope } from '../resources/scope.ts';
import type { Draft } from './cascade.ts';
import { lifecycleStale } from '../resources/lifecycle.ts';
import { actionFor, creationAttributes, diffAttributes, recordStale } from './diff.ts';

export function draftDeclared(declared: Declared, observed: Observed | undefined, scope: StackScope): Draft {
  const { address, kind } = declared;
  const table = kindOf(address).attributes;
  const base = {
    address,
    kind,
    reasons: [] as string[],
    at: declared.at,
    facts: observed?.facts ?? {},
    unreadable: observed?.unreadable ?? [],
  };
  if (scope.blind && observed?.exists !== true) {
    // It may well be there: without privileges nobody can tell, and nothing is claimed.
    return {
      ...base,
      action: 'no-op',
      missing: false,
      attributes: [],
      extras: [],
      unreadable: ['everything'],
      refresh: false,
    };
  }
  if (observed === undefined || !observed.exists) {
    return {
      ...base,
      action: 'create',
      missing: scope.known.has(address),
      attributes: creationAttributes(table, declared),
      extras: observed?.extras ?? [],
      refresh: false,
    };
  }
  const attributes = diffAttributes(table, declared, observed);
  const action = actionFor(attributes, observed.extras);
  return {
    ...base,
    action,
    missing: false,
    attributes,
    extras: observed.extras,
    ...(action === 'replace' ? { actionReason: 'replace_because_cannot_update' as const } : {}),
    refresh:
      action === 'no-op' &&
      (recordStale(table, declared, observed) ||
        needsStale(declared, scope.byAddress.get(address)?.label?.needs) ||
        lifecycleStale(declared.lifecycle, observed)),
  };
}

/** Whether the label, which has the order of removal, says something else than the stack: what is needed is order only. */
function needsStale({ needs }: Declared, recorded: readonly string[] | undefined): boolean {
  return recorded !== undefined && (needs.length !== recorded.length || needs.some((n) => !recorded.includes(n)));
}

export function draftRemoval(observed: Observed): Draft {
  const kind = kindOf(observed.address);
  const attributes = Object.entries(observed.live).flatMap(([name, before]) =>
    before === undefined
      ? []
      : [
          {
            name,
            before,
            after: undefined,
            applied: observed.applied?.[name],
            cause: 'config' as const,
            mode: 'replace' as const,
            reason: undefined,
          },
        ],
  );
  return {
    address: observed.address,
    kind: kind.kind,
    action: 'delete',
    missing: false,
    attributes,
    extras: observed.extras,
    reasons:
      observed.defaults === undefined ? [] : ['not removed: given back with the values it had before the adoption'],
    unreadable: observed.unreadable,
    facts: observed.facts,
    at: undefined,
    actionReason: 'delete_because_no_resource_config',
    refresh: false,
  };
}
