/** Log lines for people, with who wrote them before each, and for programs. */
import type { Palette } from '../report/palette.ts';
import type { Logged } from './log-follow.ts';

export interface PrintOptions {
  /** Those known at first: their names are brought into line. */
  readonly names: readonly string[];
  readonly prefix: boolean;
  readonly timestamps: boolean;
  readonly json: boolean;
  readonly palette: Palette;
}

/** A function that makes a line of an entry. Each name keeps the colour that it has at first. */
export function linePrinter(options: PrintOptions): (item: Logged) => string {
  const { palette, json, timestamps, prefix } = options;
  const width = Math.max(0, ...options.names.map((n) => n.length));
  const tints = new Map<string, (text: string) => string>();
  const tintOf = (name: string): ((text: string) => string) => {
    const tint = tints.get(name) ?? palette.tints[tints.size % palette.tints.length] ?? ((text) => text);
    tints.set(name, tint);
    return tint;
  };
  [...options.names].forEach(tintOf);
  return ({ stack, name, entry }) => {
    if (json) {
      return `${JSON.stringify({ time: entry.time, stack, container: name, stream: entry.stream, text: entry.text })}\n`;
    }
    const who = prefix ? `${tintOf(name)(`${name.padEnd(width)} |`)} ` : '';
    return `${who}${timestamps ? `${entry.time} ` : ''}${entry.text}\n`;
  };
}
