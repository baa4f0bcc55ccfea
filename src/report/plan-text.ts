/** The plan as text: symbols, reasons, and the closing sentence that bots read. */
import { isEmpty, isRelease, summarise, type Action, type Plan, type PlannedChange } from '../planner/plan.ts';
import { isList, sameValue, type Attribute, type Value } from '../resources/attribute.ts';
import type { AttributeChange } from '../resources/kind.ts';
import { kindOf } from '../resources/registry.ts';
import { containerOf, parseReplica } from '../resources/container/replica-names.ts';
import { folded, foldOf, foldText, indexRanges, type Fold } from './alike.ts';
import { PLAIN, type Palette } from './palette.ts';
import { escapeControls, humanValue, showValue } from './values.ts';

const SYMBOL: Readonly<Record<Action, string>> = {
  create: '  +',
  update: '  ~',
  restart: '  !',
  replace: '-/+',
  delete: '  -',
  'no-op': '   ',
};

const WORD: Readonly<Record<Action, string>> = {
  create: 'created',
  update: 'in place',
  restart: 'restarted',
  replace: 'replaced',
  delete: 'destroyed',
  'no-op': '',
};

/** Attributes that follow from the resource's existence: of no interest while it is made or removed. */
const IMPLIED = new Set([
  'state',
  'supervisor',
  'hierarchies',
  'placement',
  'pin',
  'keeper',
  'cgroup',
  'masked_paths',
  'readonly_paths',
  // They follow from the bounding set and the user, or are said beside it.
  'capabilities.permitted',
  'capabilities.effective',
  'capabilities.inheritable',
  'capabilities.ambient',
]);

const ADDRESS_WIDTH = 32;
const NAME_WIDTH = 16;

export const NO_CHANGES = 'No changes. Your infrastructure matches the configuration.';

function paintOf(action: Action, palette: Palette): (text: string) => string {
  switch (action) {
    case 'create':
      return palette.add;
    case 'delete':
      return palette.remove;
    case 'replace':
      return palette.replace;
    default:
      return palette.change;
  }
}

export interface RenderOptions {
  /** One line for each resource. */
  readonly compact?: boolean;
  /** Lines around what differs in long texts and lists. */
  readonly context?: number;
}

/** Renders a whole plan. */
export function renderPlan(plan: Plan, palette: Palette, options: RenderOptions = {}): string {
  const shown = plan.changes.filter(
    (c) => c.action !== 'no-op' || c.ignored !== undefined || c.movedFrom !== undefined,
  );
  const lines =
    options.compact === true ? shown.map((c) => renderChange(c, palette)[0] ?? '') : renderChanges(shown, palette);
  if (plan.unreadable.length > 0) {
    lines.push(...notRead(plan));
  }
  if (!plan.complete) {
    lines.push(palette.dim('Resource targeting is in effect: the plan leaves out part of the stack.'));
  }
  if (isEmpty(plan)) {
    lines.push(NO_CHANGES);
    return `${lines.join('\n')}\n`;
  }
  if (plan.refreshOnly === true) {
    lines.push('Only records change: live values are accepted, and the kernel stays as it is.');
  }
  lines.push(palette.bold(summaryLine(plan)), detailLine(plan));
  return `${lines.join('\n')}\n`;
}

/** Terraform's own sentence. */
export function summaryLine(plan: Plan): string {
  const s = summarise(plan);
  const imports = s.import === undefined ? '' : `${s.import} to import, `;
  return `Plan: ${imports}${s.add} to add, ${s.change} to change, ${s.destroy} to destroy${s.forget === 0 ? '' : `, ${s.forget} to forget`}.`;
}

/** What that sentence does not tell. */
export function detailLine(plan: Plan): string {
  const s = summarise(plan);
  const drift =
    s.drift === 0
      ? 'none'
      : `${s.drift} ${s.drift === 1 ? 'item' : 'items'} in ${s.driftResources} ${s.driftResources === 1 ? 'resource' : 'resources'}`;
  const hurts = s.disruptive === 0 ? '' : ` (! ${s.disruptive} disruptive)`;
  const blocked = plan.changes.filter((c) => c.blocked !== undefined).length;
  const refused = blocked === 0 ? '' : ` Blocked: ${blocked}.`;
  return `In place: ${s.inPlace}${hurts}. Restarted: ${s.restarted}. Replaced: ${s.replaced}. Drift: ${drift}.${refused}`;
}

