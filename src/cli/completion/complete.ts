/** What may stand at the end of a command line; the scripts of the shells ask `tsbox __complete WORD…`. */
import { COMMANDS } from '../command-table.ts';
import { optionLines, type OptionLine } from '../help.ts';
import { readLine, type Line } from './line.ts';
import { wantedAt, wantedFor, type Wanted } from './wanted.ts';

export interface Candidate {
  /** The whole last word. */
  readonly value: string;
  readonly text?: string;
}

export interface Completion {
  /** What the shell adds of its own. */
  readonly also: 'nothing' | 'files' | 'directories';
  readonly candidates: readonly Candidate[];
}

/** One line for what the shell adds, then one for each candidate, its text after a tab. */
export function completionText({ also, candidates }: Completion): string {
  return [also, ...candidates.map(({ value, text }) => (text === undefined ? value : `${value}\t${text}`)), ''].join(
    '\n',
  );
}

/** @param words all after `tsbox`, the last one up to the cursor; it is empty where a word is to begin */
export async function complete(words: readonly string[]): Promise<Completion> {
  const [name = '', ...rest] = words;
  if (rest.length === 0) {
    return { also: 'nothing', candidates: fitting(commands(), name) };
  }
  const last = rest.at(-1) ?? '';
  const before = rest.slice(0, -1);
  if (name === 'help') {
    return { also: 'nothing', candidates: before.length > 0 ? [] : fitting(commands(), last) };
  }
  const row = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (row === undefined) {
    return { also: 'nothing', candidates: [] };
  }
  const options = optionLines(name, (await row.load()).command);
  const line = readLine(before, options);
  const takesFile = options.some((o) => o.name === 'file');
  if (line.open !== undefined) {
    return offered(wantedFor(line.open), '', last, line, takesFile);
  }
  const [, stem, optionName] = /^(--([a-z-]+)=)/.exec(line.ended ? '' : last) ?? [];
  if (stem !== undefined) {
    const option = options.find((o) => o.name === optionName);
    return offered(option === undefined ? [] : wantedFor(option), stem, last, line, takesFile);
  }
  if (!line.ended && last.startsWith('-')) {
    return { also: 'nothing', candidates: fitting(unused(options, line), last) };
  }
  return offered(wantedAt(name, line.positionals.length), '', last, line, takesFile);
}

const fitting = (candidates: readonly Candidate[], start: string): Candidate[] =>
  candidates.filter(({ value }) => value.startsWith(start));

function commands(): Candidate[] {
  const rows = Object.entries(COMMANDS).map(([value, { summary }]) => ({ value, text: summary }));
  return [...rows, { value: 'help', text: 'tell more about a command' }];
}

/** Options that may still be given. */
function unused(options: readonly OptionLine[], line: Line): Candidate[] {
  return options
    .filter((o) => o.multiple || !line.given.has(o.name))
    .map(({ name, text }) => ({ value: `--${name}`, text }));
}

/** @param stem what of the last word stands before the value */
async function offered(
  wanted: readonly Wanted[],
  stem: string,
  last: string,
  line: Line,
  takesFile: boolean,
): Promise<Completion> {
  const start = last.slice(stem.length);
  const candidates: Candidate[] = [];
  let also: Completion['also'] = 'nothing';
  for (const want of wanted) {
    if (want === 'file' || want === 'directory') {
      also = want === 'file' ? 'files' : 'directories';
    } else if (typeof want === 'object') {
      candidates.push(...want.words.map((value) => ({ value })));
    } else if (want === 'command') {
      candidates.push(...commands());
    } else {
      const { lookUp } = await import('./look-up.ts');
      const { values, list } = await lookUp(want, line, takesFile, start);
      const done = list ? start.slice(0, start.lastIndexOf(',') + 1) : '';
      const there = new Set(done.split(','));
      candidates.push(...values.filter((v) => !there.has(v)).map((value) => ({ value: done + value })));
    }
  }
  const full = fitting(candidates, start).map((c) => ({ ...c, value: stem + c.value }));
  return { also, candidates: full };
}
