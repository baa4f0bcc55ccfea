/**
 * The plan as one document in Terraform's published shape (format_version 1.2). What is tsbox's own stands under `tsbox`
 * at the top and in each change: readers of Terraform's plans find what they know, and nothing else in between.
 */
import {
  driftCount,
  hasWork,
  isEmpty,
  isRelease,
  summarise,
  type CheckResult,
  type Plan,
  type PlannedChange,
  type Summary,
} from '../../planner/plan.ts';
import type { Address, Declared, Observed } from '../../resources/kind.ts';
import { kindOf } from '../../resources/registry.ts';
import { contentsJson } from '../contents.ts';
import { checksJson } from './checks.ts';
import { editsJson } from '../plan-diff/edits-json.ts';
import { configurationJson } from './configuration.ts';
import { moduleTree } from './modules.ts';
import { byTerraformAddress, namingOf, resourceHead, SENSITIVE, type Naming } from './names.ts';
import { outputChanges, outputValues, type OutputState } from './outputs.ts';
import { reasonOf } from './reasons.ts';
import {
  appliedValues,
  changedValues,
  coveredValues,
  KNOWN_AFTER,
  liveValues,
  shown,
  type Mask,
  type Values,
} from './values.ts';

/** The version of Terraform's format, and the version of Terraform whose documents look like these. */
export const FORMAT_VERSION = '1.2';
export const STATE_FORMAT_VERSION = '1.0';
export const TERRAFORM_VERSION = '1.9.0';

const SCHEMA_VERSION = 1;

export interface Documented {
  readonly plan: Plan;
  readonly observed: ReadonlyMap<Address, Observed>;
  readonly declared: ReadonlyMap<Address, Declared>;
  readonly variables: Readonly<
    Record<string, { readonly value: string | number | boolean; readonly sensitive: boolean }>
  >;
  readonly outputs: readonly OutputState[];
  /** The removal of everything was asked for. */
  readonly destroy: boolean;
  readonly version: string;
  readonly bootId: string;
  /** RFC 3339. */
  readonly time: string;
  readonly mask: Mask;
}

/** The whole document. */
export function planDocument(source: Documented): Record<string, unknown> {
  const { plan, observed, mask } = source;
  const naming = namingOf(plan.origins);
  const changes = [...plan.changes].sort(byTerraformAddress(naming));
  const known = changes.map((c) => ({ change: c, sides: sidesOf(c, source) }));
  return {
    format_version: FORMAT_VERSION,
    terraform_version: TERRAFORM_VERSION,
    variables: Object.fromEntries(
      Object.entries(source.variables).map(([name, v]) => [name, { value: v.sensitive ? SENSITIVE : v.value }]),
    ),
    planned_values: {
      outputs: outputValues(source.outputs, 'after'),
      root_module: moduleTree(
        known.flatMap(({ change, sides: { after } }) =>
          after === undefined ? [] : [resourceValues(change.address, after, mask, naming)],
        ),
      ),
    },
    resource_drift: changes.flatMap((c) => driftEntry(c, source, naming)),
    resource_changes: known.map(({ change, sides }) => changeEntry(change, sides, source, naming)),
    output_changes: outputChanges(source.outputs),
    prior_state: {
      format_version: STATE_FORMAT_VERSION,
      terraform_version: TERRAFORM_VERSION,
      values: {
        outputs: outputValues(source.outputs, 'before'),
        root_module: moduleTree(
          [...observed.values()]
            .filter((o) => o.exists)
            .sort(byTerraformAddress(naming))
            .map((o) => {
              const desired = source.declared.get(o.address)?.desired ?? {};
              return resourceValues(o.address, coveredValues(liveValues(o), desired, mask), mask, naming);
            }),
        ),
      },
    },
    configuration: configurationJson(source, naming),
    relevant_attributes: [],
    checks: checksJson(checksOf(plan), mask, naming),
    timestamp: source.time,
    applyable: !isEmpty(plan),
    complete: plan.complete,
    errored: false,
    tsbox: {
      version: source.version,
      stack: plan.stack,
      boot_id: source.bootId,
      destroy: source.destroy,
      summary: summaryJson(plan),
      warnings: plan.warnings.map(mask),
      unreadable: plan.unreadable,
    },
  };
}

