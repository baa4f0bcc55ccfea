/** Command line arguments: one table of options, node's own parser, errors with a hint. */
import { parseArgs } from 'node:util';
import { TsboxError } from '../errors.ts';

/** Two options with one short form never belong to one command. */
const OPTIONS = {
  file: { type: 'string', short: 'f', multiple: true },
  stack: { type: 'string', multiple: true },
  var: { type: 'string', multiple: true },
  target: { type: 'string', multiple: true },
  exclude: { type: 'string', multiple: true },
  replace: { type: 'string', multiple: true },
  'refresh-only': { type: 'boolean' },
  'var-file': { type: 'string', multiple: true },
  compact: { type: 'boolean' },
  'diff-context': { type: 'string' },
  steps: { type: 'boolean' },
  json: { type: 'boolean' },
  'json-into': { type: 'string' },
  format: { type: 'string' },
  'no-color': { type: 'boolean' },
  quiet: { type: 'boolean', short: 'q' },
  'detailed-exitcode': { type: 'boolean' },
  'auto-approve': { type: 'boolean', short: 'y' },
  parallelism: { type: 'string' },
  'lock-timeout': { type: 'string' },
  destroy: { type: 'boolean' },
  kernel: { type: 'string' },
  filter: { type: 'string', multiple: true },
  verbose: { type: 'boolean' },
  'record-kernel': { type: 'string' },
  'allow-empty': { type: 'boolean' },
  'allow-subset': { type: 'boolean' },
  'on-drift': { type: 'string' },
  output: { type: 'string', short: 'o' },
  kill: { type: 'boolean' },
  volumes: { type: 'boolean' },
  heal: { type: 'boolean' },
  /** What follows `--heal=`. */
  'heal-only': { type: 'string' },
  record: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  tail: { type: 'string', short: 'n' },
  timestamps: { type: 'boolean', short: 't' },
  follow: { type: 'boolean', short: 'F' },
  since: { type: 'string' },
  until: { type: 'string' },
  stream: { type: 'string' },
  signal: { type: 'string', short: 's' },
  timeout: { type: 'string', short: 't' },
  user: { type: 'string', short: 'u' },
  workdir: { type: 'string', short: 'w' },
  env: { type: 'string', short: 'e', multiple: true },
  'env-file': { type: 'string', multiple: true },
  tty: { type: 'boolean', short: 't' },
  interactive: { type: 'boolean', short: 'i' },
  'no-stdin': { type: 'boolean' },
  all: { type: 'boolean', short: 'a' },
  name: { type: 'string' },
  depth: { type: 'string' },
  devices: { type: 'boolean' },
  as: { type: 'string' },
  release: { type: 'boolean' },
  interval: { type: 'string' },
  sort: { type: 'string' },
  dir: { type: 'string' },
  'leave-running': { type: 'boolean' },
  'tcp-established': { type: 'boolean' },
  'file-locks': { type: 'boolean' },
  'ext-unix-sk': { type: 'boolean' },
  'shell-job': { type: 'boolean' },
  namespaces: { type: 'string' },
  share: { type: 'string' },
  rootfs: { type: 'string' },
  image: { type: 'string' },
  mount: { type: 'string', multiple: true },
  capabilities: { type: 'string' },
  memory: { type: 'string' },
  cpus: { type: 'string' },
  pids: { type: 'string' },
  hostname: { type: 'string' },
  network: { type: 'string' },
  sysctl: { type: 'string', multiple: true },
  seccomp: { type: 'string' },
  rm: { type: 'boolean' },
  check: { type: 'boolean' },
  live: { type: 'boolean' },
  diff: { type: 'boolean' },
  profile: { type: 'string', multiple: true },
  detach: { type: 'boolean', short: 'd' },
  'detach-keys': { type: 'string' },
  privileged: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  listen: { type: 'string' },
  'listen-anywhere': { type: 'boolean' },
  git: { type: 'string' },
  branch: { type: 'string' },
  'verify-signatures': { type: 'boolean' },
  signers: { type: 'string' },
  policy: { type: 'string' },
  approve: { type: 'string' },
  suspend: { type: 'boolean' },
  resume: { type: 'boolean' },
  prune: { type: 'boolean' },
  rollback: { type: 'boolean' },
  'health-timeout': { type: 'string' },
  window: { type: 'string', multiple: true },
  status: { type: 'string' },
  once: { type: 'boolean' },
  webhook: { type: 'string' },
} as const;

export type OptionName = keyof typeof OPTIONS;

/** Options that every command takes. */
const COMMON: readonly OptionName[] = ['help', 'no-color', 'quiet'];

