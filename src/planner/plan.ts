/** The plan: what differs, why, and the steps that end it. Pure data; the same input gives the same plan. */
import type { SourceSpan } from '../errors.ts';
import type { OnFailure } from '../resources/container/replicas.ts';
import type { Address, AttributeChange, Extra } from '../resources/kind.ts';
import type { Origins } from '../resources/origins.ts';
import type { Step } from '../resources/step.ts';

export type Action = 'create' | 'update' | 'restart' | 'replace' | 'delete' | 'no-op';

/** A change that takes turns with those of the other replicas. */
export interface Rollout {
  /** The container whose replicas take turns. */
  readonly container: Address;
  /** Replicas that may be down at once. */
  readonly atOnce: number;
  /** Whether a replica that does not come up again ends the turn of all, and takes back those that have. */
  readonly onFailure: OnFailure;
  /** Replicas that are down, and come up first. */
  readonly after: readonly Address[];
}

/** Why a change is planned, in the words of Terraform's JSON. */
export type ActionReason =
  | 'replace_because_cannot_update'
  | 'replace_by_request'
  | 'replace_by_triggers'
  | 'delete_because_no_resource_config'
  | 'delete_because_count_index'
  | 'delete_because_each_key'
  | 'delete_because_no_module';

/** Why a change is left out by apply, which ends with exit code 5. */
export interface Blocked {
  /** dependency: what it needs, or what rests on it, is blocked. */
  readonly by: 'protection' | 'precondition' | 'dependency';
  readonly message: string;
  readonly hint?: string;
  readonly at?: SourceSpan | undefined;
  readonly sourceLine?: string | undefined;
  /** dependency: the resource that is in the way. */
  readonly because?: Address;
}

export interface PlannedChange {
  readonly address: Address;
  readonly kind: string;
  readonly action: Action;
  /** Whether a resource to be made was there at the last apply. */
  readonly missing: boolean;
  readonly attributes: readonly AttributeChange[];
  /** Foreign things inside it. */
  readonly extras: readonly Extra[];
  /** Why it is replaced or restarted beyond its attributes. */
  readonly reasons: readonly string[];
  readonly unreadable: readonly string[];
  readonly facts: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
  /** Steps that come after everything below it has started: freezing. */
  readonly lateSteps: readonly Step[];
  /** Changes that must be finished first. */
  readonly after: readonly Address[];
  /** Changes that must be finished before the late steps. */
  readonly lateAfter: readonly Address[];
  readonly rollout?: Rollout;
  readonly actionReason?: ActionReason;
  /** Differences that lifecycle.ignore_changes leaves as they are: before is live, after is declared. */
  readonly ignored?: readonly AttributeChange[];
  /** It is not done; the summary does not count it. */
  readonly blocked?: Blocked;
  /** Its address at the last apply, where `moved` says so. */
  readonly movedFrom?: Address;
  /** An existing object that becomes this resource. */
  readonly importing?: { readonly id: string };
  /** create_before_destroy: the new one is there before the old one ends. */
  readonly createFirst?: boolean;
  /** A removal that takes the labels off and leaves the object. */
  readonly forget?: boolean;
  readonly at: SourceSpan | undefined;
}

/** What became of a precondition, a check or a policy. */
export interface CheckResult {
  readonly kind: 'precondition' | 'check' | 'policy';
  readonly name: string;
  readonly address?: Address;
  readonly severity: 'error' | 'warning' | 'info';
  /** error: the expression has no answer; unknown: it may have one after the apply. */
  readonly status: 'pass' | 'fail' | 'error' | 'unknown';
  readonly message: string;
  readonly at?: SourceSpan | undefined;
  readonly sourceLine?: string | undefined;
}

/** Policies that stop an apply. */
export function refusals(plan: Plan): readonly CheckResult[] {
  return (plan.checks ?? []).filter(refuses);
}

/** Changes that are protected, or refused by a condition, themselves; not what only waits for those. */
export function heldBack(plan: Plan): ReadonlyArray<PlannedChange & { readonly blocked: Blocked }> {
  return plan.changes.flatMap((c) =>
    c.blocked === undefined || c.blocked.by === 'dependency' ? [] : [{ ...c, blocked: c.blocked }],
  );
}

/** What such a policy says, on one line. */
export function refusalText({ name, address, message }: CheckResult): string {
  return `policy ${name}${address === undefined ? '' : ` refuses ${address}`}: ${message}`;
}

function refuses({ kind, severity, status }: CheckResult): boolean {
  return kind === 'policy' && severity === 'error' && status !== 'pass';
}

