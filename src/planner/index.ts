/** From a stack and the live kernel to a plan. Reads through a KernelReader, which cannot write. */
import { TsboxError, TsboxErrors } from '../errors.ts';
import type { KernelReader } from '../kernel/reader.ts';
import type { Address, Declared, Observed, Problem, StepContext } from '../resources/kind.ts';
import { knobRisks } from '../resources/cgroup/risk.ts';
import { controllersFor } from '../resources/cgroup/writes.ts';
import { delegation, delegationErrors } from '../resources/cgroup/delegation.ts';
import { PROTECTIONS, protectionWarnings } from '../resources/cgroup/protection.ts';
import { describeProcesses } from '../resources/processes.ts';
import { compareNames } from '../resources/container/replica-names.ts';
import { withImages } from '../resources/container/image.ts';
import { KINDS, kindOf } from '../resources/registry.ts';
import { EVACUATED, readScope, type StackScope } from '../resources/scope.ts';
import type { Step } from '../resources/step.ts';
import { findIds } from '../resources/userns/allocate.ts';
import type { Stack } from '../stack/types.ts';
import { creationAttributes, diffAttributes, recordStale } from './diff.ts';
import { addReplacements, type Draft } from './cascade.ts';
import { orderChanges } from './order.ts';
import { addRollouts, waitSteps } from './rollout.ts';
import { splitFreezing } from './freezing.ts';
import { selectTargets } from './targets.ts';
import { keptWarnings, mountWarnings } from './warnings.ts';
import type { Plan } from './plan.ts';

export interface PlanOptions {
  /** Addresses (a prefix matches what lies below a cgroup); empty means everything. */
  readonly targets: readonly string[];
  /** Plan the removal of everything the stack owns. */
  readonly destroy: boolean;
  /** Remove volumes that are not declared, too. */
  readonly volumes?: boolean;
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
 * @throws TsboxErrors with everything this kernel cannot do of what is asked
 */
export async function makePlan(
  reader: KernelReader,
  name: string,
  stack: Stack | undefined,
  options: PlanOptions,
): Promise<Planned> {
  const { wanted, declaredByKind, problems, needed } =
    options.destroy || stack === undefined
      ? { wanted: undefined, declaredByKind: KINDS.map(() => []), problems: [], needed: [] }
      : declareAll(reader, stack);
  const declared = new Map(declaredByKind.flat().map((d) => [d.address, d]));
  const adopted = [...(wanted?.cgroups.values() ?? [])].flatMap((c) => (c.location === null ? [] : [c.location]));
  const scope = readScope(reader, name, outermost(adopted));
  const observations = await Promise.all(
    KINDS.map((kind, i) => kind.observe(reader, scope, declaredByKind[i] ?? [], wanted)),
  );
  const observed = new Map(observations.flat().map((o) => [o.address, o]));
  const context: StepContext = { stack: wanted, reader, scope, observed };

  const drafts = new Map<Address, Draft>();
  for (const d of declared.values()) {
    drafts.set(d.address, draftDeclared(d, observed.get(d.address), scope));
  }
  // The highest of the replicas first.
  for (const o of [...observed.values()].sort((a, b) => compareNames(b.address, a.address))) {
    if (o.kept === true && !declared.has(o.address) && options.volumes !== true) {
      continue;
    }
    if (!declared.has(o.address) && o.exists) {
      drafts.set(o.address, draftRemoval(o));
    } else if (!declared.has(o.address) && o.applied !== null) {
      // Its label is still there though the object is gone: taking the label away is all that is left.
      drafts.set(o.address, draftRemoval(o));
    }
  }
  addReplacements(drafts, declared);
  addNotes(drafts, declared);
  addRisks(reader, name, drafts);
  addRollouts(drafts, wanted);
  const waits = waitSteps(drafts, wanted);
  const withSteps = new Map(
    [...drafts].map(([address, draft]) => [
      address,
      { ...draft, steps: [...stepsOf(draft, declared, observed, context), ...(waits.get(address) ?? [])] },
    ]),
  );
  const split = splitFreezing(withSteps, observed);
  const ordered = orderChanges(split, declared, scope);
  const selected = selectTargets(ordered, options.targets, declared);
  return {
    plan: {
      stack: name,
      changes: selected.changes,
      complete: selected.complete,
      declared: [...declared.keys()],
      warnings: [
        ...problems.filter((p) => p.severity === 'warning').map((p) => p.error.message),
        ...evacuation(reader, needed),
        ...mountWarnings(withSteps.values()),
        ...(wanted === undefined || options.volumes === true ? [] : keptWarnings(observed.values(), declared)),
        ...(asksForProtection(declared.values()) ? protectionWarnings(reader, name) : []),
      ],
      unreadable: [
        ...scope.unreadable,
        ...[...drafts.values()].flatMap((d) => d.unreadable.map((a) => `${d.address}: ${a}`)),
      ],
    },
    scope,
    observed,
    declared,
    stack: wanted,
  };
}

/**
 * A v2 cgroup with controllers for its children holds no processes (cgroup-v2.rst, "No Internal Process Constraint"):
 * those found in a root that was handed to us move into a leaf of their own, and the plan says so.
 */
function evacuation(reader: KernelReader, needed: readonly string[]): string[] {
  const { inner } = delegation(reader, []);
  if (needed.length === 0 || inner.length === 0) {
    return [];
  }
  const root = reader.settings.cgroupRoot;
  const names = describeProcesses(reader, inner.slice(0, 10)).map((p) => p.text);
  const more = inner.length > names.length ? ` and ${inner.length - names.length} more` : '';
  return [
    `${names.join(', ')}${more} in ${root} will move to ${root}/${EVACUATED}: a cgroup that gives its children controllers (${needed.join(', ')}) holds no processes itself`,
  ];
}

function asksForProtection(declared: Iterable<Declared>): boolean {
  return [...declared].some((d) => PROTECTIONS.some((name) => (d.desired[name] ?? '0') !== '0'));
}

/** Paths without those that lie below another of them. */
function outermost(paths: readonly string[]): string[] {
  return paths.filter((p) => !paths.some((other) => other !== p && p.startsWith(`${other}/`)));
}

/** Marks limits that are lowered below what is in use, so that nobody is surprised by what the kernel then does. */
function addRisks(reader: KernelReader, stack: string, drafts: Map<Address, Draft>): void {
  const changing = [...drafts.values()].filter((d) => d.action === 'update' && d.attributes.length > 0);
  const risks = knobRisks(
    reader,
    stack,
    changing.map((d) => ({
      path: d.facts['leaf'] ?? d.address.slice(d.address.indexOf('/') + 1),
      changes: d.attributes,
    })),
  );
  changing.forEach((draft, i) => {
    const found = risks[i];
    if (found !== undefined && found.size > 0) {
      const attributes = draft.attributes.map((a) => {
        const risk = found.get(a.name);
        return risk === undefined ? a : { ...a, risk };
      });
      drafts.set(draft.address, { ...draft, attributes });
    }
  });
}

/** Throws TsboxErrors with everything this kernel cannot do of what the stack asks. */
export function checkStack(reader: KernelReader, stack: Stack): void {
  declareAll(reader, stack);
}

function declareAll(
  reader: KernelReader,
  asked: Stack,
): { wanted: Stack; declaredByKind: Declared[][]; problems: Problem[]; needed: readonly string[] } {
  const problems: Problem[] = [];
  const report = (p: Problem): void => void problems.push(p);
  const stack = withImages(findIds(reader, asked, report).stack, reader, report);
  const declaredByKind = KINDS.map((kind) => kind.declare(stack, reader, (p) => problems.push(p)));
  const errors = problems.filter((p) => p.severity === 'error').map((p) => p.error);
  const needed = new Set(declaredByKind.flat().flatMap((d) => controllersFor(reader, d.desired)));
  errors.push(...delegationErrors(reader, [...needed]));
  if (errors.length > 0) {
    throw new TsboxErrors(errors);
  }
  return { wanted: stack, declaredByKind, problems, needed: [...needed] };
}

function draftDeclared(declared: Declared, observed: Observed | undefined, scope: StackScope): Draft {
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
  const action = attributes.some((a) => a.mode === 'replace')
    ? 'replace'
    : attributes.some((a) => a.mode === 'restart')
      ? 'restart'
      : attributes.length > 0 || observed.extras.length > 0
        ? 'update'
        : 'no-op';
  return {
    ...base,
    action,
    missing: false,
    attributes,
    extras: observed.extras,
    refresh:
      action === 'no-op' &&
      (recordStale(table, declared, observed) || needsStale(declared, scope.byAddress.get(address)?.label?.needs)),
  };
}

/** Whether the label, which has the order of removal, says something else than the stack: what is needed is order only. */
function needsStale({ needs }: Declared, recorded: readonly string[] | undefined): boolean {
  return recorded !== undefined && (needs.length !== recorded.length || needs.some((n) => !recorded.includes(n)));
}

function draftRemoval(observed: Observed): Draft {
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
    refresh: false,
  };
}

