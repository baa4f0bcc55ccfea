/** A system call profile as the OCI runtime specification writes it (config-linux.md, "Seccomp"), checked. */
import { meant, show, ValueError } from '../../values.ts';

/** What a call is answered with: SECCOMP_RET_* with its data in the low half (seccomp(2)). */
const ACTIONS: Readonly<Record<string, number>> = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_TRAP: 0x30000,
  SCMP_ACT_ERRNO: 0x50000,
  SCMP_ACT_TRACE: 0x7ff00000,
  SCMP_ACT_ALLOW: 0x7fff0000,
  SCMP_ACT_LOG: 0x7ffc0000,
};
const EPERM = 1;
const DATA_MOST = 0xffff;

export type Operator = 'NE' | 'LT' | 'LE' | 'EQ' | 'GE' | 'GT' | 'MASKED_EQ';
const OPERATORS: readonly Operator[] = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'];

/** MASKED_EQ: (argument & value) = valueTwo. */
export interface Condition {
  readonly index: number;
  readonly op: Operator;
  readonly value: bigint;
  readonly valueTwo: bigint;
}

export interface CallRule {
  readonly names: readonly string[];
  readonly action: number;
  /** All of them must hold. */
  readonly args: readonly Condition[];
}

/** SECCOMP_FILTER_FLAG_*. */
const FLAGS: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
};

export interface Profile {
  readonly defaultAction: number;
  /** Names after SCMP_ARCH_; empty: the machine's own. */
  readonly architectures: readonly string[];
  readonly flags: number;
  readonly rules: readonly CallRule[];
}

type Path = readonly (string | number)[];

function wrong(message: string, expected: string, path: Path, hint?: string): never {
  throw new ValueError(message, expected, hint, path);
}

function record(input: unknown, known: readonly string[], path: Path): Readonly<Record<string, unknown>> {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    return wrong(`${show(input)} is not a part of a system call profile`, `a map with ${known.join(', ')}`, path);
  }
  const key = Object.keys(input).find((k) => !known.includes(k));
  if (key !== undefined) {
    const hint =
      key === 'archMap' || key === 'includes' || key === 'excludes'
        ? 'that is the form of the engines; the OCI form has the list for one machine'
        : meant(key, known);
    wrong(`${show(key)} is not part of a system call profile`, known.join(', '), [...path, key], hint);
  }
  return input as Readonly<Record<string, unknown>>;
}

function list(input: unknown, path: Path): readonly unknown[] {
  if (input === undefined || input === null) {
    return [];
  }
  return Array.isArray(input) ? input : wrong(`${show(input)} is not a list`, 'a list', path);
}

function action(input: unknown, errno: unknown, path: Path): number {
  const name = typeof input === 'string' ? input : '';
  if (name === 'SCMP_ACT_NOTIFY') {
    wrong(
      'SCMP_ACT_NOTIFY needs somebody who answers',
      'any other action',
      path,
      'tsbox has no daemon that would be asked',
    );
  }
  const value = ACTIONS[name];
  if (value === undefined) {
    return wrong(
      `${show(input)} is not an action`,
      Object.keys(ACTIONS).join(', '),
      path,
      meant(name, Object.keys(ACTIONS)),
    );
  }
  const takesData = name === 'SCMP_ACT_ERRNO' || name === 'SCMP_ACT_TRACE';
  const data = errno ?? (takesData ? EPERM : 0);
  if (
    typeof data !== 'number' ||
    !Number.isInteger(data) ||
    data < 0 ||
    data > DATA_MOST ||
    (errno !== undefined && !takesData)
  ) {
    return wrong(
      `${show(errno)} does not go with ${name}`,
      'errnoRet from 0 to 65535, with SCMP_ACT_ERRNO or SCMP_ACT_TRACE',
      path,
    );
  }
  return value + data;
}

