/** Lines of a plan before they are painted: what they mean and what they say. */
import type { Palette } from '../palette.ts';

/** Columns that values are laid out for; what follows after '#' may be longer. */
export const WIDTH = 100;

/** risk: a change that hurts what runs. */
export type Tone = 'add' | 'change' | 'remove' | 'replace' | 'risk' | 'dim' | 'bold' | 'plain';

export interface Line {
  readonly tone: Tone;
  /** With indentation and symbol. */
  readonly text: string;
  /** What stands behind it after '#'; '' for nothing. */
  readonly note: string;
}

export function lineOf(tone: Tone, text: string, note = ''): Line {
  return { tone, text, note };
}

/** The line without colours. */
export function plainLine({ text, note }: Line): string {
  return note === '' ? text.trimEnd() : `${text}   # ${note}`;
}

export function paintedLine({ tone, text, note }: Line, palette: Palette): string {
  const shown = note === '' ? text.trimEnd() : text;
  const painted = tone === 'plain' ? shown : palette[tone === 'risk' ? 'remove' : tone](shown);
  return note === '' ? painted : painted + palette.dim(`   # ${note}`);
}

/** Whether a line of that length stays in sight. */
export function fits(text: string): boolean {
  return text.length <= WIDTH;
}

/**
 * A long text in lines, broken after commas and at spaces only, so that what is copied is whole.
 * @param first what stands before the first line; the others are indented as deep
 */
export function wrapped(first: string, text: string): string[] {
  const indent = ' '.repeat(first.length);
  const lines: string[] = [];
  let line = first;
  for (const word of text.split(/(?<= )(?! )/)) {
    if (line.length > indent.length && line.length + word.trimEnd().length > WIDTH) {
      lines.push(line.trimEnd());
      line = indent;
    }
    line += word;
  }
  return [...lines, line.trimEnd()];
}