function stepsOf(
  draft: Draft,
  declared: ReadonlyMap<Address, Declared>,
  observed: ReadonlyMap<Address, Observed>,
  context: StepContext,
): Step[] {
  const kind = kindOf(draft.address);
  const wanted = declared.get(draft.address);
  const live = observed.get(draft.address);
  const ends = draft.action !== 'update' && draft.action !== 'no-op';
  const evictions = draft.extras.flatMap((e) => e.steps.filter((s) => !(ends && s.op === 'mounts')));
  const removal = (): Step[] => (live === undefined ? [] : kind.remove(live, context));
  if (draft.action === 'delete') {
    return [...evictions, ...removal()];
  }
  if (wanted === undefined) {
    throw new TsboxError('TSB9002', `${draft.address} is planned but neither declared nor to be removed`);
  }
  switch (draft.action) {
    case 'create':
      return [...evictions, ...kind.create(wanted, context)];
    case 'replace':
      return inOrderOfDanger([...evictions, ...removal(), ...kind.create(wanted, context)]);
    case 'update':
      return [...evictions, ...kind.update(wanted, draft.attributes, context)];
    case 'restart':
      return [...evictions, ...kind.update(wanted, draft.attributes, context)];
    case 'no-op':
      return draft.refresh ? kind.update(wanted, [], context) : [];
  }
}

/** What only fetches and unpacks comes first: it may fail, and takes long, while the old one still runs. */
function inOrderOfDanger(steps: readonly Step[]): Step[] {
  return [...steps.filter((s) => s.op === 'image'), ...steps.filter((s) => s.op !== 'image')];
}

/** What a start takes besides, said where there is going to be one. */
function addNotes(drafts: Map<Address, Draft>, declared: ReadonlyMap<Address, Declared>): void {
  for (const [address, draft] of drafts) {
    const notes = declared.get(address)?.notes ?? [];
    if (notes.length > 0 && ['create', 'replace', 'restart'].includes(draft.action)) {
      drafts.set(address, { ...draft, reasons: [...draft.reasons, ...notes] });
    }
  }
}
