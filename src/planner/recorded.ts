/** What drifted in a stack whose file is not at hand: the kernel against the records on its objects. No steps. */
import type { KernelReader } from '../kernel/reader.ts';
import { TsboxError } from '../errors.ts';
import type { Declared, Observed } from '../resources/kind.ts';
import { KINDS, kindOf } from '../resources/registry.ts';
import { readScope, type StackScope } from '../resources/scope.ts';
import { actionFor, diffAttributes } from './diff.ts';
import { NO_LIFECYCLE } from '../resources/lifecycle.ts';
import { readYielding, withClaims } from './claims.ts';
import { leaveIgnored } from './lifecycle.ts';
import type { Plan, PlannedChange } from './plan.ts';

/** @throws TsboxError TSB2003 when there is no such stack */
export async function recordedPlan(reader: KernelReader, name: string): Promise<Plan> {
  const scope = readScope(reader, name);
  if (!scope.exists) {
    throw new TsboxError('TSB2003', `there is no stack ${name}`, { hint: 'tsbox ps lists what there is' });
  }
  const observed = (await Promise.all(KINDS.map((kind) => kind.observe(reader, scope, [], undefined)))).flat();
  const found = new Set(observed.map((o) => o.address));
  // Where every label is of another installation, so is the list of what was applied.
  const isOthers = scope.byAddress.size === 0 && scope.foreign.length > 0;
  const gone = isOthers ? [] : [...scope.known].filter((a) => !found.has(a));
  // A volume that is not in our directory carries no record: its file alone knows it.
  const untold = gone.filter((a) => a.startsWith('volume/'));
  const declared = new Map(
    observed.flatMap((o) => (o.applied === null ? [] : [[o.address, declaredBy(o, o.applied)]])),
  );
  const yielding = readYielding(reader, scope, declared);
  const left = leaveIgnored(declared, new Map(observed.map((o) => [o.address, o])), yielding.claims);
  const compares = observed.flatMap((o) => {
    const wanted = declared.get(o.address);
    return wanted === undefined ? [] : [compared(o, wanted, left.get(o.address), scope)];
  });
  const { changes, warnings } = withClaims(reader, scope, compares);
  return {
    stack: name,
    changes: [
      ...changes,
      ...gone.filter((a) => !untold.includes(a)).map((a) => change(a, { action: 'create', missing: true })),
    ],
    complete: true,
    declared: [...scope.known],
    warnings: [...new Set([...yielding.warnings, ...warnings])],
    unreadable: [
      ...scope.unreadable,
      ...observed.flatMap((o) => o.unreadable.map((a) => `${o.address}: ${a}`)),
      ...untold.map((a) => `${a}: whether it is there, without its stack file`),
    ],
  };
}

/** What the record says of it, in the place of what a file would: its values, and what is left alone. */
function declaredBy({ address, ignores }: Observed, applied: NonNullable<Observed['applied']>): Declared {
  return {
    address,
    kind: kindOf(address).kind,
    desired: applied,
    needs: [],
    shares: [],
    waits: [],
    at: undefined,
    ...(ignores === undefined ? {} : { lifecycle: { ...NO_LIFECYCLE, ignoreChanges: ignores } }),
  };
}

function compared(
  o: Observed,
  declared: Declared,
  ignored: PlannedChange['ignored'],
  scope: StackScope,
): PlannedChange {
  if (!o.exists) {
    return change(o.address, { action: 'create', missing: scope.known.has(o.address) });
  }
  const attributes = diffAttributes(kindOf(o.address).attributes, declared, o);
  const action = actionFor(attributes, o.extras);
  return change(o.address, {
    action,
    attributes,
    extras: o.extras,
    unreadable: o.unreadable,
    facts: o.facts,
    ...(ignored === undefined ? {} : { ignored }),
  });
}

function change(address: string, more: Partial<PlannedChange> & Pick<PlannedChange, 'action'>): PlannedChange {
  return {
    address,
    kind: kindOf(address).kind,
    missing: false,
    attributes: [],
    extras: [],
    reasons: [],
    unreadable: [],
    facts: {},
    steps: [],
    lateSteps: [],
    after: [],
    lateAfter: [],
    at: undefined,
    ...more,
  };
}