function notRead(plan: Plan): string[] {
  const shown = plan.unreadable.slice(0, 20).map((u) => `  ? ${escapeControls(u)}`);
  const rest = plan.unreadable.length - shown.length;
  return [
    'Could not be read with these privileges, so not compared:',
    ...shown,
    ...(rest > 0 ? [`  ? and ${rest} more`] : []),
  ];
}

/** Changes of replicas that are alike, one after the other, as one. */
function renderChanges(changes: readonly PlannedChange[], palette: Palette): string[] {
  const lines: string[] = [];
  for (let at = 0; at < changes.length;) {
    const change = changes[at] as PlannedChange;
    const fold = foldFrom(changes, at, palette);
    if (fold === undefined || fold.indexes.length === 1) {
      lines.push(...renderChange(change, palette));
      at++;
      continue;
    }
    const label = `${containerOf(change.address)}[${indexRanges(fold.indexes)}]`;
    const [head = ''] = renderChange({ ...change, facts: {} }, palette, label);
    lines.push(head, ...foldText(fold).split('\n').slice(1));
    at += fold.indexes.length;
  }
  return lines;
}

/** What the changes from `at` on say together, as far as they are alike; undefined for what is no replica. */
function foldFrom(changes: readonly PlannedChange[], at: number, palette: Palette): Fold | undefined {
  let fold: Fold | undefined;
  const container = containerOf(changes[at]?.address ?? '');
  for (const change of changes.slice(at)) {
    const replica = parseReplica(change.address);
    if (replica?.container !== container) {
      break;
    }
    const text = renderChange({ ...change, facts: {} }, palette, container).join('\n');
    const next = fold === undefined ? foldOf(replica.index, text) : folded(fold, replica.index, text);
    if (next === undefined) {
      break;
    }
    fold = next;
  }
  return fold;
}

export function renderChange(change: PlannedChange, palette: Palette, label = change.address): string[] {
  const paint = change.blocked === undefined ? paintOf(change.action, palette) : palette.remove;
  const pid = change.facts['pid'];
  const head = `${symbolOf(change)} ${label.padEnd(ADDRESS_WIDTH - 4)} ${wordOf(change)}`;
  const notes = [
    ...(change.missing ? ['drift: it was there at the last apply'] : []),
    ...(change.blocked === undefined ? [] : [change.blocked.message]),
    ...(change.importing === undefined ? [] : [`from ${change.importing.id}`]),
    ...change.reasons,
    ...(change.rollout === undefined ? [] : [`rolling, ${change.rollout.atOnce} at a time`]),
    ...(pid !== undefined && change.action !== 'delete' ? [`pid ${pid}`] : []),
  ];
  const lines = [paint(head) + (notes.length === 0 ? '' : palette.dim(`   # ${notes.join('; ')}`))];
  const table = kindOf(change.address).attributes;
  const whole = change.action === 'create' || change.action === 'delete';
  for (const attribute of change.attributes) {
    if (whole && (change.action === 'delete' || isImplied(attribute, table.get(attribute.name)))) {
      continue;
    }
    lines.push(...renderAttribute(attribute, table.get(attribute.name), palette));
  }
  for (const attribute of change.ignored ?? []) {
    lines.push(...renderIgnored(attribute, table.get(attribute.name), palette));
  }
  for (const extra of change.extras) {
    lines.push(palette.remove(`      - ${escapeControls(extra.text)}`) + palette.dim('   # drift: not made by tsbox'));
  }
  return lines;
}

function symbolOf(change: PlannedChange): string {
  if (change.blocked !== undefined) {
    return '  x';
  }
  if (change.action === 'no-op' && change.movedFrom !== undefined) {
    return '  >';
  }
  return change.action === 'no-op' && change.ignored !== undefined ? '  =' : SYMBOL[change.action];
}

function wordOf(change: PlannedChange): string {
  if (change.blocked !== undefined) {
    return `not ${WORD[change.action]}`;
  }
  if (change.importing !== undefined) {
    return 'imported';
  }
  if (change.action === 'no-op' && change.movedFrom !== undefined) {
    return 'moved';
  }
  if (change.action === 'no-op' && change.ignored !== undefined) {
    return 'left as it is';
  }
  return change.forget === true ? 'forgotten' : isRelease(change) ? 'given back' : WORD[change.action];
}

