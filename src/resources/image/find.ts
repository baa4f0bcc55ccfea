/** From a reference to an image: which manifest, which layers, verified as far as the plan reads. Reads only. */
import { createHash } from 'node:crypto';
import { TsboxError } from '../../errors.ts';
import { sha256, type ImageFiles } from '../../kernel/image-files.ts';
import { layerDirectory, type LayerSource } from '../../kernel/layer-store.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import {
  blobName,
  nestedIndex,
  readConfig,
  readIndex,
  readManifest,
  readSaved,
  savedFile,
  verifiedBlob,
  type Descriptor,
  type ImageConfig,
} from './documents.ts';
import { platformOf, referenceText, type ImageReference, type Platform } from './reference.ts';

export interface FoundImage {
  /** Of the manifest; of the configuration for `docker save`, of the file for a plain archive. */
  readonly digest: string;
  readonly config: ImageConfig | null;
  /** The lowest first. */
  readonly layers: readonly LayerSource[];
  /** Bytes of its blobs. */
  readonly size: number;
  /** Manifest and configuration, to be kept beside the layers. */
  readonly documents: ReadonlyMap<string, Buffer>;
}

/** Annotation of an index's line: the name of what it leads to. */
export const REF_NAME = 'org.opencontainers.image.ref.name';
const INDEX = /(image\.index\.v1|manifest\.list\.v2)\+json$/;
const LAYER =
  /^application\/vnd\.(oci\.image\.layer\.(nondistributable\.)?v1\.tar(\+gzip|\+zstd)?|docker\.image\.rootfs\.(foreign\.)?diff\.tar(\.gzip|\.zstd)?)$/;
const DEPTH = 4;

/** What a reference to one's own store is called there. */
export function storedName(reference: ImageReference, { os, architecture, variant }: Platform): string {
  const digest = reference.digest === null ? '' : `@${reference.digest}`;
  return `${referenceText(reference)}${digest} ${os}/${architecture}${variant === null ? '' : `/${variant}`}`;
}

export function imagesDirectory(stateDir: string): string {
  return `${stateDir}/images`;
}

/**
 * Finds an image.
 * @returns undefined when it has to be fetched first
 * @throws TsboxError TSB1010
 */
export function findImage(
  reader: KernelReader,
  reference: ImageReference,
  platform: Platform | null,
): FoundImage | undefined {
  const wanted = platform ?? platformOf(reader.arch);
  // Whoever names a platform takes what it leads to.
  const expected = platform === null ? wanted.architecture : null;
  switch (reference.transport) {
    case 'docker': {
      const files = reader.imageDirectory(imagesDirectory(reader.settings.stateDir));
      if (files.file('index.json') === undefined) {
        return undefined;
      }
      const name = storedName(reference, wanted);
      const descriptor = readIndex(files).find((d) => d.annotations?.[REF_NAME] === name);
      return descriptor === undefined ? undefined : imageOf(files, descriptor, expected);
    }
    case 'oci':
    case 'oci-archive': {
      const files =
        reference.transport === 'oci' ? reader.imageDirectory(reference.name) : reader.imageArchive(reference.name);
      return imageOf(files, choose(files, reference, wanted), expected);
    }
    case 'docker-archive':
      return savedImage(reader.imageArchive(reference.name), reference);
  }
}

function matches(platform: Platform, found: Descriptor['platform']): boolean {
  return (
    found === undefined ||
    (found.os === platform.os &&
      found.architecture === platform.architecture &&
      (platform.variant === null || found.variant === platform.variant))
  );
}

/** The one manifest that is meant. */
function choose(files: ImageFiles, reference: ImageReference, wanted: Platform): Descriptor {
  const all = readIndex(files);
  const { tag, digest } = reference;
  const named = tag === null ? all : all.filter((d) => d.annotations?.[REF_NAME] === tag);
  const candidates = digest === null ? named : named.filter((d) => d.digest === digest || isIndex(d));
  const found = candidates
    .flatMap((d) => manifests(files, d, digest, DEPTH))
    .filter((d) => matches(wanted, d.platform));
  const distinct = [...new Map(found.map((d) => [d.digest, d])).values()];
  if (distinct.length === 1) {
    return distinct[0] as Descriptor;
  }
  const what = `${files.where}: ${distinct.length === 0 ? 'no' : 'more than one'} image`;
  const which = `${tag === null ? '' : ` '${tag}'`}${digest === null ? '' : ` ${digest}`} for ${wanted.os}/${wanted.architecture}`;
  const tags = [...new Set(all.flatMap((d) => d.annotations?.[REF_NAME] ?? []))].slice(0, 12);
  throw new TsboxError('TSB1010', what + which, {
    hint: tags.length === 0 ? 'it has no tags: name a digest' : `its tags: ${tags.join(', ')}`,
  });
}

function isIndex(d: Descriptor): boolean {
  return INDEX.test(d.mediaType ?? '');
}

