/** The plan as a line-delimited event stream, in the shape of Terraform's machine-readable UI. */
import { summaryLine } from './plan-text.ts';
import { driftCount, summarise, type Action, type Plan, type PlannedChange } from '../planner/plan.ts';
import type { AttributeChange } from '../resources/kind.ts';
import { containerOf, parseReplica } from '../resources/container/replica-names.ts';

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

function line(type: string, message: string, payload: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({
    '@level': 'info',
    '@message': message,
    '@module': 'tsbox.ui',
    '@timestamp': new Date().toISOString(),
    type,
    ...payload,
  });
}

export function resourceJson(change: Pick<PlannedChange, 'address' | 'kind'>): Record<string, unknown> {
  const name = change.address.slice(change.kind.length + 1);
  return {
    addr: change.address,
    module: '',
    resource: change.address,
    implied_provider: 'tsbox',
    resource_type: `tsbox_${change.kind}`,
    resource_name: containerOf(name),
    resource_key: parseReplica(name)?.index ?? null,
  };
}

/** One change with its values: before is live, after is declared. */
export function changeJson(change: PlannedChange): Record<string, unknown> {
  return {
    resource: resourceJson(change),
    action: ACTION[change.action],
    tsbox: {
      action: change.action,
      drift: driftCount(change),
      missing: change.missing,
      ...(change.rollout === undefined
        ? {}
        : { rolling: { at_once: change.rollout.atOnce, on_failure: change.rollout.onFailure } }),
      reasons: change.reasons,
      ...(change.actionReason === undefined ? {} : { action_reason: change.actionReason }),
      ...(change.blocked === undefined ? {} : { blocked: { by: change.blocked.by, message: change.blocked.message } }),
      ...(change.ignored === undefined ? {} : { ignored: change.ignored.map(attributeJson) }),
      ...(change.movedFrom === undefined ? {} : { moved_from: change.movedFrom }),
      facts: change.facts,
      attributes: change.attributes.map(attributeJson),
      unmanaged: change.extras.map((e) => ({ what: e.what, text: e.text })),
      unreadable: change.unreadable,
      at: change.at ?? null,
    },
  };
}

function attributeJson(a: AttributeChange): Record<string, unknown> {
  return {
    name: a.name,
    before: a.before ?? null,
    after: a.after ?? null,
    last_applied: a.applied ?? null,
    cause: a.cause,
    mode: a.mode,
    reason: a.reason ?? null,
    risk: a.risk ?? null,
  };
}

export function renderPlanJson(plan: Plan, version: string): string {
  const lines = [line('version', `tsbox ${version}`, { tsbox: version, ui: UI_VERSION })];
  for (const change of plan.changes) {
    const payload = { change: changeJson(change) };
    if (driftCount(change) > 0) {
      lines.push(line('resource_drift', `${change.address}: drift`, payload));
    }
    if (change.action !== 'no-op' || change.ignored !== undefined) {
      lines.push(line('planned_change', `${change.address}: plan to ${change.action}`, payload));
    }
  }
  const s = summarise(plan);
  lines.push(
    line('change_summary', summaryLine(plan), {
      changes: {
        add: s.add,
        change: s.change,
        import: s.import ?? 0,
        remove: s.destroy,
        forget: s.forget,
        operation: 'plan',
      },
      tsbox: {
        in_place: s.inPlace,
        restarted: s.restarted,
        replaced: s.replaced,
        disruptive: s.disruptive,
        drift: s.drift,
        drift_resources: s.driftResources,
        complete: plan.complete,
        unreadable: plan.unreadable,
      },
    }),
  );
  return `${lines.join('\n')}\n`;
}

/** A line of the same stream while an apply runs. */
export function hookJson(
  type: 'apply_start' | 'apply_progress' | 'apply_complete' | 'apply_errored' | 'apply_skipped',
  change: PlannedChange,
  seconds: number,
  extra: Readonly<Record<string, unknown>> = {},
): string {
  return line(type, `${change.address}: ${type.replace('apply_', '')}`, {
    hook: { resource: resourceJson(change), action: ACTION[change.action], elapsed_seconds: seconds, ...extra },
  });
}

export function diagnosticJson(
  severity: 'error' | 'warning',
  summary: string,
  detail: string,
  address: string | undefined,
): string {
  return line('diagnostic', summary, {
    diagnostic: { severity, summary, detail, ...(address === undefined ? {} : { address }) },
  });
}

export function summaryJson(operation: 'apply' | 'destroy', add: number, change: number, remove: number): string {
  return line('change_summary', `${operation}: ${add} added, ${change} changed, ${remove} destroyed`, {
    changes: { add, change, import: 0, remove, forget: 0, operation },
  });
}
