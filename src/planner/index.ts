/** From a stack and the live kernel to a plan. Reads through a KernelReader, which cannot write. */
import { TsboxErrors, withExcerpt } from '../errors.ts';
import type { KernelReader } from '../kernel/reader.ts';
import type { Address, Declared, Observed, Problem, StepContext } from '../resources/kind.ts';
import { controllersFor } from '../resources/cgroup/writes.ts';
import { delegationErrors } from '../resources/cgroup/delegation.ts';
import { protectionWarnings } from '../resources/cgroup/protection.ts';
import { containerAddress } from '../resources/container/declare.ts';
import { compareNames } from '../resources/container/replica-names.ts';
import { withImages } from '../resources/container/image.ts';
import { wake } from '../resources/container/rest.ts';
import { triggerOf } from '../resources/lifecycle.ts';
import { KINDS } from '../resources/registry.ts';
import { readScope, type StackScope } from '../resources/scope.ts';
import type { Step } from '../resources/step.ts';
import { findIds } from '../resources/userns/allocate.ts';
import type { Stack } from '../stack/types.ts';
import { draftRefresh, refreshSteps } from './refresh.ts';
import { draftDeclared, draftRemoval } from './drafts.ts';
import { claimSteps, readYielding, withClaims } from './claims.ts';
import { judge } from './conditions.ts';
import { refuseForeign } from './foreign.ts';
import { addContents } from './contents.ts';
import { addReplacements, type Draft } from './cascade.ts';
import { healOnly, type HealChoice } from './heal.ts';
import { addTriggers, block, leaveIgnored } from './lifecycle.ts';
import { movedScope, movesOf, placed, withDeposed, withGenerations } from './places.ts';
import { orderChanges } from './order.ts';
import { addRollouts, waitSteps, withWaits } from './rollout.ts';
import { addNotes, addRisks, asksForProtection, evacuation } from './risks.ts';
import { splitFreezing } from './freezing.ts';
import { stepsOf } from './steps.ts';
import { matching, selectTargets } from './targets.ts';
import { addTransfers, moveSteps, moveVolumes } from './transfers.ts';
import { keptWarnings, mountWarnings, ownerWarnings, restWarnings } from './warnings.ts';
import { conditionWarnings, type Plan } from './plan.ts';

export interface PlanOptions {
  /** Addresses (a prefix matches what lies below a cgroup); empty means everything. */
  readonly targets: readonly string[];
  /** Plan the removal of everything the stack owns. */
  readonly destroy: boolean;
  /** Addresses that are left out with what needs them. */
  readonly exclude?: readonly string[];
  /** Addresses that are made anew whatever differs. */
  readonly replace?: readonly string[];
  /** Start what was stopped by hand, too. */
  readonly wake?: boolean;
  /** Accept live values into the record, and do nothing else. */
  readonly refreshOnly?: boolean;
  /** Remove volumes that are not declared, too. */
  readonly volumes?: boolean;
  /** End this drift and nothing else: changes of the stack file stay undone. */
  readonly heal?: HealChoice | undefined;
}

export interface Planned {
  readonly plan: Plan;
  readonly scope: StackScope;
  readonly observed: ReadonlyMap<Address, Observed>;
  readonly declared: ReadonlyMap<Address, Declared>;
  /** The stack with the maps of user namespaces found; undefined when everything is removed. */
  readonly stack: Stack | undefined;
}

/**
 * Plans a stack.
 * @param stack the stack, or undefined with a name when only what exists is to be removed
 * @param early the scope, where it has been read already
 * @throws TsboxErrors with everything this kernel cannot do of what is asked
 */