/** A check that has no answer while there is something to do may have one afterwards. */
function checksOf(plan: Plan): readonly CheckResult[] {
  const settled = !hasWork(plan);
  return (plan.checks ?? []).map((c) =>
    c.kind === 'check' && c.status === 'error' && !settled ? { ...c, status: 'unknown' } : c,
  );
}

function summaryJson(plan: Plan): Record<string, number> {
  const s = summarise(plan);
  return { add: s.add, change: s.change, destroy: s.destroy, forget: s.forget, ...ownCounts(s) };
}

/** What tsbox counts besides. */
export function ownCounts(s: Summary): Record<string, number> {
  return {
    in_place: s.inPlace,
    restarted: s.restarted,
    replaced: s.replaced,
    disruptive: s.disruptive,
    drift: s.drift,
    drift_resources: s.driftResources,
  };
}

export function resourceValues(address: Address, values: Values, mask: Mask, naming: Naming): Record<string, unknown> {
  const clean = shown(values, mask);
  return {
    ...resourceHead(address, naming),
    schema_version: SCHEMA_VERSION,
    values: clean.values,
    sensitive_values: clean.sensitive,
  };
}

interface Sides {
  readonly before: Values | undefined;
  readonly after: Values | undefined;
  /** Facts that are not known before it is done. */
  readonly unknown: readonly string[];
}

/** Values before and after a change, from what was read and what is declared. */
export function sidesOf(change: PlannedChange, source: Pick<Documented, 'observed' | 'declared'>): Sides {
  const live = source.observed.get(change.address);
  const before = live?.exists === true ? liveValues(live) : undefined;
  const desired = source.declared.get(change.address)?.desired ?? {};
  const table = kindOf(change.address).attributes;
  switch (change.action) {
    case 'create':
    case 'replace': {
      const unknown = KNOWN_AFTER[change.kind] ?? [];
      // Where it stands is known before.
      const after = change.action === 'create' ? desired : { ...without(live?.facts ?? {}, unknown), ...desired };
      return { before: change.action === 'create' ? undefined : before, after, unknown };
    }
    case 'delete':
      return { before: before ?? {}, after: undefined, unknown: [] };
    case 'restart': {
      const unknown = KNOWN_AFTER[change.kind] ?? [];
      const after = changedValues(before ?? {}, change.attributes, table);
      return { before, after: without(after, unknown), unknown };
    }
    case 'update':
      return { before, after: changedValues(before ?? {}, change.attributes, table), unknown: [] };
    case 'no-op':
      return { before: before ?? {}, after: before ?? {}, unknown: [] };
  }
}

function without(values: Values, names: readonly string[]): Values {
  return Object.fromEntries(Object.entries(values).filter(([name]) => !names.includes(name)));
}

const ACTIONS: Readonly<Record<PlannedChange['action'], readonly string[]>> = {
  create: ['create'],
  update: ['update'],
  restart: ['update'],
  replace: ['delete', 'create'],
  delete: ['delete'],
  'no-op': ['no-op'],
};

function actionsOf(change: PlannedChange): readonly string[] {
  if (isRelease(change)) {
    return ['forget'];
  }
  return change.action === 'replace' && change.createFirst === true ? ['create', 'delete'] : ACTIONS[change.action];
}

function changeEntry(
  change: PlannedChange,
  { before, after, unknown }: Sides,
  source: Documented,
  naming: Naming,
): Record<string, unknown> {
  const reason = reasonOf(change, source.destroy, source.plan);
  const replaces = change.action === 'replace' ? change.attributes.filter((a) => a.mode === 'replace') : [];
  return {
    ...resourceHead(change.address, naming),
    ...(change.movedFrom === undefined ? {} : { previous_address: naming(change.movedFrom).address }),
    ...(reason === undefined ? {} : { action_reason: reason }),
    change: {
      actions: actionsOf(change),
      ...sidesJson(before, after, unknown, source.mask),
      ...(change.importing === undefined ? {} : { importing: change.importing }),
      ...(replaces.length === 0 ? {} : { replace_paths: replaces.map((a) => [a.name]) }),
      tsbox: ownJson(change, source.mask),
    },
  };
}

