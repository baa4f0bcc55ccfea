/** What an image of the store consists of, by the documents that are kept beside its layers. */
import { TsboxError } from '../../errors.ts';
import { directoryFiles } from '../../kernel/image-files.ts';
import { blobName, imageParts, type ImageConfig } from './documents.ts';
import { chainKeys, imagesDirectory } from './find.ts';

export interface Parts {
  readonly size: number | null;
  readonly layers: readonly string[];
  readonly blobs: readonly string[];
}

/** What an image of the store consists of, by its documents; a plain archive has none and is its one layer. */
export function partsOf(stateDir: string, digest: string, size: number | undefined): Parts {
  const files = directoryFiles(imagesDirectory(stateDir));
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
export function storedLayers(stateDir: string, digest: string): readonly string[] {
  if (!/^sha256:[0-9a-f]{64}$/.test(digest)) {
    return [];
  }
  try {
    return partsOf(stateDir, digest, undefined).layers;
  } catch (error) {
    if (error instanceof TsboxError && error.code === 'TSB1010') {
      return [];
    }
    throw error;
  }
}

/** The configuration of an image, as it says of itself; undefined when it is not there or not sound. */
export function storedConfig(stateDir: string, digest: string): ImageConfig | undefined {
  const files = directoryFiles(imagesDirectory(stateDir));
  try {
    return files.file(blobName(digest)) === undefined ? undefined : imageParts(files, digest).config;
  } catch (error) {
    if (error instanceof TsboxError && error.code === 'TSB1010') {
      return undefined;
    }
    throw error;
  }
}
