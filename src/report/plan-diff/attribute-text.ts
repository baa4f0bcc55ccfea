/** One changed attribute as lines: a value beside the other, or item by item what differs. */
import { isList, type Attribute, type Value } from '../../resources/attribute.ts';
import type { AttributeChange } from '../../resources/kind.ts';
import { shownContents, type Contents } from '../contents.ts';
import { covered } from '../covered.ts';
import { escapeControls, humanValue, showValue } from '../values.ts';
import { commentsOf, FORCES } from './comments.ts';
import { editsOf, type Edit, type Piece } from './edits.ts';
import { bothLines, hiddenText, INDENT, isLong, leafLines, keptLines, textLines, type Detail } from './leaves.ts';
import { fits, lineOf, wrapped, type Line } from './lines.ts';

const NAME_WIDTH = 16;

export type AttributeDetail = Omit<Detail, 'mark'>;

/** Text in quotes, but for JSON, which has its own. */
function quoted(text: string): string {
  return escapeControls(/^[[{]/.test(text) && !/[\n\t]/.test(text) ? text : JSON.stringify(text));
}

/** env.DEBUG, mounts["/data"] */
function pathOf(name: string, key: string): string {
  return /^[\w-]+$/.test(key) ? `${name}.${key}` : `${name}[${escapeControls(JSON.stringify(key))}]`;
}

export function attributeLines(
  change: AttributeChange,
  attribute: Attribute | undefined,
  given: AttributeDetail,
): Line[] {
  const detail: Detail = { ...given, mark: change.mode === 'replace' ? FORCES : '' };
  if (change.cause === 'new') {
    return newLines(change, attribute, { ...detail, mark: '' });
  }
  const name = change.name.padEnd(NAME_WIDTH);
  const note = commentsOf(change, attribute, given.mask).join('; ');
  const tone = change.risk === undefined ? 'change' : 'risk';
  const symbol = change.risk === undefined ? '~' : '!';
  const after = change.after ?? attribute?.default;
  const before = covered(change.before, after, given.mask);
  const items = itemLines(change, before, after, attribute, detail);
  if (items !== undefined) {
    return [lineOf(tone, `      ${symbol} ${name}`, note), ...items];
  }
  const [old, fresh] = sides(before, after, attribute, detail);
  const arrow = `      ${symbol} ${name}  ${old} -> ${fresh}`;
  return fits(arrow)
    ? [lineOf(tone, arrow, note)]
    : [lineOf(tone, `      ${symbol} ${name}`.trimEnd(), note), ...bothLines(old, fresh)];
}

/** Both values in one line each, without secrets. */
function sides(
  before: Value | undefined,
  after: Value | undefined,
  attribute: Attribute | undefined,
  { mask }: Detail,
): [string, string] {
  const show = (value: Value | undefined): string => showValue(maskedValue(value, mask), attribute?.list);
  return [show(before), show(after)];
}

function maskedValue(value: Value | undefined, mask: (text: string) => string): Value | undefined {
  if (value === undefined || typeof value === 'string') {
    return value === undefined ? undefined : mask(value);
  }
  return isList(value)
    ? value.map(mask)
    : Object.fromEntries(Object.entries(value).map(([key, text]) => [key, mask(text)]));
}

/** What comes to be: in one line where that is short. */
function newLines(change: AttributeChange, attribute: Attribute | undefined, detail: Detail): Line[] {
  const { after } = change;
  const head = `      + ${change.name.padEnd(NAME_WIDTH)}  `;
  const human = humanValue(after, attribute?.unit) ?? '';
  const line = head + showValue(maskedValue(after, detail.mask), attribute?.list);
  if (fits(line) || after === undefined) {
    return [lineOf('add', line, human)];
  }
  const top = lineOf('add', head.trimEnd(), human);
  if (typeof after === 'string') {
    return isLong(after) && detail.mask(after) === after
      ? [top, ...textLines('', after, detail)]
      : wrapped(head, line.slice(head.length)).map((text, i) => lineOf('add', text, i === 0 ? human : ''));
  }
  if (!isList(after)) {
    return [
      top,
      ...keyLines(
        change.name,
        Object.entries(after).map(([at, text]) => ({ op: 'add', at, after: text })),
        detail,
      ),
    ];
  }
  return attribute?.list === 'argv'
    ? [top, ...after.flatMap((item) => leafLines('', { op: 'add', at: null, after: item }, detail, quoted))]
    : wrapped(head, line.slice(head.length)).map((text) => lineOf('add', text));
}

/** What differs item by item; undefined for values that are shown beside each other. */
function itemLines(
  change: AttributeChange,
  before: Value | undefined,
  after: Value | undefined,
  attribute: Attribute | undefined,
  detail: Detail,
): Line[] | undefined {
  const { name } = change;
  if (before === undefined || after === undefined) {
    return undefined;
  }
  if (typeof before === 'string' || typeof after === 'string') {
    const plain = typeof before === 'string' && typeof after === 'string' && isLong(before, after);
    return plain && maskedValue(before, detail.mask) === before && maskedValue(after, detail.mask) === after
      ? textLines(before, after, detail)
      : undefined;
  }
  if (isList(before) && isList(after)) {
    return attribute?.list === 'set'
      ? setLines(before, after, attribute, detail)
      : listLines(before, after, attribute, detail);
  }
  if (isList(before) || isList(after)) {
    return undefined;
  }
  const edits = editsOf(attribute, before, after, detail.sequences);
  const kept = Object.keys(before).length - edits.filter((e) => e.op !== 'add').length;
  return [...keyLines(name, edits, detail, shownContents(change, detail.mask)), ...hiddenLines(kept)];
}

/** @param contents what the files at these keys say, drawn below them */
function keyLines(name: string, edits: readonly Edit[], detail: Detail, contents: Contents = {}): Line[] {
  const labels = edits.map((e) => pathOf(name, String(e.at)));
  const width = Math.min(40, Math.max(...labels.map((l) => l.length)));
  return edits.flatMap((edit, i) => {
    const lines = leafLines((labels[i] as string).padEnd(width), edit, detail, quoted);
    const content = contents[String(edit.at)];
    return content === undefined ? lines : [...lines, ...textLines(content.before, content.after, detail)];
  });
}

function setLines(before: readonly string[], after: readonly string[], attribute: Attribute, detail: Detail): Line[] {
  const edits = editsOf(attribute, before, after, detail.sequences);
  const kept = before.length - edits.filter((e) => e.op !== 'add').length;
  return [...edits.flatMap((edit) => leafLines('', edit, detail, escapeControls)), ...hiddenLines(kept)];
}

function hiddenLines(count: number): Line[] {
  return count === 0 ? [] : [lineOf('dim', `${INDENT}${hiddenText(count, 'item')}`)];
}

/** Lists in order, item by item where one line does not hold both of them. */
function listLines(
  before: readonly string[],
  after: readonly string[],
  attribute: Attribute | undefined,
  detail: Detail,
): Line[] | undefined {
  const short = sides(before, after, attribute, detail).join(' -> ');
  if (fits(' '.repeat(NAME_WIDTH + INDENT.length) + short) && !isLong(...before, ...after)) {
    return undefined;
  }
  const pieces = detail.sequences(before, after);
  const shown: Line[] = [];
  let place = 0;
  for (let i = 0; i < pieces.length; i++) {
    const { op, items } = pieces[i] as Piece;
    const next = pieces[i + 1];
    if (op === 'remove' && next?.op === 'add' && items.length === next.items.length) {
      // Item for item, so that long ones are compared within.
      for (const [n, after] of next.items.entries()) {
        const edit: Edit = { op: 'change', at: place + n, before: items[n] as string, after };
        shown.push(...leafLines(`[${place + n}]`, edit, detail, quoted));
      }
      i++;
    } else if (op === 'keep') {
      const draw = (item: string): Line => lineOf('plain', `${INDENT}  ${quoted(detail.mask(item))}`);
      shown.push(...keptLines(items, i === 0, i === pieces.length - 1, detail.context, 'item', draw));
    } else {
      for (const item of items) {
        shown.push(...leafLines('', { op, at: null, [op === 'add' ? 'after' : 'before']: item }, detail, quoted));
      }
    }
    place += op === 'add' ? 0 : items.length;
  }
  return shown;
}