/** Changes that the file asks not to make. */
function renderIgnored(change: AttributeChange, attribute: Attribute | undefined, palette: Palette): string[] {
  const [head = '', ...rest] = renderAttribute({ ...change, mode: 'in-place' }, attribute, PLAIN);
  const text = head.replace('      ~', '      =');
  return [palette.dim(`${text}${text.includes('   # ') ? ';' : '   #'} ignored`), ...rest.map(palette.dim)];
}

function isImplied({ name, after }: AttributeChange, attribute: Attribute | undefined): boolean {
  const usual = attribute?.quiet === true && sameValue(attribute, attribute.default, after);
  return usual || IMPLIED.has(name) || isNothing(after);
}

function isNothing(value: Value | undefined): boolean {
  return (
    value === undefined ||
    (typeof value !== 'string' && (isList(value) ? value.length === 0 : Object.keys(value).length === 0))
  );
}

function renderAttribute(change: AttributeChange, attribute: Attribute | undefined, palette: Palette): string[] {
  const name = change.name.padEnd(NAME_WIDTH);
  if (change.cause === 'new') {
    const human = humanValue(change.after, attribute?.unit);
    return [
      palette.add(`      + ${name}  ${showValue(change.after, attribute?.list)}`) +
        palette.dim(human === undefined ? '' : `   # ${human}`),
    ];
  }
  const comments = commentsOf(change, attribute);
  const tail = comments.length === 0 ? '' : `   # ${comments.join('; ')}`;
  const symbol = change.risk === undefined ? '~' : '!';
  const items = itemDiff(change, attribute);
  if (items !== undefined) {
    return [
      palette.change(`      ~ ${name}`) + palette.dim(tail),
      ...items.map((i) => (i.startsWith('+') ? palette.add : palette.remove)(`          ${i}`)),
    ];
  }
  const after = change.after ?? attribute?.default;
  const arrow = `${showValue(change.before, attribute?.list)} -> ${showValue(after, attribute?.list)}`;
  const paint = change.risk === undefined ? palette.change : palette.remove;
  return [paint(`      ${symbol} ${name}  ${arrow}`) + palette.dim(tail)];
}

/** Why and what it costs, with human units. */
export function commentsOf(change: AttributeChange, attribute: Attribute | undefined): string[] {
  const comments: string[] = [];
  const before = humanValue(change.before, attribute?.unit);
  const after = humanValue(change.after ?? attribute?.default, attribute?.unit);
  if (before !== undefined || after !== undefined) {
    comments.push(`${before ?? showValue(change.before, undefined)} -> ${after ?? showValue(change.after, undefined)}`);
  }
  if (change.after === undefined) {
    comments.push("no longer declared: back to the kernel's default");
  }
  if (change.cause === 'drift') {
    comments.push('drift: changed since the last apply');
  } else if (change.cause === 'both') {
    comments.push(`drift too: ${showValue(change.applied, attribute?.list)} at the last apply`);
  }
  if (change.risk !== undefined) {
    comments.push(`disruptive: ${change.risk}`);
  }
  if (change.mode === 'replace') {
    comments.push(`forces replacement${change.reason === undefined ? '' : `: ${change.reason}`}`);
  }
  return comments;
}

/** Sets and maps differ item by item; undefined for plain values. */
function itemDiff(change: AttributeChange, attribute: Attribute | undefined): string[] | undefined {
  const { before, after } = change;
  if (before === undefined || after === undefined || typeof before === 'string' || typeof after === 'string') {
    return undefined;
  }
  if (isList(before) && isList(after)) {
    if (attribute?.list !== 'set') {
      return undefined;
    }
    return [
      ...before.filter((x) => !after.includes(x)).map((x) => `- ${escapeControls(x)}`),
      ...after.filter((x) => !before.includes(x)).map((x) => `+ ${escapeControls(x)}`),
    ];
  }
  if (isList(before) || isList(after)) {
    return undefined;
  }
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return keys.flatMap((key) => {
    const old = Object.hasOwn(before, key) ? before[key] : undefined;
    const now = Object.hasOwn(after, key) ? after[key] : undefined;
    return old === now
      ? []
      : [
          ...(old === undefined ? [] : [`- ${escapeControls(`${key}=${old}`)}`]),
          ...(now === undefined ? [] : [`+ ${escapeControls(`${key}=${now}`)}`]),
        ];
  });
}
