/** docs/man/tsbox.1, made from the tables that make help. */
import { COMMANDS, type Command } from '../../src/cli/command-table.ts';
import { exitLines, optionLines, type OptionLine } from '../../src/cli/help.ts';
import { HELP } from '../../src/cli/help-table.ts';
import { asIs, bold, italic, paragraphs, text } from './roff.ts';

/** Said once for all commands. */
const COMMON: ReadonlySet<string> = new Set(['help', 'no-color', 'quiet']);

const EXITS: readonly (readonly [string, string])[] = [
  ['0', 'success; plan --detailed-exitcode, drift and fmt --check: no difference'],
  ['1', 'error: nothing changed, unless the command says what did'],
  ['2', 'plan --detailed-exitcode: changes; drift: drift; fmt --check: a file is not in style'],
  ['3', 'a saved plan is stale, was applied already, was changed, or comes from elsewhere: nothing changed'],
  ['4', 'applied in part, or what was applied does not read back'],
  ['5', 'refused: protected, or by a condition or policy; what does not depend on it is done'],
  ['6', 'locked by another command'],
  ['130', 'interrupted: what ran has finished, the rest was not started'],
];

const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ['TSBOX_VAR_NAME', 'the value of a variable of the stack, where no option gives it and it has no env of its own'],
  ['TSBOX_CGROUP_ROOT', 'the cgroup below which stacks are made (/tsbox)'],
  ['TSBOX_RUN_DIR', 'pins, logs and what else is gone at the next boot (/run/tsbox)'],
  ['TSBOX_STATE_DIR', 'volumes, images, history and the key of saved plans (/var/lib/tsbox)'],
  [
    'TSBOX_SUBIDS',
    'ids for user: auto and keep-id, START:COUNT[,…]; else those of containers in /etc/subuid and /etc/subgid',
  ],
  [
    'TSBOX_INSTALLATION',
    'the name of this installation in its labels; else made from /etc/machine-id and the state directory',
  ],
  ['NO_COLOR', 'no colours'],
];

const tagged = (rows: readonly (readonly [tag: string, does: string])[]): string[] =>
  rows.flatMap(([tag, does]) => ['.TP', bold(tag), text(does)]);

function optionRows(options: readonly OptionLine[]): string[] {
  return options.flatMap(({ name, short, value, text: does, multiple }) => [
    '.TP',
    `${short === undefined ? '' : `${bold(`-${short}`)}, `}${bold(`--${name}`)}${value === undefined ? '' : ` ${italic(value)}`}`,
    text(multiple && name !== 'stack' ? `${does} (may be repeated)` : does),
  ]);
}

function section(name: string, command: Command): string[] {
  const examples = HELP[name]?.examples ?? [];
  const own = Object.keys(HELP[name]?.exits ?? {});
  return [
    `.SS ${text(`tsbox ${name}`)}`,
    ...command.usage.split('\n').flatMap((line, i) => [...(i === 0 ? [] : ['.br']), bold(line.trim())]),
    ...paragraphs(command.help),
    ...optionRows(optionLines(name, command).filter((o) => !COMMON.has(o.name))),
    ...(own.length === 0
      ? []
      : ['.P', 'Exit codes:', ...tagged(exitLines(name).filter(([code]) => own.includes(code)))]),
    ...(examples.length === 0 ? [] : ['.P', 'Examples:', ...examples.flatMap(exampleLines)]),
  ];
}

function exampleLines([line, does]: readonly [string, string]): string[] {
  return ['.P', `${text(does)}:`, '.RS 4', ...asIs([line]), '.RE'];
}

export async function manualPage(): Promise<string> {
  const commands: [string, Command][] = [];
  for (const [name, row] of Object.entries(COMMANDS)) {
    commands.push([name, (await row.load()).command]);
  }
  const common = optionLines('version', { ...(commands[0] as [string, Command])[1], options: [] });
  const lines = [
    '.\\" Written by npm run man.',
    '.TH TSBOX 1 "" "tsbox" "User Commands"',
    '.nh',
    '.ad l',
    '.SH NAME',
    'tsbox \\- declarative container infrastructure: plan and apply against the live kernel',
    '.SH SYNOPSIS',
    `${bold('tsbox')} ${italic('COMMAND')} [${bold('-f')} ${italic('FILE')}]${text('…')} [${italic('OPTION')}]${text('…')}`,
    '.br',
    `${bold('tsbox help')} [${italic('COMMAND')}]`,
    '.SH DESCRIPTION',
    ...paragraphs(
      [
        'A stack file says in YAML which cgroups, namespaces, device rules, volumes and containers there are to be.',
        'plan compares it with what the kernel has, apply makes the kernel match it, drift shows what changed since.',
        'There is no state file and no daemon: what was last applied stands on the objects themselves.',
        '',
        'An ADDRESS or CONTAINER is container/web, web, container/STACK:web or STACK:web; web stands for every replica',
        'of it, web[1] for one. Data goes to standard output, progress and diagnostics to standard error.',
      ].join('\n'),
    ),
    '.SS Commands',
    ...tagged(Object.entries(COMMANDS).map(([name, { summary }]) => [name, summary])),
    '.SS Options of every command',
    ...optionRows(common.map((o) => (o.name === 'help' ? { ...o, text: 'the part of this page on the command' } : o))),
    '.SH COMMANDS',
    ...commands.flatMap(([name, command]) => section(name, command)),
    '.SH EXIT STATUS',
    ...tagged(EXITS),
    '.SH ENVIRONMENT',
    ...tagged(ENVIRONMENT),
    '.SH SEE ALSO',
    ['cgroups(7)', 'namespaces(7)', 'capabilities(7)', 'user_namespaces(7)', 'seccomp(2)'].map(reference).join(', '),
    '',
  ];
  return lines.join('\n');
}

const reference = (page: string): string =>
  page.replace(/^(.*)\((\d)\)$/, (_, name: string, n: string) => `${bold(name)}(${n})`);