/** What a double cannot hold is written as text. */
function wide(input: unknown, path: Path): bigint {
  const value =
    typeof input === 'bigint' || Number.isSafeInteger(input) || (typeof input === 'string' && /^\d{1,20}$/.test(input))
      ? BigInt(input as bigint | number | string)
      : -1n;
  return value >= 0n && value < 1n << 64n
    ? value
    : wrong(
        `${show(input)} is not a value of an argument`,
        'a whole number of 64 bits',
        path,
        typeof input === 'number' && input > Number.MAX_SAFE_INTEGER
          ? 'write one of more than 53 bits in quotes'
          : undefined,
      );
}

function condition(input: unknown, path: Path): Condition {
  const c = record(input, ['index', 'value', 'valueTwo', 'op'], path);
  const op = OPERATORS.find((o) => c['op'] === `SCMP_CMP_${o}`);
  const index = c['index'];
  if (op === undefined) {
    return wrong(`${show(c['op'])} is not an operator`, OPERATORS.map((o) => `SCMP_CMP_${o}`).join(', '), [
      ...path,
      'op',
    ]);
  }
  if (typeof index !== 'number' || !Number.isInteger(index) || index < 0 || index > 5) {
    return wrong(`${show(index)} is not the index of an argument`, '0 to 5', [...path, 'index']);
  }
  return {
    index,
    op,
    value: wide(c['value'], [...path, 'value']),
    valueTwo: wide(c['valueTwo'] ?? 0, [...path, 'valueTwo']),
  };
}

/** Text or a number of so many digits that JSON.parse may round it. */
const LONG_NUMBER = /("(?:[^"\\]|\\.)*")|\b(\d{16,})\b(?![.eE])/g;

/** A profile in a JSON file. Throws ValueError. */
export function parseProfileText(text: string): Profile {
  let input: unknown;
  try {
    input = JSON.parse(text.replace(LONG_NUMBER, (_, word?: string, digits?: string) => word ?? `"${digits}"`));
  } catch (error) {
    wrong(`it is not JSON: ${(error as Error).message}`, 'an OCI profile', []);
  }
  return parseProfile(input);
}

/** Throws ValueError with the place inside the profile. */
export function parseProfile(input: unknown): Profile {
  const p = record(
    input,
    ['defaultAction', 'defaultErrnoRet', 'architectures', 'flags', 'syscalls', 'listenerPath', 'listenerMetadata'],
    [],
  );
  if (p['listenerPath'] !== undefined || p['listenerMetadata'] !== undefined) {
    wrong('a listener needs somebody who answers', 'a profile without SCMP_ACT_NOTIFY', ['listenerPath']);
  }
  const architectures = list(p['architectures'], ['architectures']).map((name, i) =>
    typeof name === 'string' && /^SCMP_ARCH_[A-Z0-9_]+$/.test(name)
      ? name.slice('SCMP_ARCH_'.length)
      : wrong(`${show(name)} is not an architecture`, 'SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_AARCH64 …', [
          'architectures',
          i,
        ]),
  );
  const flags = list(p['flags'], ['flags']).reduce<number>((sum, name, i) => {
    const bit = typeof name === 'string' ? FLAGS[name] : undefined;
    return bit === undefined
      ? wrong(`${show(name)} is not a flag`, Object.keys(FLAGS).join(', '), ['flags', i])
      : sum | bit;
  }, 0);
  const rules = list(p['syscalls'], ['syscalls']).map((item, i): CallRule => {
    const at = ['syscalls', i];
    const r = record(item, ['names', 'action', 'errnoRet', 'args', 'comment'], at);
    const names = list(r['names'], [...at, 'names']);
    if (names.length === 0 || names.some((n) => typeof n !== 'string' || n === '')) {
      wrong('a rule names no system call', 'names: [ read, write ]', [...at, 'names']);
    }
    return {
      names: names as readonly string[],
      action: action(r['action'], r['errnoRet'], [...at, 'action']),
      args: list(r['args'], [...at, 'args']).map((c, j) => condition(c, [...at, 'args', j])),
    };
  });
  return {
    defaultAction: action(p['defaultAction'], p['defaultErrnoRet'], ['defaultAction']),
    architectures,
    flags,
    rules,
  };
}