/** Both sides as Terraform writes them: null where there is nothing, with its words for what is sensitive there. */
export function sidesJson(
  before: Values | undefined,
  after: Values | undefined,
  unknown: readonly string[],
  mask: Mask,
): Record<string, unknown> {
  const old = before === undefined ? undefined : shown(coveredValues(before, after ?? {}, mask), mask);
  const fresh = after === undefined ? undefined : shown(after, mask);
  return {
    before: old?.values ?? null,
    after: fresh?.values ?? null,
    after_unknown: Object.fromEntries(unknown.map((name) => [name, true])),
    before_sensitive: old?.sensitive ?? false,
    after_sensitive: fresh?.sensitive ?? false,
  };
}

/** What Terraform has no word for. */
function ownJson(change: PlannedChange, mask: Mask): Record<string, unknown> {
  return {
    address: change.address,
    action: change.action,
    missing: change.missing,
    drift: driftCount(change),
    reasons: change.reasons.map(mask),
    causes: Object.fromEntries(change.attributes.map((a) => [a.name, a.cause])),
    modes: Object.fromEntries(change.attributes.map((a) => [a.name, a.mode])),
    risks: Object.fromEntries(change.attributes.flatMap((a) => (a.risk === undefined ? [] : [[a.name, a.risk]]))),
    ...managersJson(change),
    replace_reasons: Object.fromEntries(
      change.attributes.flatMap((a) => (a.mode !== 'replace' || a.reason === undefined ? [] : [[a.name, a.reason]])),
    ),
    edits: Object.fromEntries(
      change.attributes.flatMap((a) => {
        const edits = editsJson(change.address, a, mask);
        return edits === undefined ? [] : [[a.name, edits]];
      }),
    ),
    ...contentsOf(change, mask),
    unmanaged: change.extras.map((e) => ({ what: e.what, text: mask(e.text) })),
    unreadable: change.unreadable,
    ...(change.blocked === undefined
      ? {}
      : { blocked: { by: change.blocked.by, message: mask(change.blocked.message) } }),
    ...(change.ignored === undefined ? {} : { ignored: change.ignored.map((a) => a.name) }),
    steps: [...change.steps, ...change.lateSteps].map((s) => s.op),
    after: [...change.after].sort(),
    ...(change.rollout === undefined
      ? {}
      : { rolling: { at_once: change.rollout.atOnce, on_failure: change.rollout.onFailure } }),
    at: change.at ?? null,
  };
}

/** Who has claimed what is changed or left alone. */
function managersJson({ attributes, ignored }: PlannedChange): Record<string, unknown> {
  const claimed = [...attributes, ...(ignored ?? [])].filter((a) => a.manager !== undefined);
  return claimed.length === 0 ? {} : { managers: Object.fromEntries(claimed.map((a) => [a.name, a.manager])) };
}

/** Contents of files by attribute, where a plan shows them. */
function contentsOf(change: PlannedChange, mask: Mask): Record<string, unknown> {
  const shown = change.attributes.flatMap((a) => {
    const { contents } = contentsJson(a, mask);
    return contents === undefined ? [] : [[a.name, contents] as const];
  });
  return shown.length === 0 ? {} : { contents: Object.fromEntries(shown) };
}

/** Drift: before is what the last apply left, after is what is there. */
function driftEntry(change: PlannedChange, source: Documented, naming: Naming): Array<Record<string, unknown>> {
  if (driftCount(change) === 0) {
    return [];
  }
  const sides = driftSides(change, source);
  return [
    {
      ...resourceHead(change.address, naming),
      change: {
        actions: sides.after === undefined ? ['delete'] : ['update'],
        ...sidesJson(sides.before, sides.after, [], source.mask),
        tsbox: { address: change.address, missing: change.missing, items: driftCount(change) },
      },
    },
  ];
}

export function driftSides(
  change: PlannedChange,
  source: Pick<Documented, 'observed' | 'declared' | 'mask'>,
): { before: Values; after: Values | undefined } {
  const live = source.observed.get(change.address);
  const desired = source.declared.get(change.address)?.desired ?? {};
  if (change.missing || live === undefined || !live.exists) {
    // The record went with the object: what is declared is what is known of it.
    return { before: coveredValues(live?.applied ?? desired, desired, source.mask), after: undefined };
  }
  const values = liveValues(live);
  // Either side may have what a secret of the stack is to take the place of.
  const [before, after] = [appliedValues(values, change.attributes), values].map((side) =>
    coveredValues(side, desired, source.mask),
  ) as [Values, Values];
  return { before, after };
}
