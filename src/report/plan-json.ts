/**
 * Plans and applies as a line-delimited event stream, in the shape of Terraform's machine-readable UI. A change carries
 * its values and their cause besides, and what is tsbox's own stands under `tsbox`.
 */
import {
  driftCount,
  isRelease,
  summarise,
  type Action,
  type CheckResult,
  type PlannedChange,
} from '../planner/plan.ts';
import type { Address, AttributeChange } from '../resources/kind.ts';
import { contentsJson } from './contents.ts';
import { covered } from './covered.ts';
import { editsJson } from './plan-diff/edits-json.ts';
import { summaryLine } from './plan-text.ts';
import { checksJson } from './terraform/checks.ts';
import { driftSides, ownCounts, sidesJson, sidesOf, type Documented } from './terraform/document.ts';
import { namingOf, type Naming } from './terraform/names.ts';
import { reasonOf } from './terraform/reasons.ts';
import { outputChanges } from './terraform/outputs.ts';
import type { Mask } from './terraform/values.ts';

/** The version of that stream's format. */
const UI_VERSION = '1.2';

const ACTION: Readonly<Record<Action, string>> = {
  create: 'create',
  update: 'update',
  restart: 'update',
  replace: 'replace',
  delete: 'delete',
  'no-op': 'noop',
};

type Level = 'info' | 'warn' | 'error';

/** A line of the stream. */
export function eventLine(
  type: string,
  message: string,
  payload: Readonly<Record<string, unknown>>,
  level: Level = 'info',
): string {
  return JSON.stringify({
    '@level': level,
    '@message': message,
    '@module': 'tsbox.ui',
    '@timestamp': new Date().toISOString(),
    type,
    ...payload,
  });
}

export function versionJson(version: string): string {
  return eventLine('version', `tsbox ${version}`, { tsbox: version, ui: UI_VERSION });
}

export function resourceJson(of: Address, naming: Naming): Record<string, unknown> {
  const { address, module, resource, type, name, index } = naming(of);
  return {
    addr: address,
    module,
    resource,
    implied_provider: 'tsbox',
    resource_type: type,
    resource_name: name,
    resource_key: index ?? null,
  };
}

/** What a stream is told of a plan. */
export type Streamed = Omit<Documented, 'bootId' | 'time' | 'variables' | 'checks'>;

function actionOf(change: PlannedChange): string {
  // What is given back is forgotten, which this stream calls remove.
  return isRelease(change) ? 'remove' : ACTION[change.action];
}

/** One change with its values: before is live, after is declared. */
function changeJson(change: PlannedChange, source: Streamed, naming: Naming): Record<string, unknown> {
  const { before, after, unknown } = sidesOf(change, source);
  const reason = reasonOf(change, source.destroy, source.plan)?.replace(/^replace_(because_|by_)?/, '');
  const words: Readonly<Record<string, string>> = { triggers: 'replace_triggered_by', request: 'requested' };
  return {
    resource: resourceJson(change.address, naming),
    ...(change.movedFrom === undefined ? {} : { previous_resource: resourceJson(change.movedFrom, naming) }),
    action: actionOf(change),
    ...(reason === undefined ? {} : { reason: words[reason] ?? reason }),
    ...sidesJson(before, after, unknown, source.mask),
    cause: causeOf(change),
    step: [...change.steps, ...change.lateSteps].map((s) => s.op),
    tsbox: ownJson(change, source.mask),
  };
}

/** One word for all of a change: what its attributes say of themselves, together. */
function causeOf(change: PlannedChange): string {
  const causes = new Set(change.attributes.map((a) => a.cause));
  const drifted = driftCount(change) > 0;
  const declared = causes.has('config') || causes.has('both') || (change.action === 'create' && !change.missing);
  return drifted ? (declared ? 'both' : 'drift') : 'config';
}

function ownJson(change: PlannedChange, mask: Mask): Record<string, unknown> {
  return {
    address: change.address,
    action: change.action,
    drift: driftCount(change),
    missing: change.missing,
    ...(change.rollout === undefined
      ? {}
      : { rolling: { at_once: change.rollout.atOnce, on_failure: change.rollout.onFailure } }),
    reasons: change.reasons,
    ...lifecycleJson(change, mask),
    facts: change.facts,
    attributes: change.attributes.map((a) => attributeJson(change.address, a, mask)),
    unmanaged: change.extras.map((e) => ({ what: e.what, text: e.text })),
    unreadable: change.unreadable,
    at: change.at ?? null,
  };
}

