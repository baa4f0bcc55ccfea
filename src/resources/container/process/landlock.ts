/** `landlock:` of a container: what its process allows itself of files, ports and other processes (landlock(7)). */
import * as z from 'zod';
import type { LandlockRules } from '../../../kernel/confine-spec.ts';
import { entriesOf, type Value } from '../../attribute.ts';
import { meant, show, valueSchema, ValueError } from '../../values.ts';
import { absolutePathSchema } from '../fields.ts';

interface Right {
  readonly bit: number;
  /** The version of the interface that brought it. */
  readonly abi: number;
}

/** LANDLOCK_ACCESS_FS_* of include/uapi/linux/landlock.h. */
export const FILE_RIGHTS: Readonly<Record<string, Right>> = {
  execute: { bit: 0, abi: 1 },
  write_file: { bit: 1, abi: 1 },
  read_file: { bit: 2, abi: 1 },
  read_dir: { bit: 3, abi: 1 },
  remove_dir: { bit: 4, abi: 1 },
  remove_file: { bit: 5, abi: 1 },
  make_char: { bit: 6, abi: 1 },
  make_dir: { bit: 7, abi: 1 },
  make_reg: { bit: 8, abi: 1 },
  make_sock: { bit: 9, abi: 1 },
  make_fifo: { bit: 10, abi: 1 },
  make_block: { bit: 11, abi: 1 },
  make_sym: { bit: 12, abi: 1 },
  refer: { bit: 13, abi: 2 },
  truncate: { bit: 14, abi: 3 },
  ioctl_dev: { bit: 15, abi: 5 },
};
/** LANDLOCK_ACCESS_NET_*. */
const PORT_RIGHTS: Readonly<Record<string, Right>> = { bind: { bit: 0, abi: 4 }, connect: { bit: 1, abi: 4 } };
/** LANDLOCK_SCOPE_*. */
const SCOPES: Readonly<Record<string, Right>> = {
  abstract_unix_socket: { bit: 0, abi: 6 },
  signal: { bit: 1, abi: 6 },
};

const ALL = Object.keys(FILE_RIGHTS).sort();
/** Words for several rights. Nodes of devices and what is done to them are in 'all' only. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  read: ['read_dir', 'read_file'],
  write: [
    'make_dir',
    'make_fifo',
    'make_reg',
    'make_sock',
    'make_sym',
    'refer',
    'remove_dir',
    'remove_file',
    'truncate',
    'write_file',
  ],
  all: ALL,
};

const rightSchema = valueSchema(
  (input): string => {
    if (typeof input !== 'string' || !(Object.hasOwn(FILE_RIGHTS, input) || Object.hasOwn(GROUPS, input))) {
      const known = [...Object.keys(GROUPS), ...Object.keys(FILE_RIGHTS)];
      throw new ValueError(
        `${show(input)} is not a right to files`,
        'read, write, execute, all, or a name of the kernel such as make_sock',
        meant(input, known),
      );
    }
    return input;
  },
  { enum: [...Object.keys(GROUPS), ...ALL] },
);
const rightsSchema = z.union([rightSchema.transform((word) => [word]), z.array(rightSchema)]);

const portSchema = valueSchema(
  (input): number => {
    if (typeof input !== 'number' || !Number.isInteger(input) || input < 0 || input > 65535) {
      throw new ValueError(`${show(input)} is not a port`, 'a whole number from 0 to 65535');
    }
    return input;
  },
  { type: 'integer', minimum: 0, maximum: 65535 },
);

const expand = (words: readonly string[]): string[] =>
  [...new Set(words.flatMap((word) => GROUPS[word] ?? [word]))].sort();

/** The canonical map: 'handled', 'files PATH', 'tcp.bind', 'tcp.connect', 'scopes', 'best_effort'. */
export const landlockSchema = z
  .strictObject({
    files: z.record(absolutePathSchema, rightsSchema).optional(),
    handled: rightsSchema.optional(),
    tcp: z.strictObject({ bind: z.array(portSchema).optional(), connect: z.array(portSchema).optional() }).optional(),
    scopes: z.array(z.enum(Object.keys(SCOPES))).optional(),
    best_effort: z.boolean().optional(),
  })
  .transform((input, context): Readonly<Record<string, string>> => {
    const map: Record<string, string> = {};
    const wrong = (path: string[], message: string, expected: string): void =>
      context.addIssue({ code: 'custom', path, message, params: { expected } });
    if (input.files !== undefined) {
      const handled = expand(input.handled ?? ['all']);
      map['handled'] = handled.join(' ');
      for (const [path, words] of Object.entries(input.files)) {
        const more = words.find((w) => !Object.hasOwn(GROUPS, w) && !handled.includes(w));
        if (more !== undefined) {
          wrong(['files', path], `${more} is allowed, but not handled`, 'a part of handled');
        }
        map[`files ${path}`] = expand(words)
          .filter((w) => handled.includes(w))
          .join(' ');
      }
    } else if (input.handled !== undefined) {
      wrong(['handled'], 'handled is of rights to files, and there are no files', 'files: { PATH: RIGHTS }');
    }
    for (const side of ['bind', 'connect'] as const) {
      const ports = input.tcp?.[side];
      if (ports !== undefined) {
        map[`tcp.${side}`] = [...new Set(ports)].sort((a, b) => a - b).join(' ') || 'none';
      }
    }
    if (input.scopes !== undefined && input.scopes.length > 0) {
      map['scopes'] = [...new Set(input.scopes)].sort().join(' ');
    }
    if (Object.keys(map).length === 0) {
      wrong([], 'landlock restricts nothing', 'files, tcp or scopes');
    }
    return input.best_effort === true ? { ...map, best_effort: 'true' } : map;
  });