export interface Option {
  readonly name: OptionName;
  readonly short: string | undefined;
  readonly multiple: boolean;
}

/** What a command takes, in the order it says, the common ones last. */
export function optionsOf(allowed: readonly OptionName[]): Option[] {
  return [...new Set([...allowed, ...COMMON])].map((name) => {
    const row: { readonly type: string; readonly short?: string; readonly multiple?: boolean } = OPTIONS[name];
    return { name, short: row.short, multiple: row.multiple === true };
  });
}

export interface Arguments {
  readonly files: readonly string[];
  readonly stack: string | undefined;
  readonly variables: Readonly<Record<string, string>>;
  readonly targets: readonly string[];
  readonly positionals: readonly string[];
  readonly flags: Readonly<Partial<Record<OptionName, boolean>>>;
  readonly values: Readonly<Partial<Record<OptionName, string>>>;
  readonly lists: Readonly<Partial<Record<OptionName, readonly string[]>>>;
  readonly noColor: boolean;
}

/**
 * Parses a command's arguments.
 * @param allowed the options it takes besides the common ones
 * @throws TsboxError TSB2001
 */
export function parseArguments(argv: readonly string[], allowed: readonly OptionName[]): Arguments {
  const names = new Set<OptionName>([...COMMON, ...allowed]);
  const options = Object.fromEntries(Object.entries(OPTIONS).filter(([name]) => names.has(name as OptionName)));
  let parsed: { values: Record<string, unknown>; positionals: string[] };
  try {
    parsed = parseArgs({
      args: argv.flatMap(withOptionalValue),
      options,
      allowPositionals: true,
      strict: true,
    }) as typeof parsed;
  } catch (error) {
    const message = (error as Error).message.split('.')[0] ?? 'wrong arguments';
    throw new TsboxError('TSB2001', message.charAt(0).toLowerCase() + message.slice(1), {
      hint: `options here: ${[...names].map((n) => `--${n}`).join(' ')}`,
    });
  }
  const flags: Partial<Record<OptionName, boolean>> = {};
  const values: Partial<Record<OptionName, string>> = {};
  const lists: Partial<Record<OptionName, readonly string[]>> = {};
  for (const [name, value] of Object.entries(parsed.values)) {
    if (typeof value === 'boolean') {
      flags[name as OptionName] = value;
    } else if (typeof value === 'string') {
      values[name as OptionName] = value;
    } else if (Array.isArray(value)) {
      lists[name as OptionName] = value as string[];
    }
  }
  return {
    files: lists.file ?? ['tsbox.yaml'],
    stack: lists.stack?.at(-1),
    variables: parseVariables(lists.var ?? []),
    targets: lists.target ?? [],
    positionals: parsed.positionals,
    flags,
    values,
    lists,
    noColor: flags['no-color'] === true,
  };
}

/** node's parser knows no option with a value that may be left out: --heal=X is --heal --heal-only=X. */
function withOptionalValue(arg: string): string[] {
  return arg.startsWith('--heal=') ? ['--heal', `--heal-only=${arg.slice('--heal='.length)}`] : [arg];
}

function parseVariables(items: readonly string[]): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const item of items) {
    const equals = item.indexOf('=');
    if (equals < 1) {
      throw new TsboxError('TSB2001', `--var '${item}' is not NAME=VALUE`);
    }
    variables[item.slice(0, equals)] = item.slice(equals + 1);
  }
  return variables;
}

/** One word of several from an option. */
export function choiceOption<T extends string>(
  args: Arguments,
  name: OptionName,
  choices: readonly T[],
  fallback: T,
): T {
  const text = args.values[name] ?? fallback;
  const choice = choices.find((c) => c === text);
  if (choice === undefined) {
    throw new TsboxError('TSB2001', `--${name} takes ${choices.join(', ')}, not '${text}'`);
  }
  return choice;
}

/** A whole number from an option. */
export function numberOption(args: Arguments, name: OptionName, fallback: number, least: number, most: number): number {
  const text = args.values[name];
  if (text === undefined) {
    return fallback;
  }
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < least || number > most) {
    throw new TsboxError('TSB2001', `--${name} must be a number from ${least} to ${most}, not '${text}'`);
  }
  return number;
}

/** A time in seconds from an option, fractions allowed. */
export function secondsOption(
  args: Arguments,
  name: OptionName,
  fallback: number,
  least: number,
  most: number,
): number {
  const text = args.values[name];
  if (text === undefined) {
    return fallback;
  }
  const seconds = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || seconds < least || seconds > most) {
    throw new TsboxError('TSB2001', `--${name} must be from ${least} to ${most} seconds, not '${text}'`);
  }
  return seconds;
}
