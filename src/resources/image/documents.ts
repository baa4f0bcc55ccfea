/** The documents of an image: index, manifest, configuration (image-spec image-index.md, manifest.md, config.md). */
import * as z from 'zod';
import { sha256, type ImageFiles } from '../../kernel/image-files.ts';
import { TsboxError } from '../../errors.ts';

const digestSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const mapSchema = z.record(z.string(), z.string());

const descriptorSchema = z.object({
  mediaType: z.string().max(255).optional(),
  digest: digestSchema,
  size: z.number().int().min(0),
  platform: z.object({ os: z.string(), architecture: z.string(), variant: z.string().optional() }).optional(),
  annotations: mapSchema.optional(),
});
export type Descriptor = z.output<typeof descriptorSchema>;

const indexSchema = z.object({ manifests: z.array(descriptorSchema).max(1000) });
const manifestSchema = z.object({ config: descriptorSchema, layers: z.array(descriptorSchema).max(500) });

const words = z.array(z.string()).nullish();
const configSchema = z.object({
  os: z.string().optional(),
  architecture: z.string().optional(),
  variant: z.string().optional(),
  rootfs: z.object({ type: z.literal('layers'), diff_ids: z.array(digestSchema) }),
  config: z
    .object({
      Entrypoint: words,
      Cmd: words,
      Env: words,
      User: z.string().nullish(),
      WorkingDir: z.string().nullish(),
      StopSignal: z.string().nullish(),
      Volumes: z.record(z.string(), z.unknown()).nullish(),
      Labels: mapSchema.nullish(),
    })
    .nullish(),
});
export type ImageConfig = z.output<typeof configSchema>;

const savedSchema = z
  .array(z.object({ Config: z.string(), RepoTags: words, Layers: z.array(z.string()).max(500) }))
  .max(1000);

function parsed<T>(schema: z.ZodType<T>, bytes: Uint8Array, what: string): T {
  let data: unknown;
  try {
    data = JSON.parse(Buffer.from(bytes).toString());
  } catch (cause) {
    throw new TsboxError('TSB1010', `${what} is not JSON`, { cause });
  }
  const result = schema.safeParse(data);
  if (!result.success) {
    const issue = result.error.issues[0];
    throw new TsboxError('TSB1010', `${what}: ${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? ''}`);
  }
  return result.data;
}

function fileOf(files: ImageFiles, name: string): Buffer {
  const range = files.file(name);
  if (range === undefined) {
    throw new TsboxError('TSB1010', `${files.where}: ${name} is not there`);
  }
  return files.read(range);
}

export function blobName(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

/** A small blob that is what its descriptor says, to the byte. */
export function verifiedBlob(files: ImageFiles, { digest, size }: Pick<Descriptor, 'digest' | 'size'>): Buffer {
  const bytes = fileOf(files, blobName(digest));
  if (bytes.length !== size || sha256(bytes) !== digest) {
    const found = bytes.length === size ? sha256(bytes) : `${bytes.length} bytes instead of ${size}`;
    throw new TsboxError('TSB1010', `${files.where}: blob ${digest} is damaged or forged: it has ${found}`);
  }
  return bytes;
}

export function readIndex(files: ImageFiles): readonly Descriptor[] {
  return parsed(indexSchema, fileOf(files, 'index.json'), `${files.where}: index.json`).manifests;
}

export function nestedIndex(files: ImageFiles, descriptor: Descriptor): readonly Descriptor[] {
  return parsed(indexSchema, verifiedBlob(files, descriptor), `${files.where}: index ${descriptor.digest}`).manifests;
}

export function readManifest(files: ImageFiles, descriptor: Descriptor): z.output<typeof manifestSchema> {
  return parsed(manifestSchema, verifiedBlob(files, descriptor), `${files.where}: manifest ${descriptor.digest}`);
}

export function readConfig(bytes: Uint8Array, where: string): ImageConfig {
  return parsed(configSchema, bytes, `${where}: the configuration`);
}

/** manifest.json of `docker save`. */
export function readSaved(files: ImageFiles): z.output<typeof savedSchema> {
  return parsed(savedSchema, fileOf(files, 'manifest.json'), `${files.where}: manifest.json`);
}

export function savedFile(files: ImageFiles, name: string): Buffer {
  return fileOf(files, name);
}

/** What an image of a store consists of, by its manifest or, for one of `docker save`, its configuration. */
export interface ImageParts {
  /** Bytes of all of it as packed; null where only the configuration is known. */
  readonly size: number | null;
  readonly diffIds: readonly string[];
  readonly config: ImageConfig;
  /** Digests of what it leads to. */
  readonly blobs: readonly string[];
}

export function imageParts(files: ImageFiles, digest: string): ImageParts {
  const bytes = fileOf(files, blobName(digest));
  const what = `${files.where}: ${digest}`;
  const { rootfs } = parsed(z.object({ rootfs: z.unknown().optional() }), bytes, what);
  if (rootfs !== undefined) {
    const config = readConfig(bytes, what);
    return { size: null, diffIds: config.rootfs.diff_ids, config, blobs: [] };
  }
  const { config: descriptor, layers } = parsed(manifestSchema, bytes, what);
  const config = readConfig(verifiedBlob(files, descriptor), what);
  return {
    size: [descriptor, ...layers].reduce((sum, part) => sum + part.size, bytes.length),
    diffIds: config.rootfs.diff_ids,
    config,
    blobs: [descriptor, ...layers].map((part) => part.digest),
  };
}
