/** The text of --help: what a command does, its options, its exit codes, examples. */
import { COMMANDS, type Command } from './command-table.ts';
import { optionsOf, type Option } from './args.ts';
import { HELP } from './help-table.ts';
import { OPTION_TEXT, type OptionText } from './option-text.ts';

export interface OptionLine extends Option, OptionText {}

/** The options of a command with what they mean there, those of every command last. */
export function optionLines(name: string, command: Command): OptionLine[] {
  const own = HELP[name]?.options ?? {};
  return optionsOf(command.options)
    .map((option) => ({ ...option, ...(own[option.name] ?? OPTION_TEXT[option.name] ?? { text: '' }) }))
    .filter((option) => option.hidden !== true);
}

export function exitLines(name: string): [code: string, text: string][] {
  const codes = { 0: 'success', 1: 'error', ...HELP[name]?.exits };
  return Object.entries(codes);
}

const WIDTH = 100;

/** Lines of two columns, the second wrapped; a first one that is too long has a line of its own. */
function columns(rows: readonly (readonly [string, string])[], most: number): string[] {
  const width = Math.min(most, Math.max(...rows.map(([left]) => left.length)));
  return rows.flatMap(([left, right]) => {
    const words = right.split(' ');
    const lines: string[] = [''];
    for (const word of words) {
      const last = lines.at(-1) ?? '';
      if (last !== '' && width + 4 + last.length + word.length >= WIDTH) {
        lines.push(word);
      } else {
        lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
      }
    }
    const head = left.length > width ? [`  ${left}`] : [];
    return [...head, ...lines.map((l, i) => `  ${(i === 0 && head.length === 0 ? left : '').padEnd(width)}  ${l}`)];
  });
}

export function optionHead({ name, short, value }: OptionLine): string {
  return `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`;
}

export function commandHelp(name: string, command: Command): string {
  const examples = HELP[name]?.examples ?? [];
  return [
    command.usage,
    '',
    command.help,
    '',
    'Options:',
    ...columns(
      optionLines(name, command).map((o) => [
        optionHead(o),
        o.multiple && o.name !== 'stack' ? `${o.text} (may be repeated)` : o.text,
      ]),
      28,
    ),
    '',
    'Exit codes:',
    ...columns(exitLines(name), 4),
    ...(examples.length === 0
      ? []
      : ['', 'Examples:', ...examples.flatMap(([line, does]) => [`  # ${does}`, `  ${line}`])]),
    '',
  ].join('\n');
}

export function overview(): string {
  const rows = Object.entries(COMMANDS).map(([name, { summary }]): [string, string] => [name, summary]);
  return `tsbox COMMAND [-f FILE]… [OPTION]…\n\n${columns(rows, 20).join('\n')}\n\ntsbox help COMMAND tells more.\n`;
}
