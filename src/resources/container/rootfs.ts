/** `rootfs:` of a container: what it sees as /, and where its writes go. Documentation/filesystems/overlayfs.rst. */
import * as z from 'zod';
import type { Idmap, RootOp } from '../../kernel/init-spec.ts';
import type { FoundImage } from '../image/find.ts';
import {
  parsePlatform,
  parseReference,
  referenceText,
  type ImageReference,
  type Platform,
} from '../image/reference.ts';
import { show, valueSchema, ValueError } from '../values.ts';

/** What layered roots have in common. */
interface Layered {
  readonly readonly: boolean;
  /** Directory that keeps what the container writes, absolute; null is a private layer in memory, gone with the run. */
  readonly upper: string | null;
  /** Shown with the ids of the container's user namespace; null leaves it to rootIsMapped. */
  readonly idmap: boolean | null;
  /** false: entered by chroot(2), for a root that cannot be pivoted; the old one stays mounted beneath it. */
  readonly pivot: boolean;
}

/** What the container sees as /. Means nothing when its mnt namespace is not a new one. */
export type RootfsSpec =
  /** The host's own root, always read-only. */
  | { readonly kind: 'host' }
  | ({
      readonly kind: 'dir';
      /** As written. */
      readonly dir: string;
      /** Absolute; relative ones start at the directory of the file they stand in. */
      readonly path: string;
      /** Writes go to a layer above it and the directory stays as it is. */
      readonly overlay: boolean;
    } & Layered)
  /** Several directories, the topmost first. Absolute. */
  | ({ readonly kind: 'overlay'; readonly dirs: readonly string[] } & Layered)
  /** What is in an archive, unpacked once. */
  | ({ readonly kind: 'tar'; readonly path: string; readonly found: FoundRoot | null } & Layered)
  | ({ readonly kind: 'image'; readonly use: ImageUse; readonly found: FoundRoot | null } & Layered);

export interface ImageUse {
  /** Its paths are absolute. */
  readonly reference: ImageReference;
  /** null is this machine's. */
  readonly platform: Platform | null;
  readonly pull: 'missing' | 'always' | 'never';
  readonly tlsVerify: boolean;
}

/** An archive or image as it is to be had at the moment; null in a spec is not looked for, or not there. */
export interface FoundRoot extends FoundImage {
  /** Directories of its layers, the topmost first. */
  readonly directories: readonly string[];
  /** How many of them are still to be unpacked. */
  readonly missing: number;
}

const hostSchema = valueSchema(
  (input): 'host' => {
    if (input !== 'host') {
      const hint =
        typeof input === 'string' && /[./]/.test(input) ? `for a directory write { dir: ${input} }` : undefined;
      throw new ValueError(`${show(input)} is not a root file system`, EXPECTED, hint);
    }
    return input;
  },
  { const: 'host' },
);

const EXPECTED = 'host, { dir: PATH }, { overlay: [PATH, …] }, { tar: FILE } or { image: REFERENCE }';

export const imageSchema = valueSchema(parseReference, { type: 'string' });

const pathSchema = z.string().min(1).max(4000);

/** The kernel stacks up to 500 layers (OVL_MAX_STACK). */
const MAX_LAYERS = 500;

const layersSchema = z.array(pathSchema).min(1).max(MAX_LAYERS);

/** What can be said beside the name of an image. */
export const imageShape = {
  platform: valueSchema(parsePlatform, { type: 'string' }).optional(),
  pull: z.enum(['missing', 'always', 'never']).optional(),
  tls_verify: z.boolean().optional(),
};

type ImageInput = z.output<z.ZodObject<typeof imageShape>> & { readonly image: ImageReference };

export function imageUse(input: ImageInput, resolvePath: (path: string) => string): ImageUse {
  const { image } = input;
  const name = image.transport === 'docker' ? image.name : resolvePath(image.name);
  return {
    reference: { ...image, name },
    platform: input.platform ?? null,
    pull: input.pull ?? 'missing',
    tlsVerify: input.tls_verify ?? true,
  };
}

const mapSchema = z
  .strictObject({
    dir: pathSchema.optional(),
    overlay: z.union([z.boolean(), layersSchema]).optional(),
    tar: pathSchema.optional(),
    image: imageSchema.optional(),
    ...imageShape,
    upper: pathSchema.optional(),
    readonly: z.boolean().optional(),
    idmap: z.boolean().optional(),
    pivot: z.boolean().optional(),
  })
  .superRefine((input, context) => {
    const issue = (path: string[], message: string, expected: string, at?: 'key'): void =>
      context.addIssue({ code: 'custom', path, message, params: { expected, at } });
    const { dir, overlay, tar, image } = input;
    const given = [dir !== undefined, Array.isArray(overlay), tar !== undefined, image !== undefined];
    const sources = given.filter(Boolean).length;
    if (sources === 0) {
      issue(['dir'], "'dir' is missing", EXPECTED);
    } else if (sources > 1) {
      issue([], 'a root file system has one source', EXPECTED, 'key');
    }
    for (const key of ['platform', 'pull', 'tls_verify'] as const) {
      if (input[key] !== undefined && image === undefined) {
        issue([key], `'${key}' says something of an image, and there is none`, 'image: REFERENCE beside it', 'key');
      }
    }
    if (typeof overlay === 'boolean' && dir === undefined && sources > 0) {
      issue(['overlay'], 'only a directory can be used without an overlay', 'dir: PATH beside it', 'key');
    }
    if (input.upper !== undefined && (input.readonly === true || input.overlay === false)) {
      const other = input.readonly === true ? 'readonly: true' : 'overlay: false';
      issue(['upper'], `with ${other} no writes are kept apart`, `either upper or ${other}`, 'key');
    }
  });

