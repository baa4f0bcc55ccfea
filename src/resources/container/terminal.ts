/** `tty`, `stdin` and `init` of a container. */
import * as z from 'zod';
import type { Attribute, Value } from '../attribute.ts';

/** Fields of `containers:` items. */
export const terminalShape = {
  tty: z.boolean().optional(),
  stdin: z.boolean().optional(),
  init: z.boolean().optional(),
};

export interface TerminalSpec {
  /** A terminal of its own. */
  readonly tty: boolean;
  /** Standard input that stays open for whoever attaches. */
  readonly stdin: boolean;
  /** A first process that reaps what is orphaned. */
  readonly init: boolean;
}

function recorded(name: string, doc: string, source: string): Attribute {
  return { name, change: 'restart', observed: 'recorded', doc, source };
}

export const TERMINAL_ATTRIBUTES: readonly Attribute[] = [
  recorded('tty', 'a terminal of its own, on its own devpts', 'pty(7)'),
  recorded('stdin', 'standard input stays open for those who attach', 'docs/supervision.md'),
  recorded('init', 'a first process that passes signals on and reaps orphans', 'docs/supervision.md'),
];

export function desiredTerminal(spec: TerminalSpec): Record<string, Value> {
  return { tty: String(spec.tty), stdin: String(spec.stdin), init: String(spec.init) };
}