export async function makePlan(
  reader: KernelReader,
  name: string,
  stack: Stack | undefined,
  options: PlanOptions,
  early?: StackScope,
): Promise<Planned> {
  const asked = options.destroy ? undefined : stack;
  const adopted = [...(asked?.cgroups.values() ?? [])].flatMap((c) => (c.location === null ? [] : [c.location]));
  const imported = (asked?.blocks.import ?? []).filter((i) => i.to.startsWith('cgroup/')).map((i) => i.id);
  const elsewhere = [...adopted, ...imported];
  const before = early?.stack === name && elsewhere.length === 0 ? early : readScope(reader, name, elsewhere);
  const scope = movedScope(before, movesOf(asked, before));
  refuseForeign(reader, scope, asked);
  const all: Declarations =
    asked === undefined
      ? { wanted: undefined, declaredByKind: KINDS.map(() => []), problems: [], needed: [] }
      : declareAll(reader, placed(asked, scope));
  const { declaredByKind, problems, needed } = all;
  let { wanted } = all;
  const declared = new Map(declaredByKind.flat().map((d) => [d.address, withLifecycle(d, wanted)]));
  const observations = await Promise.all(
    KINDS.map((kind, i) => kind.observe(reader, scope, declaredByKind[i] ?? [], wanted)),
  );
  const observed = new Map(observations.flat().map((o) => [o.address, withDeposed(o, scope)]));
  const anew = new Set((options.replace ?? []).flatMap((r) => matching([...observed.keys()], r)));
  wake(observed, (address) => options.wake === true || anew.has(address));
  const volumes = moveVolumes(asked, observed);
  const yielding = readYielding(reader, scope, declared);
  const ignored = leaveIgnored(declared, observed, yielding.claims);

  const drafts = new Map<Address, Draft>();
  for (const d of declared.values()) {
    const live = observed.get(d.address);
    const draft = options.refreshOnly === true ? draftRefresh(d, live) : draftDeclared(d, live, scope);
    const left = ignored.get(d.address);
    drafts.set(d.address, left === undefined ? draft : { ...draft, ignored: left });
  }
  // The highest of the replicas first.
  const known = options.refreshOnly === true ? [] : [...observed.values()];
  for (const o of known.sort((a, b) => compareNames(b.address, a.address))) {
    const kept = o.kept === true && options.volumes !== true;
    // Where only the label is left of it, taking the label away is all there is to do.
    if (!declared.has(o.address) && !kept && (o.exists || o.applied !== null)) {
      drafts.set(o.address, draftRemoval(o));
    }
  }
  request(drafts, options.replace ?? []);
  addTransfers(drafts, asked, scope, volumes);
  const healing = options.heal === undefined ? undefined : healOnly(options.heal, drafts, declared, observed, scope);
  do {
    addReplacements(drafts, declared);
  } while (addTriggers(drafts, declared));
  const { checks, refused } = await judge(asked, drafts, declared, observed);
  block(drafts, declared, observed, scope, refused);
  wanted = withGenerations(drafts, declared, wanted, scope);
  const context: StepContext = { stack: wanted, reader, scope, observed };
  addNotes(drafts, declared);
  const marked = withClaims(reader, scope, [...drafts.values()]);
  marked.changes.forEach((draft) => drafts.set(draft.address, draft));
  addContents(reader, drafts, asked, observed);
  addRisks(reader, name, drafts);
  addRollouts(drafts, wanted);
  const waits = waitSteps(drafts, wanted);
  const stepsFor = (draft: Draft): Step[] => {
    const own = declared.get(draft.address);
    if (options.refreshOnly === true && own !== undefined) {
      return refreshSteps(draft, own, observed.get(draft.address), context);
    }
    return (
      healing?.steps(draft, (as) => stepsOf(draft, as, observed, context)) ??
      stepsOf(draft, declared, observed, context)
    );
  };
  const withSteps = new Map(
    [...drafts].map(([address, draft]) => [
      address,
      {
        ...draft,
        steps: [
          ...moveSteps(draft, observed, volumes),
          ...stepsFor(draft),
          ...(options.refreshOnly === true ? [] : claimSteps(draft, scope)),
        ],
      },
    ]),
  );
  const split = withWaits(splitFreezing(withSteps, observed), waits);
  const ordered = orderChanges(split, declared, scope);
  const selected = selectTargets(ordered, options.targets, declared, options.exclude);
  const plan: Plan = {
    stack: name,
    changes: selected.changes,
    complete: selected.complete,
    ...(checks.length === 0 ? {} : { checks }),
    ...(stack?.origins === undefined ? {} : { origins: stack.origins }),
    ...(options.refreshOnly === true ? { refreshOnly: true } : {}),
    declared: [...declared.keys()].filter((a) => options.refreshOnly !== true || observed.get(a)?.exists === true),
    warnings: [
      ...problems.filter((p) => p.severity === 'warning').map((p) => p.error.message),
      ...evacuation(reader, needed),
      ...new Set([...yielding.warnings, ...marked.warnings]),
      ...mountWarnings(withSteps.values()),
      ...restWarnings(name, drafts.values()),
      ...ownerWarnings(reader, scope, declared.values()),
      ...(wanted === undefined || options.volumes === true ? [] : keptWarnings(observed.values(), declared)),
      ...(asksForProtection(declared.values()) ? protectionWarnings(reader, name) : []),
    ],
    unreadable: [
      ...scope.unreadable,
      ...[...drafts.values()].flatMap((d) => d.unreadable.map((a) => `${d.address}: ${a}`)),
    ],
  };
  return {
    plan: { ...plan, warnings: [...plan.warnings, ...conditionWarnings(plan)] },
    scope,
    observed,
    declared,
    stack: wanted,
  };
}

