/** What a process can only be started with: umask, personality, keyring, further groups. */
import * as z from 'zod';
import type { Attribute } from '../../attribute.ts';
import { meant, show, valueSchema, ValueError } from '../../values.ts';
import { userPart } from '../user.ts';

/** personality(2); flags of include/uapi/linux/personality.h. */
const DOMAINS: Readonly<Record<string, number>> = { linux: 0, linux32: 8 };
const FLAGS: Readonly<Record<string, number>> = {
  uname26: 0x20000,
  addr_no_randomize: 0x40000,
  fdpic_funcptrs: 0x80000,
  mmap_page_zero: 0x100000,
  addr_compat_layout: 0x200000,
  read_implies_exec: 0x400000,
  addr_limit_32bit: 0x800000,
  short_inode: 0x1000000,
  whole_seconds: 0x2000000,
  sticky_timeouts: 0x4000000,
  addr_limit_3gb: 0x8000000,
};

function word(input: unknown, known: Readonly<Record<string, number>>, what: string): string {
  const name = typeof input === 'string' ? input.toLowerCase() : '';
  if (!Object.hasOwn(known, name)) {
    const names = Object.keys(known);
    throw new ValueError(`${show(input)} is not a ${what}`, names.join(', '), meant(name, names));
  }
  return name;
}

const domain = valueSchema((input) => word(input, DOMAINS, 'personality'), { enum: Object.keys(DOMAINS) });
const flag = valueSchema((input) => word(input, FLAGS, 'flag of a personality'), { enum: Object.keys(FLAGS) });

/** 'linux', 'linux32 addr_no_randomize'. */
const personalitySchema: z.ZodType<string> = z.union([
  domain,
  z
    .strictObject({ domain: domain.optional(), flags: z.array(flag).optional() })
    .transform((p) => [p.domain ?? 'linux', ...[...new Set(p.flags)].sort()].join(' ')),
]);

/** As written, so that 0022, 022 and 0o22 are the same and octal. Four digits. */
const umaskSchema = valueSchema(
  (input): string => {
    const digits = /^0?o?([0-7]{1,4})$/.exec(
      typeof input === 'number' ? `${input}` : typeof input === 'string' ? input : '',
    );
    if (digits === null || parseInt(digits[1] ?? '', 8) > 0o777) {
      throw new ValueError(`${show(input)} is not a umask`, 'octal digits such as 0022, at most 0777');
    }
    return (digits[1] ?? '').padStart(4, '0').slice(-4);
  },
  { type: ['string', 'integer'], examples: ['0022'] },
);

export const startShape = {
  umask: umaskSchema.optional(),
  personality: personalitySchema.optional(),
  keyring: z.boolean().optional(),
  group_add: z.array(userPart).optional(),
};

/** Canonical values by attribute name. */
export interface StartSettings {
  readonly umask: string;
  readonly personality: string;
  /** 'own' or 'shared'. */
  readonly keyring: string;
}

export const START_DEFAULTS = { umask: '0022', personality: 'linux', keyring: 'own' } as const satisfies StartSettings;

export function startOf(input: {
  readonly umask?: string | undefined;
  readonly personality?: string | undefined;
  readonly keyring?: boolean | undefined;
}): StartSettings {
  return {
    umask: input.umask ?? START_DEFAULTS.umask,
    personality: input.personality ?? START_DEFAULTS.personality,
    keyring: input.keyring === false ? 'shared' : START_DEFAULTS.keyring,
  };
}

function row(name: keyof StartSettings, observed: Attribute['observed'], doc: string, source: string): Attribute {
  const reason = 'it is fixed when the process starts';
  return { name, change: 'replace', reason, observed, quiet: true, default: START_DEFAULTS[name], doc, source };
}

export const START_ATTRIBUTES: readonly Attribute[] = [
  row('umask', 'recorded', 'permissions that new files do not get, as started', 'umask(2)'),
  row('personality', 'live', 'execution domain and its flags', 'personality(2)'),
  row('keyring', 'recorded', 'a session keyring of its own, or the one of whoever ran tsbox', 'session-keyring(7)'),
];

/** The number that personality(2) takes. */
export function personalityNumber(text: string): number {
  const [name = 'linux', ...flags] = text.split(' ');
  return flags.reduce((sum, f) => sum + (FLAGS[f] ?? 0), DOMAINS[name] ?? 0);
}

/** The canonical text of /proc/PID/personality (hexadecimal). */
export function personalityText(hex: string): string {
  const number = parseInt(hex, 16);
  const name = Object.keys(DOMAINS).find((d) => DOMAINS[d] === (number & 0xff)) ?? `domain-${number & 0xff}`;
  const flags = Object.keys(FLAGS).filter((f) => (number & (FLAGS[f] ?? 0)) !== 0);
  return [name, ...flags.sort()].join(' ');
}