/** Manifests that a descriptor leads to, through indexes in indexes. */
function manifests(files: ImageFiles, d: Descriptor, digest: string | null, depth: number): Descriptor[] {
  if (!isIndex(d)) {
    return digest === null || d.digest === digest ? [d] : [];
  }
  if (depth === 0) {
    throw new TsboxError('TSB1010', `${files.where}: indexes stand in each other more than ${DEPTH} deep`);
  }
  const inner = d.digest === digest ? null : digest;
  return nestedIndex(files, d).flatMap((n) => manifests(files, n, inner, depth - 1));
}

/** @param architecture the only one that will do */
function imageOf(files: ImageFiles, descriptor: Descriptor, architecture: string | null): FoundImage {
  const manifest = readManifest(files, descriptor);
  const configBytes = verifiedBlob(files, manifest.config);
  const config = readConfig(configBytes, files.where);
  if (architecture !== null && config.architecture !== undefined && config.architecture !== architecture) {
    throw new TsboxError('TSB1010', `${files.where}: the image is for ${config.architecture}, not ${architecture}`, {
      hint: 'if this machine can run it, say so by platform',
    });
  }
  const { diff_ids: diffIds } = config.rootfs;
  if (diffIds.length !== manifest.layers.length) {
    throw new TsboxError('TSB1010', `${files.where}: ${manifest.layers.length} layers, but ${diffIds.length} diff ids`);
  }
  let chain: string | null = null;
  const layers = manifest.layers.map((layer, i): LayerSource => {
    if (!LAYER.test(layer.mediaType ?? '')) {
      throw new TsboxError(
        'TSB1010',
        `${files.where}: layer ${layer.digest} is of an unknown kind: ${layer.mediaType}`,
      );
    }
    chain = chained(chain, diffIds[i] as string);
    const range = files.file(blobName(layer.digest));
    if (range !== undefined && range.size !== layer.size) {
      throw new TsboxError(
        'TSB1010',
        `${files.where}: layer ${layer.digest} has ${range.size} bytes instead of ${layer.size}`,
      );
    }
    return {
      what: `layer ${layer.digest}`,
      range,
      digest: layer.digest,
      diffId: diffIds[i] as string,
      key: hex(chain),
    };
  });
  return {
    digest: descriptor.digest,
    config,
    layers,
    size: manifest.layers.reduce((sum, l) => sum + l.size, manifest.config.size + descriptor.size),
    documents: new Map([
      [descriptor.digest, verifiedBlob(files, descriptor)],
      [manifest.config.digest, configBytes],
    ]),
  };
}

/** `docker save`: layers are named by files, and vouched for by the configuration's diff ids. */
function savedImage(files: ImageFiles, { tag }: ImageReference): FoundImage {
  const all = readSaved(files);
  const found = tag === null ? all : all.filter((i) => i.RepoTags?.some((t) => t === tag || t.endsWith(`:${tag}`)));
  const [image] = found;
  if (image === undefined || found.length > 1) {
    const tags = all.flatMap((i) => i.RepoTags ?? []).join(', ');
    throw new TsboxError(
      'TSB1010',
      `${files.where}: ${found.length === 0 ? 'no' : 'more than one'} image '${tag ?? ''}'`,
      {
        hint: `its tags: ${tags}`,
      },
    );
  }
  const bytes = savedFile(files, image.Config);
  const config = readConfig(bytes, files.where);
  const digest = sha256(bytes);
  if (!image.Config.includes(digest.slice(7)) || config.rootfs.diff_ids.length !== image.Layers.length) {
    throw new TsboxError('TSB1010', `${files.where}: ${image.Config} is damaged or forged`);
  }
  let chain: string | null = null;
  const layers = image.Layers.map((name, i): LayerSource => {
    const diffId = config.rootfs.diff_ids[i] as string;
    chain = chained(chain, diffId);
    return { what: `layer ${name}`, range: files.file(name), digest: null, diffId, key: hex(chain) };
  });
  const size = layers.reduce((sum, l) => sum + (l.range?.size ?? 0), bytes.length);
  return { digest, config, layers, size, documents: new Map([[digest, bytes]]) };
}

/** Names of an image's unpacked layers, the lowest first. */
export function chainKeys(diffIds: readonly string[]): string[] {
  let chain: string | null = null;
  return diffIds.map((diffId) => hex((chain = chained(chain, diffId))));
}

/** config.md, "Layer ChainID". */
function chained(below: string | null, diffId: string): string {
  return below === null ? diffId : `sha256:${createHash('sha256').update(`${below} ${diffId}`).digest('hex')}`;
}

function hex(digest: string): string {
  return digest.slice('sha256:'.length);
}

/** Directories of the unpacked layers, the topmost first. */
export function layerDirectories(stateDir: string, found: FoundImage): string[] {
  return found.layers.map((l) => layerDirectory(stateDir, l.key)).reverse();
}
