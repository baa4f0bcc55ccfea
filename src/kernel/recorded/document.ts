/** A recorded kernel as a document: what a KernelReader answered, question by question, as deterministic JSON. */
import * as z from 'zod';
import type { BpfProgram, Errno, Scheduling, Stat } from '../../../native/index.d.ts';
import { TsboxError } from '../../errors.ts';
import { layoutOf, type CgroupLayout } from '../layout.ts';

export const RECORDING_VERSION = 1;

/** A machine with ten thousand containers takes about this much; what is larger is no recording. */
export const RECORDING_LIMIT = 64 * 1024 * 1024;

const integer = z.number().int();
const text = z.union([z.string(), integer]);
/** Text where the bytes are UTF-8. */
const bytes = z.union([z.string(), z.strictObject({ base64: z.base64() })]);
const stat = z.tuple([integer, integer, integer, integer, integer, integer, integer, integer]);
const program = z.strictObject({
  id: integer,
  name: z.string(),
  tag: z.string(),
  attachFlags: integer,
  uid: integer,
  xlated: z.union([bytes, integer]),
});
const programs = z.union([z.array(program), integer]);
const scheduling = z.strictObject({
  policy: integer,
  flags: integer,
  nice: integer,
  priority: integer,
  runtime: integer,
  deadline: integer,
  period: integer,
  ioprio: integer,
  cpus: z.array(integer),
  core: text,
});

/** Answers by kind of question; a number is a negative errno, null what is not there. */
const KINDS = {
  files: text,
  links: text,
  stats: z.union([stat, integer]),
  walks: z.union([z.array(z.tuple([z.string(), integer])), integer]),
  /** Walks that did not come to their end. */
  samples: z.array(z.tuple([z.string(), integer])),
  lists: z.array(z.string()),
  xattrs: text,
  xattr_names: z.union([z.array(z.string()), integer]),
  in_root: z.union([z.strictObject({ stat, content: bytes }), integer]),
  namespace_ids: text,
  namespace_types: text,
  namespace_owners: text,
  device_programs: programs,
  effective_device_programs: programs,
  cgroup_programs: programs,
  scheduling: z.union([scheduling, integer]),
  landlock_abi: integer,
  selinux_labels: z.union([z.tuple([z.string()]), z.enum(['unknown', 'no policy', 'not told'])]),
  uts: z.tuple([z.string(), z.string()]).nullable(),
  sysctls: text,
  devices: z.tuple([z.enum(['b', 'c']), integer, integer]).nullable(),
  disks: z.string().nullable(),
  places: z.tuple([z.string(), integer, z.enum(['dir', 'file'])]).nullable(),
  real_paths: z.string().nullable(),
  accounts: z.string(),
  image_files: z.tuple([z.string(), integer, integer]).nullable(),
  image_bytes: bytes,
  archives: z.tuple([integer, z.string()]).nullable(),
} as const;

export type Kind = keyof typeof KINDS;
export type Answer<K extends Kind> = z.output<(typeof KINDS)[K]>;

const answers = Object.fromEntries(
  Object.entries(KINDS).map(([kind, schema]) => [kind, z.record(z.string(), schema).optional()]),
) as { readonly [K in Kind]: z.ZodOptional<z.ZodRecord<z.ZodString, (typeof KINDS)[K]>> };

const recordingSchema = z.strictObject({
  tsbox_kernel: z.literal(RECORDING_VERSION),
  release: z.string(),
  arch: z.string(),
  boot_id: z.string(),
  installation: z.string(),
  /** CapEff, hexadecimal. */
  capabilities: z.string().regex(/^[0-9a-f]+$/),
  settings: z.strictObject({
    cgroup_root: z.string(),
    run_dir: z.string(),
    state_dir: z.string(),
    sub_ids: z.array(z.tuple([integer, integer])).nullable(),
  }),
  /** Where the stack file lay: a replay elsewhere asks for what is beside it by these paths. */
  directory: z.string(),
  hierarchies: z.array(
    z.strictObject({
      mount: z.string(),
      version: z.union([z.literal(1), z.literal(2)]),
      controllers: z.array(z.string()),
      name: z.string(),
    }),
  ),
  answers: z.strictObject(answers),
});

