/** What completion offers where: for the arguments of each command, and for the values of options. */
import { HELP } from '../help-table.ts';
import type { OptionLine } from '../help.ts';

/** Words that are offered as they are, or what is looked up. */
export type Wanted = { readonly words: readonly string[] } | Looked;
export type Looked =
  | 'address'
  | 'capabilities'
  | 'command'
  | 'container'
  | 'containerPath'
  | 'directory'
  | 'file'
  | 'namespaces'
  | 'severities'
  | 'signal'
  | 'stack'
  | 'variable';

interface Arguments {
  readonly first: readonly Wanted[];
  readonly rest: readonly Wanted[];
}

const NONE: Arguments = { first: [], rest: [] };
const one = (...first: Wanted[]): Arguments => ({ first, rest: [] });
const each = (...wanted: Wanted[]): Arguments => ({ first: wanted, rest: wanted });

/** By command; those that are not here take no arguments. */
const ARGUMENTS: Readonly<Record<string, Arguments>> = {
  apply: one('file'),
  test: each('file', 'directory'),
  show: one('address', 'file'),
  logs: each('container'),
  stats: each('address'),
  events: each('address'),
  cp: each('containerPath', 'file'),
  exec: { first: ['container'], rest: ['file'] },
  run: each('file'),
  attach: one('container'),
  start: each('container'),
  stop: each('container'),
  restart: each('container'),
  wait: each('container'),
  pause: each('address'),
  unpause: each('address'),
  freeze: each('address'),
  thaw: each('address'),
  signal: { first: ['address'], rest: ['signal', 'address'] },
  kill: each('address'),
  own: one('address'),
  fmt: each('file'),
  convert: { first: [], rest: ['file'] },
  checkpoint: one('container'),
  restore: one('container'),
  help: one('command'),
};

/** What may stand at an argument, counted from 0. */
export function wantedAt(command: string, index: number): readonly Wanted[] {
  const { first, rest } = ARGUMENTS[command] ?? NONE;
  const words = HELP[command]?.words;
  return index > 0 ? rest : words === undefined ? first : [...first, { words }];
}

/** Options whose values their name tells. */
const BY_NAME: Readonly<Record<string, readonly Wanted[]>> = {
  capabilities: ['capabilities'],
  heal: ['severities'],
  // An address to listen on.
  listen: [],
  mount: [{ words: 'bind tmpfs volume image proc sysfs mqueue devpts cgroup'.split(' ').map((kind) => `${kind}:`) }],
  namespaces: ['namespaces'],
  stack: ['stack'],
  var: ['variable'],
  // Of the container.
  workdir: [],
};

/** By what stands for the value in help. */
const BY_VALUE: Readonly<Record<string, Wanted>> = {
  ADDRESS: 'address',
  'CONTAINER[:LIST]': 'container',
  DIR: 'directory',
  FILE: 'file',
  PATH_OR_URL: 'directory',
  SIGNAL: 'signal',
};

export function wantedFor({ name, value = '' }: OptionLine): readonly Wanted[] {
  const parts = value.split('|');
  const words = parts.filter((part) => /^[a-z][a-z-]*$/.test(part));
  return BY_NAME[name] ?? [{ words }, ...parts.flatMap((part) => BY_VALUE[part] ?? [])];
}
