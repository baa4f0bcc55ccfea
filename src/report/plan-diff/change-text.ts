/** One change of a plan as lines: what happens to a resource, why, and its attributes. */
import { isRelease, type Action, type PlannedChange } from '../../planner/plan.ts';
import { isList, sameValue, type Attribute, type Value } from '../../resources/attribute.ts';
import type { AttributeChange } from '../../resources/kind.ts';
import { kindOf } from '../../resources/registry.ts';
import { escapeControls } from '../values.ts';
import { attributeLines, type AttributeDetail } from './attribute-text.ts';
import { lineOf, plainLine, type Line, type Tone } from './lines.ts';

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

const ADDRESS_WIDTH = 28;

const TONE: Readonly<Record<Action, Tone>> = {
  create: 'add',
  update: 'change',
  restart: 'change',
  replace: 'replace',
  delete: 'remove',
  'no-op': 'change',
};

/** The line that names the change. */
export function headLine(change: PlannedChange, label: string): Line {
  const pid = change.facts['pid'];
  const notes = [
    ...(change.missing ? ['drift: it was there at the last apply'] : []),
    ...(change.blocked === undefined ? [] : [change.blocked.message]),
    ...(change.importing === undefined ? [] : [`from ${change.importing.id}`]),
    ...change.reasons,
    ...(change.rollout === undefined ? [] : [`rolling, ${change.rollout.atOnce} at a time`]),
    ...(pid !== undefined && change.action !== 'delete' ? [`pid ${pid}`] : []),
  ];
  const tone = change.blocked !== undefined ? 'remove' : isRelease(change) ? 'change' : TONE[change.action];
  return lineOf(tone, `${symbolOf(change)} ${label.padEnd(ADDRESS_WIDTH)} ${wordOf(change)}`, notes.join('; '));
}

export function changeLines(change: PlannedChange, detail: AttributeDetail, label = change.address): Line[] {
  const lines = [headLine(change, label)];
  const table = kindOf(change.address).attributes;
  const whole = change.action === 'create' || change.action === 'delete';
  for (const attribute of change.attributes) {
    if (whole && (change.action === 'delete' || isImplied(attribute, table.get(attribute.name)))) {
      continue;
    }
    lines.push(...attributeLines(attribute, table.get(attribute.name), detail));
  }
  for (const attribute of change.ignored ?? []) {
    lines.push(...ignoredLines(attribute, table.get(attribute.name), detail));
  }
  for (const extra of change.extras) {
    lines.push(lineOf('remove', `      - ${escapeControls(detail.mask(extra.text))}`, 'drift: not made by tsbox'));
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
  if (change.action === 'no-op' && change.ignored !== undefined) {
    return '  =';
  }
  return isRelease(change)
    ? '  .'
    : change.action === 'replace' && change.createFirst === true
      ? '+/-'
      : SYMBOL[change.action];
}

/** In the order in which a legend has them. */
const LEGEND: Readonly<Record<string, string>> = {
  '+': 'create',
  '~': 'change in place',
  '!': 'restart, or disrupt what runs',
  '-/+': 'remove and make anew',
  '+/-': 'make anew, then remove the old one',
  '-': 'remove',
  '.': 'forget: it stays',
  '>': 'move',
  '=': 'leave as it is',
  x: 'not done',
};

/** What the symbols mean that stand at these changes. */
export function legendOf(changes: readonly PlannedChange[]): string {
  const used = new Set(changes.map((c) => symbolOf(c).trim()));
  if (changes.some((c) => c.attributes.some((a) => a.risk !== undefined))) {
    used.add('!');
  }
  const meanings = Object.entries(LEGEND).filter(([symbol]) => used.has(symbol));
  return `Symbols: ${meanings.map(([symbol, meaning]) => `${symbol} ${meaning}`).join('; ')}.`;
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
function ignoredLines(change: AttributeChange, attribute: Attribute | undefined, detail: AttributeDetail): Line[] {
  const [head = lineOf('dim', ''), ...rest] = attributeLines({ ...change, mode: 'in-place' }, attribute, detail);
  const note = head.note === '' ? 'ignored' : `${head.note}; ignored`;
  return [
    lineOf('dim', plainLine({ ...head, text: head.text.replace('      ~', '      ='), note })),
    ...rest.map((l) => lineOf('dim', plainLine(l))),
  ];
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