export const rootfsSchema = z.union([hostSchema, mapSchema]);
export type RootfsInput = z.output<typeof rootfsSchema>;

/** Fills in defaults; `resolvePath` makes the path of a key absolute. */
export function rootfsSpec(
  input: RootfsInput | undefined,
  resolvePath: (path: string, key: string) => string,
): RootfsSpec {
  if (input === undefined || input === 'host') {
    return { kind: 'host' };
  }
  const layered = {
    readonly: input.readonly ?? false,
    upper: input.upper === undefined ? null : resolvePath(input.upper, 'upper'),
    idmap: input.idmap ?? null,
    pivot: input.pivot ?? true,
  };
  if (Array.isArray(input.overlay)) {
    return { kind: 'overlay', dirs: input.overlay.map((dir) => resolvePath(dir, 'overlay')), ...layered };
  }
  if (input.tar !== undefined) {
    return { kind: 'tar', path: resolvePath(input.tar, 'tar'), found: null, ...layered };
  }
  if (input.image !== undefined) {
    const use = imageUse({ ...input, image: input.image }, (path) => resolvePath(path, 'image'));
    return { kind: 'image', use, found: null, ...layered };
  }
  const dir = input.dir ?? '.';
  return { kind: 'dir', dir, path: resolvePath(dir, 'dir'), overlay: input.overlay ?? true, ...layered };
}

/** Directories that make up the root, the topmost first. */
export function rootLayers(rootfs: RootfsSpec): readonly string[] {
  switch (rootfs.kind) {
    case 'host':
      return ['/'];
    case 'dir':
      return [rootfs.path];
    case 'overlay':
      return rootfs.dirs;
    case 'tar':
    case 'image':
      return rootfs.found?.directories ?? [];
  }
}

/** The directory that keeps its writes, which is made when it is missing. */
export function keptDirectory(rootfs: RootfsSpec): string | null {
  return rootfs.kind === 'host' ? null : rootfs.upper;
}

/** As the plan writes it. */
export function rootfsText(rootfs: RootfsSpec): string {
  if (rootfs.kind === 'host') {
    return 'host';
  }
  const how = [
    rootfs.kind === 'dir' && rootfs.overlay ? 'overlay' : '',
    rootfs.readonly ? 'read-only' : '',
    rootfs.upper === null ? '' : `writes kept in ${rootfs.upper}`,
    rootfs.pivot ? '' : 'entered by chroot',
  ].filter((w) => w !== '');
  return `${sourceText(rootfs)}${how.length === 0 ? '' : ` (${how.join(', ')})`}`;
}

/** Where it comes from, with the digest where that is known. */
export function sourceText(rootfs: Exclude<RootfsSpec, { kind: 'host' }>): string {
  switch (rootfs.kind) {
    case 'dir':
    case 'overlay':
      return `${rootfs.kind}:${rootLayers(rootfs).join(':')}`;
    case 'tar':
      return `tar:${rootfs.path}${rootfs.found === null ? '' : `@${rootfs.found.digest}`}`;
    case 'image':
      return imageText(rootfs.use, rootfs.found);
  }
}

/** An image by name, with its digest where that is known. */
export function imageText(use: ImageUse, found: FoundRoot | null): string {
  return referenceText(use.reference) + (found === null ? '' : `@${found.digest}`);
}

const OWN_IDS: Idmap = { maps: 'container', recursive: false };
const SAFE = { nosuid: true, nodev: true } as const;

/** The first operation: the root itself, for everything but the host's own. */
export function rootfsOp(rootfs: Exclude<RootfsSpec, { kind: 'host' }>, mapped: boolean): RootOp {
  const idmap = mapped ? { idmap: OWN_IDS } : {};
  if (rootfs.kind === 'dir' && !rootfs.overlay) {
    return { op: 'root-bind', source: rootfs.path, recursive: false, ...idmap, ...SAFE };
  }
  const { upper } = rootfs;
  return {
    op: 'root-overlay',
    lower: rootLayers(rootfs),
    upper: upper === null ? '' : `${upper}/upper`,
    work: upper === null ? '' : `${upper}/work`,
    ...idmap,
    ...SAFE,
  };
}