export type Recording = z.output<typeof recordingSchema>;
export type Answers = Recording['answers'];

/** @throws TsboxError TSB3014 when it is none, or one of another version */
export function parseRecording(path: string, content: string): Recording {
  const refuse = (why: string): TsboxError =>
    new TsboxError('TSB3014', `${path}: ${why}`, {
      subject: path,
      hint: 'tsbox plan --record-kernel FILE makes one',
    });
  let data: unknown;
  try {
    data = JSON.parse(content);
  } catch {
    throw refuse('this is not a recorded kernel: it is not JSON');
  }
  const version = (data as { readonly tsbox_kernel?: unknown } | null)?.tsbox_kernel;
  if (version === undefined) {
    throw refuse('this is not a recorded kernel');
  }
  if (version !== RECORDING_VERSION) {
    throw refuse(`it has the format ${JSON.stringify(version)}, this tsbox reads ${RECORDING_VERSION}`);
  }
  const parsed = recordingSchema.safeParse(data);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw refuse(`${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'damaged'}`);
  }
  return parsed.data;
}

/** The document: an answer a line, in order, so that the same answers make the same text. @throws TsboxError TSB3014 */
export function recordingText({ answers: all, ...machine }: Recording): string {
  const head = Object.entries(machine).map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  const kinds = (Object.keys(KINDS) as Kind[]).flatMap((kind) => {
    const lines = Object.entries(all[kind] ?? {})
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([question, answer]) => `      ${JSON.stringify(question)}: ${JSON.stringify(answer)}`);
    return lines.length === 0 ? [] : [`    ${JSON.stringify(kind)}: {\n${lines.join(',\n')}\n    }`];
  });
  const written = `{\n${[...head, `  "answers": {\n${kinds.join(',\n')}\n  }`].join(',\n')}\n}\n`;
  const size = Buffer.byteLength(written);
  if (size > RECORDING_LIMIT) {
    throw new TsboxError('TSB3014', `the recording has ${size} bytes, more than ${RECORDING_LIMIT}`, {
      hint: 'record a stack with fewer containers',
    });
  }
  return written;
}

export function recordedLayout({ hierarchies }: Recording): CgroupLayout {
  return layoutOf(hierarchies);
}

export function encodeStat(s: Stat): z.output<typeof stat> {
  return [s.dev, s.ino, s.mode, s.uid, s.gid, s.major, s.minor, s.nlink];
}

export function decodeStat([dev, ino, mode, uid, gid, major, minor, nlink]: z.output<typeof stat>): Stat {
  return { dev, ino, mode, uid, gid, major, minor, nlink };
}

export function encodeBytes(data: Uint8Array): z.output<typeof bytes> {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    return { base64: Buffer.from(data).toString('base64') };
  }
}

export function decodeBytes(data: z.output<typeof bytes>): Buffer {
  return typeof data === 'string' ? Buffer.from(data) : Buffer.from(data.base64, 'base64');
}

export function encodePrograms(list: readonly BpfProgram[] | Errno): Answer<'device_programs'> {
  return typeof list === 'number'
    ? list
    : list.map((p) => ({ ...p, xlated: typeof p.xlated === 'number' ? p.xlated : encodeBytes(p.xlated) }));
}

export function decodePrograms(list: Answer<'device_programs'>): BpfProgram[] | Errno {
  return typeof list === 'number'
    ? list
    : list.map((p) => ({ ...p, xlated: typeof p.xlated === 'number' ? p.xlated : decodeBytes(p.xlated) }));
}

export function encodeScheduling(found: Scheduling | Errno): Answer<'scheduling'> {
  return typeof found === 'number' ? found : { ...found, cpus: [...found.cpus] };
}