/** Throws TsboxErrors with everything this kernel cannot do of what the stack asks. */
export function checkStack(reader: KernelReader, stack: Stack): void {
  declareAll(reader, stack);
}

interface Declarations {
  readonly wanted: Stack | undefined;
  readonly declaredByKind: Declared[][];
  readonly problems: Problem[];
  readonly needed: readonly string[];
}

function declareAll(reader: KernelReader, asked: Stack): Declarations {
  const problems: Problem[] = [];
  const report = (p: Problem): void => void problems.push(p);
  const stack = withImages(findIds(reader, asked, report).stack, reader, report);
  const declaredByKind = KINDS.map((kind) => kind.declare(stack, reader, (p) => problems.push(p)));
  const errors = problems.filter((p) => p.severity === 'error').map((p) => p.error);
  const needed = new Set(declaredByKind.flat().flatMap((d) => controllersFor(reader, d.desired)));
  errors.push(...delegationErrors(reader, [...needed]));
  if (errors.length > 0) {
    throw new TsboxErrors(errors.map((error) => withExcerpt(error, asked.sources)));
  }
  return { wanted: stack, declaredByKind, problems, needed: [...needed] };
}

/** With what the file says of its life; what triggers it comes before it. */
function withLifecycle(declared: Declared, stack: Stack | undefined): Declared {
  const lifecycle = stack?.meta.get(declared.address)?.lifecycle;
  if (lifecycle === undefined) {
    return declared;
  }
  const known = (address: string): boolean => stack?.locate(address, []) !== undefined;
  const triggers = lifecycle.replaceTriggeredBy.flatMap((t) => {
    const address = triggerOf(t, known)?.address;
    const members = [...(stack?.containers.keys() ?? [])]
      .map(containerAddress)
      .filter((a) => a.startsWith(`${address}[`));
    return address === undefined ? [] : members.length > 0 ? members : [address];
  });
  return { ...declared, lifecycle, needs: [...new Set([...declared.needs, ...triggers])] };
}

/** --replace. What is not there is made anyway, and what goes is gone. */
function request(drafts: Map<Address, Draft>, wanted: readonly string[]): void {
  for (const address of wanted.flatMap((w) => matching([...drafts.keys()], w))) {
    const draft = drafts.get(address);
    if (draft !== undefined && draft.action !== 'create' && draft.action !== 'delete') {
      const reasons = [...draft.reasons, 'as requested'];
      drafts.set(address, { ...draft, action: 'replace', actionReason: 'replace_by_request', reasons });
    }
  }
}
