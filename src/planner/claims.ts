/** Claims in a plan: what is left to their managers, and what apply takes back from them. */
import type { KernelReader } from '../kernel/reader.ts';
import { fieldsBetween, managersOf, readClaims, type Claims, type ClaimsRead } from '../resources/claims.ts';
import type { Address, AttributeChange, Declared } from '../resources/kind.ts';
import { kindOf } from '../resources/registry.ts';
import type { StackScope } from '../resources/scope.ts';
import type { Step } from '../resources/step.ts';
import type { Draft } from './cascade.ts';
import type { PlannedChange } from './plan.ts';

/** The claims of those that leave something to managers. */
export function readYielding(
  reader: KernelReader,
  scope: StackScope,
  declared: ReadonlyMap<Address, Declared>,
): ClaimsRead {
  const yielding = [...declared.values()].filter((d) => d.lifecycle?.ignoreChanges.some((r) => typeof r !== 'string'));
  return readClaims(
    reader,
    scope,
    yielding.map((d) => d.address),
  );
}

/** Says of each change whose field it is; what is in sync is not asked. With what cannot be read as claims. */
export function withClaims<T extends Pick<PlannedChange, 'address' | 'action' | 'attributes'>>(
  reader: KernelReader,
  scope: StackScope,
  changes: readonly T[],
): { readonly changes: readonly T[]; readonly warnings: readonly string[] } {
  const asked = changes.filter((c) => c.action !== 'delete' && c.attributes.some((a) => a.before !== undefined));
  const { claims, warnings } = readClaims(
    reader,
    scope,
    asked.map((c) => c.address),
  );
  const marked = changes.map((change) => {
    const own = claims.get(change.address);
    return own === undefined
      ? change
      : { ...change, attributes: change.attributes.map((a) => claimed(change, a, own)) };
  });
  return { changes: marked, warnings };
}

function claimed({ address }: { readonly address: Address }, change: AttributeChange, own: Claims): AttributeChange {
  const fields = fieldsBetween(own, kindOf(address).attributes, change.name, change.before, change.after);
  const manager = managersOf(own, fields);
  return manager === undefined ? change : { ...change, manager, claimed: fields };
}

/** What is written is the stack's again. An object that is made anew has no claims. */
export function claimSteps({ address, action, attributes, blocked }: Draft, scope: StackScope): Step[] {
  const fields = attributes.flatMap((a) => a.claimed ?? []);
  const path = scope.byAddress.get(address)?.path;
  const isWritten = (action === 'update' || action === 'restart') && blocked === undefined;
  return isWritten && path !== undefined && fields.length > 0 ? [{ op: 'claims-drop', path, fields }] : [];
}
