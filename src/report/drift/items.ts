/** The drifted items of a plan; configuration changes are not drift. */
import { createHash } from 'node:crypto';
import { driftCount, type Plan, type PlannedChange } from '../../planner/plan.ts';
import { isList, type Attribute, type Value } from '../../resources/attribute.ts';
import type { AttributeChange } from '../../resources/kind.ts';
import { kindOf } from '../../resources/registry.ts';
import { humanValue, showValue } from '../values.ts';
import { directionOf } from './direction.ts';
import type { DriftItem, Heal } from './model.ts';

/** An item before anybody has judged it or asked since when. */
export type Finding = Omit<DriftItem, 'severity' | 'why' | 'since' | 'whom' | 'past'>;

const HEALS: Readonly<Record<PlannedChange['action'], string>> = {
  create: 'made again',
  update: 'in place, without a restart',
  restart: 'the container is restarted',
  replace: 'replaced by a new one',
  delete: 'destroyed',
  'no-op': 'nothing',
};

export function findItems(plan: Plan, command: string | null): Finding[] {
  const seen = new Map<string, number>();
  return plan.changes
    .filter((c) => driftCount(c) > 0)
    .flatMap((c) => itemsOf(c, plan.stack, command))
    .map((finding): Finding => {
      // Two alike (two processes of one name) are told apart by their order.
      const count = seen.get(finding.id) ?? 0;
      seen.set(finding.id, count + 1);
      return count === 0 ? finding : { ...finding, id: `${finding.id}-${count + 1}` };
    });
}

export function itemId(stack: string, address: string, cls: string, attribute: string, key = ''): string {
  return createHash('sha256').update([stack, address, cls, attribute, key].join('\0')).digest('hex').slice(0, 12);
}

function itemsOf(change: PlannedChange, stack: string, command: string | null): Finding[] {
  const table = kindOf(change.address).attributes;
  const base = { stack, address: change.address, manager: null, at: change.at ?? null };
  const heal = (action: Heal['action']): Heal => ({
    action,
    text:
      action === 'by-hand'
        ? 'takes the stack file'
        : change.blocked === undefined
          ? HEALS[action]
          : `refused: ${change.blocked.message}`,
    command,
  });
  const whole = heal(command === null ? 'by-hand' : change.action);
  const found: Finding[] = [];
  if (change.missing) {
    found.push({
      ...base,
      id: itemId(stack, change.address, 'missing', ''),
      class: 'missing',
      attribute: '',
      declared: null,
      live: null,
      lastApplied: null,
      text: 'it is gone',
      was: 'there',
      is: 'gone',
      direction: 'gone',
      heal: whole,
    });
  }
  for (const a of change.attributes.filter((c) => c.cause === 'drift' || c.cause === 'both')) {
    const attribute = table.get(a.name);
    const cls = a.name === 'state' ? 'stopped' : a.name === 'supervisor' ? 'supervision' : 'changed';
    const reference = a.applied ?? a.after;
    found.push({
      ...base,
      id: itemId(stack, change.address, cls, a.name),
      class: cls,
      attribute: a.name,
      declared: a.after ?? null,
      live: a.before ?? null,
      lastApplied: a.applied ?? null,
      ...wording(a, reference, attribute),
      manager: a.manager ?? null,
      direction: cls === 'changed' ? directionOf(a.name, attribute, reference, a.before) : 'gone',
      heal: whole,
    });
  }
  for (const extra of change.extras) {
    found.push({
      ...base,
      id: itemId(stack, change.address, 'unmanaged', extra.what, extra.text.replace(/\d+/g, '#')),
      class: 'unmanaged',
      attribute: extra.what,
      declared: null,
      live: extra.text,
      lastApplied: null,
      text: extra.text,
      was: null,
      is: extra.text,
      direction: 'added',
      heal: whole,
    });
  }
  return found;
}

/** From what to what: of lists and maps only what differs. */
function wording(
  change: AttributeChange,
  reference: Value | undefined,
  attribute: Attribute | undefined,
): { text: string; was: string; is: string } {
  const parts = attribute?.list === 'argv' ? undefined : partsThatDiffer(reference, change.before);
  if (parts !== undefined) {
    return { text: `${change.name}: ${parts.text}`, was: parts.was, is: parts.is };
  }
  const shown = [reference, change.before].map((value) => {
    const raw = showValue(value, attribute?.list);
    return { raw, human: humanValue(value, attribute?.unit) };
  });
  const [was, is] = shown.map(({ raw, human }) => (human === undefined ? raw : `${human} (${raw})`));
  const text = `${change.name}: ${shown.map((s) => s.raw).join(' -> ')}`;
  const note = shown.some((s) => s.human !== undefined) ? ` (${shown.map((s) => s.human ?? s.raw).join(' -> ')})` : '';
  return { text: text + note, was: was ?? '', is: is ?? '' };
}

function partsThatDiffer(
  was: Value | undefined,
  is: Value | undefined,
): { text: string; was: string; is: string } | undefined {
  if (was === undefined || is === undefined || typeof was === 'string' || typeof is === 'string') {
    return undefined;
  }
  const [before, after] = [partsOf(was), partsOf(is)];
  const gone = [...before].filter(([key, value]) => after.get(key) !== value);
  const come = [...after].filter(([key, value]) => before.get(key) !== value);
  if (gone.length + come.length === 0) {
    // The order differs.
    return undefined;
  }
  const show = ([key, value]: [string, string]): string => (value === '' ? key : `${key}=${value}`);
  const list = (entries: Array<[string, string]>): string =>
    entries.length === 0 ? '(none)' : showValue(entries.map(show), 'set');
  const marked = [...gone.map((e) => `-${show(e)}`), ...come.map((e) => `+${show(e)}`)];
  return { text: showValue(marked, 'set'), was: list(gone), is: list(come) };
}

function partsOf(value: Exclude<Value, string>): Map<string, string> {
  return isList(value) ? new Map(value.map((v) => [v, ''])) : new Map(Object.entries(value));
}