/** What a lifecycle does to a change. */
export function lifecycleJson(
  { address, blocked, ignored, movedFrom, importing }: PlannedChange,
  mask: Mask,
): Record<string, unknown> {
  return {
    ...(blocked === undefined ? {} : { blocked: { by: blocked.by, message: blocked.message } }),
    ...(ignored === undefined ? {} : { ignored: ignored.map((a) => attributeJson(address, a, mask)) }),
    ...(movedFrom === undefined ? {} : { moved_from: movedFrom }),
    ...(importing === undefined ? {} : { importing }),
  };
}

function attributeJson(address: string, a: AttributeChange, mask: Mask): Record<string, unknown> {
  const edits = editsJson(address, a, mask);
  return {
    name: a.name,
    before: covered(a.before, a.after, mask) ?? null,
    after: a.after ?? null,
    last_applied: covered(a.applied, a.after, mask) ?? null,
    cause: a.cause,
    mode: a.mode,
    reason: a.reason ?? null,
    risk: a.risk ?? null,
    ...(a.manager === undefined ? {} : { manager: a.manager }),
    ...(edits === undefined ? {} : { edits }),
    ...contentsJson(a, mask),
  };
}

/** Drift as an event of its own: before is what the last apply left, after is what is there. */
function driftEventJson(change: PlannedChange, source: Streamed, naming: Naming): Record<string, unknown> {
  const { before, after } = driftSides(change, source);
  return {
    resource: resourceJson(change.address, naming),
    action: after === undefined ? 'delete' : 'update',
    ...sidesJson(before, after, [], source.mask),
    cause: 'drift',
    tsbox: ownJson(change, source.mask),
  };
}

export function renderPlanJson(source: Streamed): string {
  const { plan } = source;
  const naming = namingOf(plan.origins);
  const lines = [versionJson(source.version)];
  for (const warning of plan.warnings) {
    lines.push(diagnosticJson('warning', warning, '', undefined));
  }
  for (const change of plan.changes.filter((c) => driftCount(c) > 0)) {
    lines.push(
      eventLine('resource_drift', `${change.address}: Drift detected`, {
        change: driftEventJson(change, source, naming),
      }),
    );
  }
  for (const change of plan.changes.filter(
    (c) => c.action !== 'no-op' || c.ignored !== undefined || c.movedFrom !== undefined,
  )) {
    lines.push(
      eventLine('planned_change', `${change.address}: Plan to ${change.action}`, {
        change: changeJson(change, source, naming),
      }),
    );
  }
  const s = summarise(plan);
  lines.push(
    eventLine('change_summary', summaryLine(plan), {
      changes: {
        add: s.add,
        change: s.change,
        import: s.import ?? 0,
        remove: s.destroy,
        forget: s.forget,
        operation: 'plan',
      },
      tsbox: {
        ...ownCounts(s),
        complete: plan.complete,
        unreadable: plan.unreadable,
      },
    }),
  );
  if (source.outputs.length > 0) {
    lines.push(outputChangesJson(source));
  }
  return `${lines.join('\n')}\n`;
}

function outputChangesJson(source: Streamed): string {
  const changes = outputChanges(source.outputs) as Record<string, { actions: string[]; after?: string | null }>;
  const outputs = Object.fromEntries(
    source.outputs.map((o) => [
      o.name,
      { sensitive: o.sensitive, action: changes[o.name]?.actions[0]?.replace('-', '') },
    ]),
  );
  return eventLine('outputs', `Outputs: ${source.outputs.length}`, { outputs });
}

export type HookType = 'apply_start' | 'apply_progress' | 'apply_complete' | 'apply_errored' | 'apply_skipped';

/**
 * A line of the same stream while an apply runs.
 * @param action the pass that it is of: a replacement is a deletion and a creation
 */
