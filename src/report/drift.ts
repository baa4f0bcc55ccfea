/** Drift: what changed behind our back, from what to what, and what healing would do. */
import { driftCount, type Plan, type PlannedChange } from '../planner/plan.ts';
import type { Value } from '../resources/attribute.ts';
import { kindOf } from '../resources/registry.ts';
import type { Palette } from './palette.ts';
import { escapeControls, humanValue, showValue } from './values.ts';

export interface DriftItem {
  readonly address: string;
  readonly class: 'changed' | 'missing' | 'stopped' | 'supervision' | 'unmanaged';
  readonly attribute: string;
  readonly declared: Value | null;
  readonly live: Value | null;
  readonly lastApplied: Value | null;
  readonly text: string;
  /** What healing does to the resource. */
  readonly heal: PlannedChange['action'];
}

/** The drifted items of a plan; configuration changes are not drift. */
export function driftItems(plan: Plan): DriftItem[] {
  return plan.changes.filter((c) => driftCount(c) > 0).flatMap(itemsOf);
}

function itemsOf(change: PlannedChange): DriftItem[] {
  const base = { address: change.address, heal: change.action };
  const table = kindOf(change.address).attributes;
  const items: DriftItem[] = [];
  if (change.missing) {
    items.push({
      ...base,
      class: 'missing',
      attribute: '',
      declared: null,
      live: null,
      lastApplied: null,
      text: 'it is gone',
    });
  }
  for (const a of change.attributes) {
    if (a.cause !== 'drift' && a.cause !== 'both') {
      continue;
    }
    const attribute = table.get(a.name);
    const human = [humanValue(a.applied, attribute?.unit), humanValue(a.before, attribute?.unit)];
    const note = human.some((h) => h !== undefined)
      ? ` (${human[0] ?? showValue(a.applied, attribute?.list)} -> ${human[1] ?? showValue(a.before, attribute?.list)})`
      : '';
    items.push({
      ...base,
      class: a.name === 'state' ? 'stopped' : a.name === 'supervisor' ? 'supervision' : 'changed',
      attribute: a.name,
      declared: a.after ?? null,
      live: a.before ?? null,
      lastApplied: a.applied ?? null,
      text: `${a.name}: ${showValue(a.applied, attribute?.list)} -> ${showValue(a.before, attribute?.list)}${note}`,
    });
  }
  for (const extra of change.extras) {
    items.push({
      ...base,
      class: 'unmanaged',
      attribute: extra.what,
      declared: null,
      live: extra.text,
      lastApplied: null,
      text: extra.text,
    });
  }
  return items;
}

const HEAL: Readonly<Record<PlannedChange['action'], string>> = {
  create: 'make it again',
  update: 'in place, without a restart',
  restart: 'restart the container',
  replace: 'replace it',
  delete: 'destroy it',
  'no-op': 'nothing',
};

export function renderDrift(plan: Plan, palette: Palette, command: string): string {
  const items = driftItems(plan);
  if (items.length === 0) {
    return `No drift. Stack ${plan.stack} is as it was applied.\n`;
  }
  const lines: string[] = [];
  for (const address of new Set(items.map((i) => i.address))) {
    const own = items.filter((i) => i.address === address);
    lines.push(palette.bold(address) + palette.dim(`   # heal: ${HEAL[own[0]?.heal ?? 'no-op']}`));
    lines.push(...own.map((i) => palette.change(`  ${i.class.padEnd(11)}  ${escapeControls(i.text)}`)));
  }
  const resources = new Set(items.map((i) => i.address)).size;
  lines.push(
    `Drift: ${items.length} ${items.length === 1 ? 'item' : 'items'} in ${resources} ${resources === 1 ? 'resource' : 'resources'}.`,
    `Heal with: ${command}`,
  );
  return `${lines.join('\n')}\n`;
}

export function driftJson(plan: Plan, version: string, bootId: string): string {
  const items = driftItems(plan);
  return `${JSON.stringify(
    {
      format_version: '1.0',
      tsbox_version: version,
      stack: plan.stack,
      boot_id: bootId,
      time: new Date().toISOString(),
      drifted: items.length > 0,
      items: items.map((i) => ({
        address: i.address,
        class: i.class,
        attribute: i.attribute,
        declared: i.declared,
        live: i.live,
        last_applied: i.lastApplied,
        text: i.text,
        heal: i.heal,
      })),
      unreadable: plan.unreadable,
    },
    null,
    2,
  )}\n`;
}
