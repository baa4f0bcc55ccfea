/** Errors and warnings as plain text with an excerpt of the file. Colour is the caller's. */
import type { SourceSpan, TsboxError } from '../errors.ts';
import type { Warning } from './types.ts';

/** Columns of an excerpt; longer lines are cut around the mark. */
const EXCERPT_WIDTH = 100;
/** Columns kept before the mark in a cut line. */
const LEAD = 40;

/** Characters of a message's line; what it quotes may be as long as a file. */
const LINE_LIMIT = 500;

/** Characters that change how text around them is shown, or that a terminal acts on: shown by their code. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]/u;

/** Text that a terminal shows as it is: control, bidirectional and invisible characters become <U+202E>. Newlines too. */
export function escapeText(text: string): string {
  return [...text].map(visible).join('');
}

function visible(character: string): string {
  if (character === '\t') {
    return ' ';
  }
  return UNSAFE.test(character)
    ? `<U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}>`
    : character;
}

/** Columns a terminal gives a character: 2 for East Asian wide ones and emoji, 0 for combining marks. */
function columnsOf(text: string): number {
  let width = 0;
  for (const character of text) {
    if (/\p{Mn}|\p{Me}/u.test(character)) {
      continue;
    }
    width +=
      /[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6]|\p{Emoji_Presentation}|[\u{20000}-\u{3FFFD}]/u.test(
        character,
      )
        ? 2
        : 1;
  }
  return width;
}

/** One error: code, message, place, excerpt, what was expected, a hint. Ends without a newline. */
export function renderError(error: TsboxError): string {
  const { at, sourceLine, expected, hint, address } = error.info;
  const lines = [`error[${error.code}]: ${messageLines(error.message)}`, ...excerpt(at, sourceLine)];
  const gutter = ' '.repeat(gutterWidth(at));
  const notes: ReadonlyArray<readonly [string, string | undefined]> = [
    ['expected', expected],
    ['hint', hint],
    ['in', at === undefined ? address : undefined],
  ];
  for (const [label, text] of notes) {
    if (text !== undefined) {
      lines.push(`${gutter} = ${label}: ${messageLines(text)}`);
    }
  }
  return lines.join('\n');
}

/** One warning, in the same form. */
export function renderWarning(warning: Warning): string {
  return [`warning: ${messageLines(warning.message)}`, ...excerpt(warning.at, warning.sourceLine)].join('\n');
}

/** All errors, an empty line between them; after `limit` only their number. */
export function renderErrors(errors: readonly TsboxError[], limit = 50): string {
  const shown = errors.slice(0, limit).map(renderError);
  if (errors.length > limit) {
    shown.push(`… and ${errors.length - limit} more errors`);
  }
  return shown.join('\n\n');
}

/** Our own messages may have several lines; what they quote is escaped. */
function messageLines(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => escapeText(line.length > LINE_LIMIT ? `${line.slice(0, LINE_LIMIT)}…` : line));
  return lines.join('\n     ');
}

function gutterWidth(at: SourceSpan | undefined): number {
  return at === undefined ? 2 : Math.max(2, String(at.line).length + 1);
}

function excerpt(at: SourceSpan | undefined, sourceLine: string | undefined): string[] {
  if (at === undefined) {
    return [];
  }
  const gutter = ' '.repeat(gutterWidth(at));
  const where = `${gutter}--> ${escapeText(at.file)}:${at.line}:${at.column}`;
  if (sourceLine === undefined) {
    return [where];
  }
  const { text, indent, width } = marked(sourceLine, at.column - 1, at.length);
  return [
    where,
    `${gutter} |`,
    `${String(at.line).padStart(gutter.length)} | ${text}`.trimEnd(),
    `${gutter} | ${' '.repeat(indent)}${'^'.repeat(width)}`,
  ];
}

/** The line as shown, cut around the mark, with the mark's first column and width. */
function marked(line: string, start: number, length: number): { text: string; indent: number; width: number } {
  const from = line.length <= EXCERPT_WIDTH || start <= LEAD ? 0 : start - LEAD;
  const to = Math.min(line.length, from + EXCERPT_WIDTH);
  const lead = from > 0 ? '…' : '';
  const before = lead + escapeText(line.slice(from, start));
  const inside = escapeText(line.slice(start, Math.min(to, start + length)));
  const after = escapeText(line.slice(Math.min(to, start + length), to));
  const tail = to < line.length ? '…' : '';
  return { text: before + inside + after + tail, indent: columnsOf(before), width: Math.max(1, columnsOf(inside)) };
}