export function hookJson(
  type: HookType,
  change: PlannedChange,
  action: Action,
  seconds: number,
  naming: Naming,
  extra: Readonly<Record<string, unknown>> = {},
): string {
  const message = `${change.address}: ${MESSAGES[type](action, seconds)}`;
  const hook = {
    resource: resourceJson(change.address, naming),
    action: action === 'delete' && isRelease(change) ? 'remove' : ACTION[action],
    ...(type === 'apply_complete' && change.facts['pid'] !== undefined && action !== 'create'
      ? { id_key: 'pid', id_value: change.facts['pid'] }
      : {}),
    elapsed_seconds: Math.round(seconds * 1000) / 1000,
    tsbox: { address: change.address, action: change.action, ...extra },
  };
  return eventLine(type, message, { hook }, type === 'apply_errored' ? 'error' : 'info');
}

const MESSAGES: Readonly<Record<HookType, (action: Action, seconds: number) => string>> = {
  apply_start: (action) => `${DOING[action]}...`,
  apply_progress: (action, seconds) => `Still ${DOING[action].toLowerCase()}... [${Math.round(seconds)}s elapsed]`,
  apply_complete: (action, seconds) => `${DOING[action]} complete after ${seconds.toFixed(2)}s`,
  apply_errored: (action, seconds) => `${DOING[action]} errored after ${seconds.toFixed(2)}s`,
  apply_skipped: () => 'not started',
};

const DOING: Readonly<Record<Action, string>> = {
  create: 'Creation',
  update: 'Modification',
  restart: 'Restart',
  replace: 'Replacement',
  delete: 'Destruction',
  'no-op': 'Recording',
};

export interface DiagnosticPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly length: number;
  readonly sourceLine?: string | undefined;
}

export function diagnosticJson(
  severity: 'error' | 'warning',
  summary: string,
  detail: string,
  address: string | undefined,
  at?: DiagnosticPlace,
  own?: Readonly<Record<string, unknown>>,
  naming: Naming = namingOf(undefined),
): string {
  const level = severity === 'error' ? 'error' : 'warn';
  const message = `${severity === 'error' ? 'Error' : 'Warning'}: ${summary}`;
  const diagnostic = {
    severity,
    summary,
    detail,
    ...(address === undefined ? {} : { address: naming(address).address }),
    ...(at === undefined ? {} : placeJson(at)),
    ...(own === undefined && address === undefined ? {} : { tsbox: { address, ...own } }),
  };
  return eventLine('diagnostic', message, { diagnostic }, level);
}

/** Place and excerpt. Terraform counts bytes of the file besides, which nobody here keeps: there they are of the line. */
export function placeJson(at: DiagnosticPlace): Record<string, unknown> {
  return {
    range: {
      filename: at.file,
      start: { line: at.line, column: at.column, byte: at.column - 1 },
      end: { line: at.line, column: at.column + at.length, byte: at.column - 1 + at.length },
    },
    ...(at.sourceLine === undefined
      ? {}
      : {
          snippet: {
            context: null,
            code: at.sourceLine,
            start_line: at.line,
            highlight_start_offset: at.column - 1,
            highlight_end_offset: at.column - 1 + at.length,
            values: [],
          },
        }),
  };
}

export function summaryJson(
  operation: 'apply' | 'destroy',
  counts: { readonly add: number; readonly change: number; readonly remove: number; readonly forget: number },
  complete: boolean,
): string {
  const { add, change, remove } = counts;
  const sentence =
    operation === 'destroy'
      ? `Destroy ${complete ? 'complete' : 'incomplete'}! Resources: ${remove} destroyed.`
      : `Apply ${complete ? 'complete' : 'incomplete'}! Resources: ${add} added, ${change} changed, ${remove} destroyed.`;
  return eventLine('change_summary', sentence, { changes: { ...counts, import: 0, operation } });
}

/** What checks came to after an apply, as Terraform's documents have it; its own stream has no such line. */
export function checksEventJson(checks: readonly CheckResult[], mask: Mask, naming: Naming): string {
  const failed = checks.filter((c) => c.status !== 'pass').length;
  const message = `Checks: ${checks.length - failed} of ${checks.length} pass`;
  return eventLine('checks', message, { checks: checksJson(checks, mask, naming) }, failed === 0 ? 'info' : 'warn');
}

/** The values of the outputs after an apply. */
export function outputsJson(
  outputs: ReadonlyArray<{ readonly name: string; readonly value: string; readonly sensitive: boolean }>,
): string {
  return eventLine('outputs', `Outputs: ${outputs.length}`, {
    outputs: Object.fromEntries(
      outputs.map((o) => [o.name, { sensitive: o.sensitive, type: 'string', value: o.sensitive ? null : o.value }]),
    ),
  });
}