const words = (text: string | undefined): string[] => (text ?? '').split(' ').filter((w) => w !== '' && w !== 'none');

/** What of it a kernel lacks, by the version that would bring it. */
export function missingRights(landlock: Readonly<Record<string, string>>, abi: number): Array<[string, number]> {
  const needs: Array<[string, number]> = [
    ...words(landlock['handled']).map((w): [string, number] => [w, FILE_RIGHTS[w]?.abi ?? 1]),
    ...Object.entries(PORT_RIGHTS).flatMap(([side, { abi: since }]): Array<[string, number]> =>
      landlock[`tcp.${side}`] === undefined ? [] : [[`tcp.${side}`, since]],
    ),
    ...words(landlock['scopes']).map((w): [string, number] => [`scope ${w}`, SCOPES[w]?.abi ?? 1]),
  ];
  return needs.filter(([, since]) => since > abi);
}

/** The rules for native/init; undefined where there are none, or none that this kernel has. */
export function landlockRules(value: Value | undefined, abi: number): LandlockRules | undefined {
  const map = entriesOf(value);
  const best = map['best_effort'] === 'true';
  const bits = (names: readonly string[], table: Readonly<Record<string, Right>>): number =>
    names.reduce((mask, name) => {
      const right = table[name];
      return right === undefined || (best && right.abi > abi) ? mask : mask | (1 << right.bit);
    }, 0);
  const files = bits(words(map['handled']), FILE_RIGHTS);
  const sides = Object.keys(PORT_RIGHTS).filter((side) => map[`tcp.${side}`] !== undefined);
  const net = bits(sides, PORT_RIGHTS);
  const scoped = bits(words(map['scopes']), SCOPES);
  if (files === 0 && net === 0 && scoped === 0) {
    return undefined;
  }
  const paths = Object.entries(map).flatMap(([key, rights]) =>
    key.startsWith('files ') ? [{ path: key.slice(6), access: bits(words(rights), FILE_RIGHTS) }] : [],
  );
  const ports = sides.flatMap((side) => {
    const access = bits([side], PORT_RIGHTS);
    return access === 0 ? [] : words(map[`tcp.${side}`]).map((port) => ({ port: Number(port), access }));
  });
  return { files, net, scoped, paths: paths.filter((p) => p.access !== 0), ports };
}
