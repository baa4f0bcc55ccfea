/** The mounts of a container: what a stack can say of them, and what is made of it. */
import * as z from 'zod';
import { PROPAGATIONS, type Propagation } from '../../../kernel/mount-spec.ts';
import { modeSchema } from '../../mode.ts';
import { bytesSchema, idSchema, NAME_PATTERN } from '../../units.ts';
import { meant, show, valueSchema, ValueError } from '../../values.ts';
import { boundedCount, parseAbsolutePath } from '../fields.ts';
import { imageSchema, imageShape, imageUse, type FoundRoot, type ImageUse } from '../rootfs.ts';
import { idmapShape, mountIds, type MountIds } from './idmap.ts';

/** Flags as written: undefined where the stack says nothing. */
export interface FlagsInput {
  readonly nosuid?: boolean | undefined;
  readonly nodev?: boolean | undefined;
  readonly noexec?: boolean | undefined;
}

interface Common {
  readonly target: string;
  /** 'top': the mounts below a recursive bind stay writable. */
  readonly readonly: boolean | 'top';
  readonly flags: FlagsInput;
  /** It is meant that /proc or something below it is covered. */
  readonly overProc: boolean;
}

/** A directory or file of the host. */
export interface BindSpec extends Common {
  readonly kind: 'bind';
  /** Absolute; relative ones start at the directory of the file they stand in. */
  readonly source: string;
  readonly recursive: boolean;
  readonly propagation: Propagation;
  /** What to make of a target that is missing; 'auto' is what the source is. */
  readonly create: 'none' | 'dir' | 'file' | 'auto';
  /** null: its ids are as they are. */
  readonly idmap: MountIds | null;
}

export interface VolumeMountSpec extends Common {
  readonly kind: 'volume';
  readonly volume: string;
  /** Below the volume, '' for all of it. */
  readonly subpath: string;
  readonly idmap: MountIds | null;
}

export interface TmpfsSpec extends Common {
  readonly kind: 'tmpfs';
  /** Bytes and files; null is the kernel's default, half the memory. */
  readonly size: number | null;
  readonly inodes: number | null;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** It begins with what is in the directory that it covers. */
  readonly copyUp: boolean;
}

/** What is in an image, read-only. */
export interface ImageMountSpec extends Common {
  readonly kind: 'image';
  readonly use: ImageUse;
  /** null: not looked for, or not there yet. */
  readonly found: FoundRoot | null;
}

export type HidePid = 'off' | 'noaccess' | 'invisible' | 'ptraceable';

/** A view of the kernel. */
export interface ViewSpec extends Common {
  readonly kind: 'proc' | 'sysfs' | 'mqueue' | 'devpts' | 'cgroup';
  /** proc only. */
  readonly hidepid: HidePid;
  readonly subset: 'pid' | null;
}

export type MountSpec = BindSpec | VolumeMountSpec | ImageMountSpec | TmpfsSpec | ViewSpec;

/** shm_size when the stack says nothing. */
export const DEFAULT_SHM = 64 * 1024 * 1024;

const hostPath = valueSchema(
  (input) => {
    if (typeof input !== 'string' || input === '' || input.length > 4000) {
      throw new ValueError(`${show(input)} is not a path`, 'a file or directory of the host');
    }
    return input;
  },
  { type: 'string' },
);

const target = valueSchema(
  (input) => {
    const path = parseAbsolutePath(input).replace(/\/+/g, '/');
    if (path === '/' || path.split('/').includes('.')) {
      throw new ValueError(
        `${show(input)} cannot be the target of a mount`,
        "an absolute path below /, without '.'",
        path === '/' ? 'what is mounted on / is the rootfs' : undefined,
      );
    }
    return path;
  },
  { type: 'string', pattern: '^/.' },
);

const subpath = valueSchema(
  (input) => {
    const parts = typeof input === 'string' ? input.split('/') : [];
    if (parts.length === 0 || parts.some((p) => p === '' || p === '.' || p === '..')) {
      throw new ValueError(`${show(input)} is not a path inside the volume`, "a relative path without '.' and '..'");
    }
    return parts.join('/');
  },
  { type: 'string' },
);

/** The kernel's words and numbers: Documentation/filesystems/proc.rst, "Mount options". */
const HIDEPID: readonly HidePid[] = ['off', 'noaccess', 'invisible', 'ptraceable'];
const HIDEPID_NUMBERS = ['0', '1', '2', '4'];

export function hidepidNumber(word: HidePid): string {
  return HIDEPID_NUMBERS[HIDEPID.indexOf(word)] ?? '0';
}

const hidepid = valueSchema(
  (input): HidePid => {
    // YAML 1.2 has no 'off': it is text.
    const found = HIDEPID.find((word) => word === input || hidepidNumber(word) === String(input));
    if (found === undefined) {
      throw new ValueError(`${show(input)} is not a value of hidepid`, 'off, noaccess, invisible or ptraceable');
    }
    return found;
  },
  { enum: [...HIDEPID, 0, 1, 2, 4] },
);

const volumeName = valueSchema(
  (input) => {
    if (typeof input !== 'string' || !NAME_PATTERN.test(input)) {
      const hint =
        typeof input === 'string' && input.includes('/') ? `for a directory write bind: ${input}` : undefined;
      throw new ValueError(`${show(input)} cannot name a volume`, 'the name of a declared volume', hint);
    }
    return input;
  },
  { type: 'string' },
);

const readonlySchema = valueSchema(
  (input): boolean | 'top' => {
    if (typeof input !== 'boolean' && input !== 'top') {
      throw new ValueError(
        `${show(input)} does not say whether it is read-only`,
        'true, false or top',
        meant(input, ['top']),
      );
    }
    return input;
  },
  { type: ['boolean', 'string'], enum: [true, false, 'top'] },
);

