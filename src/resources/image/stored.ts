/** What an image of the store consists of, by the documents that are kept beside its layers. */
import { TsboxError } from '../../errors.ts';
import type { ImageFiles } from '../../kernel/image-files.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import { blobName, imageParts, type ImageConfig } from './documents.ts';
import { chainKeys, imagesDirectory } from './find.ts';

export interface Parts {
  readonly size: number | null;
  readonly layers: readonly string[];
  readonly blobs: readonly string[];
}

function storeFiles(reader: KernelReader): ImageFiles {
  return reader.imageDirectory(imagesDirectory(reader.settings.stateDir));
}

/** What an image of the store consists of, by its documents; a plain archive has none and is its one layer. */
export function partsOf(reader: KernelReader, digest: string, size: number | undefined): Parts {
  const files = storeFiles(reader);
  if (files.file(blobName(digest)) === undefined) {
    return { size: size ?? null, layers: [digest.slice('sha256:'.length)], blobs: [] };
  }
  const parts = imageParts(files, digest);
  return {
    size: parts.size ?? size ?? null,
    layers: chainKeys(parts.diffIds),
    blobs: [digest, ...parts.blobs],
  };
}

/** Names of the unpacked layers of an image, the lowest first; none when its documents are not there or not sound. */
export function storedLayers(reader: KernelReader, digest: string): readonly string[] {
  if (!/^sha256:[0-9a-f]{64}$/.test(digest)) {
    return [];
  }
  try {
    return partsOf(reader, digest, undefined).layers;
  } catch (error) {
    if (error instanceof TsboxError && error.code === 'TSB1010') {
      return [];
    }
    throw error;
  }
}

/** The configuration of an image, as it says of itself; undefined when it is not there or not sound. */
export function storedConfig(reader: KernelReader, digest: string): ImageConfig | undefined {
  const files = storeFiles(reader);
  try {
    return files.file(blobName(digest)) === undefined ? undefined : imageParts(files, digest).config;
  } catch (error) {
    if (error instanceof TsboxError && error.code === 'TSB1010') {
      return undefined;
    }
    throw error;
  }
}
