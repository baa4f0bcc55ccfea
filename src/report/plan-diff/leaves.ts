/** The smallest parts of a difference: one text that comes, goes or becomes another. */
import { isHidden } from '../covered.ts';
import { escapeControls } from '../values.ts';
import type { Edit, Sequences } from './edits.ts';
import { fits, lineOf, wrapped, type Line, type Tone } from './lines.ts';

export interface Detail {
  /** Lines and items around what differs. */
  readonly context: number;
  readonly sequences: Sequences;
  /** Takes secrets out of a text. */
  readonly mask: (text: string) => string;
  /** Said of each part: 'forces replacement'. */
  readonly mark: string;
}

export const INDENT = ' '.repeat(10);

const SYMBOL = { add: '+', remove: '-', change: '~' } as const;

const one = (value: Edit['before']): string => (typeof value === 'string' ? value : '');

/** An edit of one text, in one line where it fits. */
export function leafLines(label: string, edit: Edit, detail: Detail, quote: (text: string) => string): Line[] {
  const { op } = edit;
  const before = one(edit.before);
  const after = one(edit.after);
  const show = shower(detail, quote);
  const head = `${INDENT}${SYMBOL[op]} ${label}${label === '' ? '' : '  '}`;
  if (op === 'change' && isLong(before, after) && !isHidden(before, detail.mask) && !isHidden(after, detail.mask)) {
    return [lineOf('change', head.trimEnd(), detail.mark), ...textLines(before, after, detail)];
  }
  if (op === 'change') {
    const text = `${head}${show(before)} -> ${show(after)}`;
    if (show(before) === show(after)) {
      const note = ['what is hidden differs', ...(detail.mark === '' ? [] : [detail.mark])].join('; ');
      return [lineOf('change', `${head}${show(after)}`, note)];
    }
    return fits(text)
      ? [lineOf('change', text, detail.mark)]
      : [lineOf('change', head.trimEnd(), detail.mark), ...bothLines(show(before), show(after))];
  }
  const text = op === 'add' ? after : before;
  if (isLong(text, '') && !isHidden(text, detail.mask)) {
    const [gone, come] = op === 'add' ? ['', text] : [text, ''];
    return [lineOf(op, head.trimEnd(), detail.mark), ...textLines(gone, come, detail)];
  }
  return block(op, fits(head + show(text)) ? [head + show(text)] : wrapped(head, show(text)), detail.mark);
}

/** Names of what is hidden stand without quotes. */
function shower({ mask }: Detail, quote: (text: string) => string): (text: string) => string {
  return (text) => (isHidden(text, mask) ? escapeControls(mask(text)) : quote(text));
}

function block(tone: Tone, texts: readonly string[], note: string): Line[] {
  return texts.map((text, i) => lineOf(tone, text, i === 0 ? note : ''));
}

/** Both sides of a change below each other. */
export function bothLines(before: string, after: string): Line[] {
  return [
    ...block('remove', wrapped(`${INDENT}    - `, before), ''),
    ...block('add', wrapped(`${INDENT}    + `, after), ''),
  ];
}

/** Whether a text is one of several lines. */
export function isLong(...texts: readonly string[]): boolean {
  return texts.some((t) => t.replace(/\n$/, '').includes('\n'));
}

/** Two texts of several lines, line by line. */
export function textLines(before: string, after: string, detail: Detail): Line[] {
  const [was, is] = [before, after].map((t) => (t === '' ? [] : t.replace(/\n$/, '').split('\n'))) as [
    string[],
    string[],
  ];
  const pieces = detail.sequences(was, is);
  const lines = pieces.flatMap(({ op, items }, at): Line[] =>
    op === 'keep'
      ? keptLines(items, at === 0, at === pieces.length - 1, detail.context, 'line', (text) =>
          lineOf('plain', `${INDENT}     | ${escapeControls(text)}`.trimEnd()),
        )
      : items.map((text) => lineOf(op, `${INDENT}    ${SYMBOL[op]}| ${escapeControls(text)}`.trimEnd())),
  );
  const ends = [before, after].map((t) => t.endsWith('\n'));
  const end = ends[0] === ends[1] || before === '' || after === '' ? [] : [ends[1] === true ? 'new' : 'no'];
  return [...lines, ...end.map((word) => lineOf('dim', `${INDENT}    # ${word} line break at the end`))];
}

/** Of what stays no more than the context asks for, before and after what differs. */
export function keptLines(
  items: readonly string[],
  isFirst: boolean,
  isLast: boolean,
  context: number,
  what: 'line' | 'item',
  draw: (item: string) => Line,
): Line[] {
  const head = isFirst ? 0 : context;
  const tail = isLast ? 0 : context;
  const hidden = items.length - head - tail;
  return hidden <= 1
    ? items.map(draw)
    : [
        ...items.slice(0, head).map(draw),
        lineOf('dim', `${INDENT}${what === 'line' ? '    ' : ''}${hiddenText(hidden, what)}`),
        ...items.slice(items.length - tail).map(draw),
      ];
}

export function hiddenText(count: number, what: string): string {
  return `# (${count} unchanged ${what}${count === 1 ? '' : 's'} hidden)`;
}