const flags = { nosuid: z.boolean().optional(), nodev: z.boolean().optional(), noexec: z.boolean().optional() };
/** Says that a mount over /proc or below it is meant. */
const over = { over_proc: z.boolean().optional() };

const bind = z.strictObject({
  bind: hostPath,
  target,
  readonly: readonlySchema.optional(),
  recursive: z.boolean().optional(),
  propagation: z.enum(PROPAGATIONS).optional(),
  create: z.enum(['none', 'dir', 'file']).optional(),
  ...idmapShape,
  ...flags,
  ...over,
});
const volume = z.strictObject({
  volume: volumeName,
  target,
  subpath: subpath.optional(),
  ...idmapShape,
  readonly: z.boolean().optional(),
  ...flags,
  ...over,
});
const image = z.strictObject({ image: imageSchema, target, ...imageShape, ...flags, ...over });
const tmpfs = z.strictObject({
  tmpfs: target,
  size: bytesSchema.optional(),
  inodes: boundedCount('number of files', 1, 2 ** 31).optional(),
  mode: modeSchema.optional(),
  uid: idSchema.optional(),
  gid: idSchema.optional(),
  copy_up: z.boolean().optional(),
  readonly: z.boolean().optional(),
  ...flags,
  ...over,
});
const viewFlags = { readonly: z.boolean().optional() };
const proc = z.strictObject({
  proc: target,
  hidepid: hidepid.optional(),
  subset: z.enum(['pid']).optional(),
  ...viewFlags,
});
const sysfs = z.strictObject({ sysfs: target, ...viewFlags });
const mqueue = z.strictObject({ mqueue: target, ...viewFlags });
const devpts = z.strictObject({ devpts: target });
const cgroup = z.strictObject({ cgroup: target, ...viewFlags });

const mountSchema = z.union([bind, volume, image, tmpfs, proc, sysfs, mqueue, devpts, cgroup]);
type MountInput = z.output<typeof mountSchema>;

export const mountsShape = {
  mounts: z.array(mountSchema).max(200).optional(),
  shm_size: bytesSchema.optional(),
};

export interface MountsPart {
  /** As declared. */
  readonly mounts: readonly MountSpec[];
  /** Size of /dev/shm in bytes. */
  readonly shmSize: number;
}

const VIEWS = ['proc', 'sysfs', 'mqueue', 'devpts', 'cgroup'] as const;
/** Views that only show unless the stack says otherwise. */
const READONLY_VIEWS: readonly string[] = ['sysfs', 'cgroup'];

function mountSpec(input: MountInput, resolvePath: (path: string) => string): MountSpec {
  const given: FlagsInput = 'nosuid' in input || 'nodev' in input || 'noexec' in input ? input : {};
  const overProc = 'over_proc' in input && input.over_proc === true;
  const written: FlagsInput = { nosuid: given.nosuid, nodev: given.nodev, noexec: given.noexec };
  if ('bind' in input) {
    return {
      kind: 'bind',
      source: resolvePath(input.bind),
      target: input.target,
      readonly: input.readonly ?? false,
      flags: written,
      overProc,
      recursive: input.recursive ?? true,
      propagation: input.propagation ?? 'rprivate',
      create: input.create ?? 'auto',
      idmap: mountIds(input.idmap),
    };
  }
  if ('volume' in input) {
    const { volume: name, readonly = false } = input;
    return {
      kind: 'volume',
      volume: name,
      target: input.target,
      subpath: input.subpath ?? '',
      idmap: mountIds(input.idmap),
      readonly,
      flags: written,
      overProc,
    };
  }
  if ('image' in input) {
    return {
      kind: 'image',
      use: imageUse(input, resolvePath),
      found: null,
      target: input.target,
      readonly: true,
      flags: written,
      overProc,
    };
  }
  if ('tmpfs' in input) {
    return {
      kind: 'tmpfs',
      target: input.tmpfs,
      size: input.size ?? null,
      inodes: input.inodes ?? null,
      mode: input.mode ?? 0o1777,
      uid: input.uid ?? 0,
      gid: input.gid ?? 0,
      copyUp: input.copy_up ?? false,
      readonly: input.readonly ?? false,
      flags: written,
      overProc,
    };
  }
  const kind = VIEWS.find((v) => v in input) ?? 'proc';
  const view = input as Partial<Record<(typeof VIEWS)[number], string>> & { hidepid?: HidePid; subset?: 'pid' };
  return {
    kind,
    target: view[kind] ?? '',
    readonly: (input as { readonly?: boolean }).readonly ?? READONLY_VIEWS.includes(kind),
    flags: {},
    overProc: kind === 'proc',
    hidepid: view.hidepid ?? 'off',
    subset: view.subset ?? null,
  };
}

/** Mounts and shm_size with defaults filled in. */
export function mountsPart(
  input: z.output<z.ZodObject<typeof mountsShape>>,
  resolvePath: (path: string, ...at: readonly (string | number)[]) => string,
): MountsPart {
  return {
    mounts: (input.mounts ?? []).map((m, i) =>
      mountSpec(m, (path) => resolvePath(path, 'mounts', i, 'image' in m ? 'image' : 'bind')),
    ),
    shmSize: input.shm_size ?? DEFAULT_SHM,
  };
}

/** Whether `path` is `above` or below it. */
export function isBelow(path: string, above: string): boolean {
  return path === above || path.startsWith(above === '/' ? '/' : `${above}/`);
}