export interface Plan {
  readonly checks?: readonly CheckResult[];
  readonly stack: string;
  readonly changes: readonly PlannedChange[];
  /** Only records are brought up to date: --refresh-only. */
  readonly refreshOnly?: boolean;
  /** False when targets left something out. */
  readonly complete: boolean;
  /** Where resources come from, for Terraform's names of them. */
  readonly origins?: Origins;
  /** Every address the stack declares, for the record. */
  readonly declared: readonly Address[];
  readonly warnings: readonly string[];
  /** What these privileges could not read. */
  readonly unreadable: readonly string[];
}

export interface Summary {
  readonly import?: number;
  readonly add: number;
  readonly change: number;
  readonly destroy: number;
  /** Adopted cgroups that are given back. */
  readonly forget: number;
  readonly inPlace: number;
  readonly restarted: number;
  readonly replaced: number;
  /** Attributes whose new value hurts what runs. */
  readonly disruptive: number;
  /** Attributes, extras and missing resources that changed behind our back. */
  readonly drift: number;
  readonly driftResources: number;
}

/** Drifted items of one change. */
export function driftCount(change: PlannedChange): number {
  const attributes = change.attributes.filter((a) => a.cause === 'drift' || a.cause === 'both').length;
  return attributes + change.extras.length + (change.missing ? 1 : 0);
}

export function summarise(plan: Plan): Summary {
  const changes = plan.changes.filter((c) => c.blocked === undefined);
  const count = (...actions: Action[]): number => changes.filter((c) => actions.includes(c.action)).length;
  const forget = changes.filter(isRelease).length;
  const imported = changes.filter((c) => c.importing !== undefined).length;
  const drifted = plan.changes.map(driftCount).filter((n) => n > 0);
  return {
    ...(imported === 0 ? {} : { import: imported }),
    add: count('create', 'replace'),
    change: count('update', 'restart'),
    destroy: count('delete', 'replace') - forget,
    forget,
    inPlace: count('update'),
    restarted: count('restart'),
    replaced: count('replace'),
    disruptive: changes.flatMap((c) => c.attributes).filter((a) => a.risk !== undefined).length,
    drift: drifted.reduce((a, b) => a + b, 0),
    driftResources: drifted.length,
  };
}

/** Whether a removal leaves the object: it is given back, or forgotten. */
export function isRelease(change: PlannedChange): boolean {
  return change.action === 'delete' && (change.forget === true || change.facts['adopted'] !== undefined);
}

/** Attributes that a container changes by itself after its start: an apply starts it and does not vouch for its course. */
const OWN_COURSE: ReadonlySet<string> = new Set(['health', 'state']);

/** What a container has come to by itself: no apply is at fault, the next plan starts it again. */
export function hasEnded(change: PlannedChange): boolean {
  return (
    change.action === 'restart' &&
    change.extras.length + change.reasons.length === 0 &&
    change.attributes.length > 0 &&
    change.attributes.every(
      (a) => OWN_COURSE.has(a.name) && (a.name === 'health' || /^(exited|killed)/.test(String(a.before))),
    )
  );
}

/** True when nothing differs but what containers have come to by themselves since. */
export function isConverged(plan: Plan): boolean {
  return plan.changes.every((c) => c.action === 'no-op' || c.blocked !== undefined || hasEnded(c));
}

/** True when there is something that apply does. */
export function hasWork(plan: Plan): boolean {
  return plan.changes.some((c) => (c.action !== 'no-op' || c.movedFrom !== undefined) && c.blocked === undefined);
}

/** True when applying would change nothing in the kernel. */
export function isEmpty(plan: Plan): boolean {
  return plan.changes.every((c) => c.action === 'no-op' && c.movedFrom === undefined);
}

/** Conditions that do not hold. A check without an answer is one of them when nothing is left to do. */
export function unmet(plan: Plan): CheckResult[] {
  const settled = !hasWork(plan);
  return (plan.checks ?? []).filter(
    (c) => c.status === 'fail' || (c.status === 'error' && (c.kind !== 'check' || settled)),
  );
}

/** Checks and policies that do not hold and stop nothing. */
export function conditionWarnings(plan: Plan): string[] {
  return unmet(plan)
    .filter((c) => c.kind !== 'precondition' && !refuses(c))
    .map(
      (c) =>
        `${c.kind} ${c.name}${c.address === undefined ? '' : ` (${c.address})`}: ${c.message}${c.at === undefined ? '' : ` (${c.at.file}:${c.at.line})`}`,
    );
}
