/**
 * The three-way difference of one resource: last applied A, declared D, live K.
 *
 * K = D: nothing. K differs and D = A: drift. K = A and D differs: a configuration change. All three differ: both.
 */
import {
  attributesOf,
  isMap,
  sameValue,
  type Attribute,
  type AttributeTable,
  type Value,
} from '../resources/attribute.ts';
import type { AttributeChange, Declared, Extra, Observed } from '../resources/kind.ts';
import type { Action } from './plan.ts';

export function satisfies(attribute: Attribute, declared: Value, live: Value | undefined): boolean {
  return sameValue(attribute, declared, live) || (live !== undefined && attribute.satisfied?.(declared, live) === true);
}

/** Attribute changes of an existing resource, in the table's order. */
export function diffAttributes(table: AttributeTable, declared: Declared, observed: Observed): AttributeChange[] {
  const changes: AttributeChange[] = [];
  for (const attribute of attributesOf(table)) {
    const { name } = attribute;
    if (attribute.change === 'read-only' || observed.unreadable.includes(name)) {
      continue;
    }
    const applied = observed.applied?.[name];
    // A dropped attribute of an adopted cgroup goes back to what its owner had.
    const after = declared.desired[name] ?? (applied === undefined ? undefined : observed.defaults?.[name]);
    const before = observed.live[name];
    const differs =
      after === undefined ? droppedDiffers(attribute, applied, before) : !satisfies(attribute, after, before);
    if (differs) {
      changes.push({
        name,
        before,
        after,
        applied,
        cause: causeOf(attribute, after, withGained(attribute, declared.settled?.[name] ?? applied, before), before),
        mode: attribute.change,
        reason: attribute.reason,
      });
    }
  }
  return changes;
}

/** What a resource's differences come to: the hardest of them counts. */
export function actionFor(attributes: readonly AttributeChange[], extras: readonly Extra[]): Action {
  if (attributes.some((a) => a.mode === 'replace')) {
    return 'replace';
  }
  if (attributes.some((a) => a.mode === 'restart')) {
    return 'restart';
  }
  return attributes.length + extras.length > 0 ? 'update' : 'no-op';
}

/** An attribute that left the stack goes back to the kernel's default, if it has one and is not there already. */
function droppedDiffers(attribute: Attribute, applied: Value | undefined, live: Value | undefined): boolean {
  return applied !== undefined && attribute.default !== undefined && !sameValue(attribute, attribute.default, live);
}

/** What was applied, and what the kernel has of entries that nothing was applied for: of those no change is known. */
export function withGained(
  attribute: Attribute,
  applied: Value | undefined,
  live: Value | undefined,
): Value | undefined {
  return attribute.entries === 'named' && isMap(applied) && isMap(live) ? { ...live, ...applied } : applied;
}

function causeOf(
  attribute: Attribute,
  after: Value | undefined,
  applied: Value | undefined,
  before: Value | undefined,
): AttributeChange['cause'] {
  if (applied === undefined) {
    // Never applied before: the stack file gained it. The live value is whatever the kernel had.
    return after === undefined ? 'unknown' : 'config';
  }
  if (after !== undefined && sameValue(attribute, after, applied)) {
    return 'drift';
  }
  return satisfies(attribute, applied, before) ? 'config' : 'both';
}

/** Attribute changes of a resource that is to be made: everything declared, from nothing. */
export function creationAttributes(table: AttributeTable, declared: Declared): AttributeChange[] {
  return attributesOf(table).flatMap((attribute): AttributeChange[] => {
    const after = declared.desired[attribute.name];
    return after === undefined
      ? []
      : [
          {
            name: attribute.name,
            before: undefined,
            after,
            applied: undefined,
            cause: 'new',
            mode: attribute.change,
            reason: undefined,
          },
        ];
  });
}

/** True when the record on the object says something else than what is declared, though the kernel agrees. */
export function recordStale(table: AttributeTable, declared: Declared, observed: Observed): boolean {
  const { applied } = observed;
  return (
    applied === null ||
    attributesOf(table).some((attribute) => {
      const { name } = attribute;
      return !sameValue(attribute, declared.desired[name], applied[name]);
    })
  );
}
