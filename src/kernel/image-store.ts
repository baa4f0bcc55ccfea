/**
 * The store below the state directory: `images/` is an OCI layout of what was fetched and of the documents of whatever
 * was unpacked; `layers/` holds the layers. Whoever uses it holds a shared lock.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import type { Native } from '../../native/index.d.ts';
import { errnoOf, TsboxError } from '../errors.ts';
import { signatureFile } from './image-files.ts';
import { layerDirectory, privateDirectory, unpackLayer, type LayerSource, type Unpacked } from './layer-store.ts';
import { runProgram } from './programs.ts';
import { replaceFile, type Replacement } from './replace-file.ts';

const REF_NAME = 'org.opencontainers.image.ref.name';

const KEPT: Replacement = { mode: 0o600, durable: true };

/** A line of the store's index. */
export interface StoredImage {
  readonly mediaType?: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Fetch {
  /** docker://… as skopeo takes it. */
  readonly source: string;
  readonly platform: { readonly os: string; readonly architecture: string; readonly variant: string | null } | null;
  readonly tlsVerify: boolean;
  /** Its name in the store's index. */
  readonly name: string;
}

/** The store's index, empty when there is none. */
export function storedImages(stateDir: string): StoredImage[] {
  try {
    const text = readFileSync(`${stateDir}/images/index.json`, 'utf8');
    return (JSON.parse(text) as { manifests: StoredImage[] }).manifests;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error))) {
      return [];
    }
    throw new TsboxError('TSB1010', `${stateDir}/images/index.json cannot be read: ${(error as Error).message}`);
  }
}

let fetches = 0;

export class ImageStore {
  readonly #native: Native;
  readonly #stateDir: string;
  #shared: number | undefined;

  constructor(native: Native, stateDir: string) {
    this.#native = native;
    this.#stateDir = stateDir;
  }

  /** Keeps others from pruning until this process ends. */
  async use(): Promise<void> {
    for (const path of [this.#stateDir, `${this.#stateDir}/layers`, `${this.#stateDir}/images`]) {
      privateDirectory(path);
    }
    this.#shared ??= await this.#lock(`${this.#stateDir}/layers`, true, 60_000);
  }

  /**
   * Does something while nobody uses the store.
   * @throws TsboxError TSB3004 while an apply does
   */
  async alone<T>(timeoutMs: number, work: () => Promise<T>): Promise<T> {
    for (const path of [this.#stateDir, `${this.#stateDir}/layers`, `${this.#stateDir}/images`]) {
      privateDirectory(path);
    }
    const lock = await this.#lock(`${this.#stateDir}/layers`, false, timeoutMs);
    try {
      return await work();
    } finally {
      this.#native.close(lock);
    }
  }

  /** Takes lines out of the index. */
  async forget(gone: (image: StoredImage) => boolean): Promise<void> {
    await this.#change((all) => all.filter((i) => !gone(i)));
  }

  unpack(source: LayerSource, lowers: readonly string[]): Promise<Unpacked | undefined> {
    return unpackLayer(this.#native, this.#stateDir, source, lowers);
  }

  directory(key: string): string {
    return layerDirectory(this.#stateDir, key);
  }

  /** Fetches an image by skopeo, which leaves out the blobs that are there. */
  async fetch({ source, platform, tlsVerify, name }: Fetch): Promise<void> {
    const images = `${this.#stateDir}/images`;
    const staging = `${images}/fetch-${process.pid}-${fetches++}`;
    const variant = platform?.variant ?? null;
    try {
      await runProgram(
        'skopeo',
        [
          'copy',
          '--quiet',
          ...(platform === null ? [] : ['--override-os', platform.os, '--override-arch', platform.architecture]),
          ...(variant === null ? [] : ['--override-variant', variant]),
          ...(tlsVerify ? [] : ['--src-tls-verify=false']),
          '--dest-shared-blob-dir',
          `${images}/blobs`,
          source,
          `oci:${staging}:image`,
        ],
        `${source} is fetched by skopeo: apt install skopeo; what it needs to log in is its own (skopeo login)`,
      );
      const index = JSON.parse(readFileSync(`${staging}/index.json`, 'utf8')) as { manifests: StoredImage[] };
      const [found] = index.manifests;
      if (found === undefined) {
        throw new TsboxError('TSB3009', `skopeo left no image of ${source}`);
      }
      await this.record(name, found, new Map());
    } finally {
      rmSync(staging, { recursive: true, force: true });
    }
  }

  /** Writes an image's line and small documents. */
  async record(
    name: string,
    image: Pick<StoredImage, 'digest' | 'size' | 'mediaType'>,
    documents: ReadonlyMap<string, Buffer>,
  ): Promise<void> {
    const images = `${this.#stateDir}/images`;
    mkdirSync(`${images}/blobs/sha256`, { recursive: true, mode: 0o700 });
    for (const [digest, bytes] of documents) {
      const path = `${images}/blobs/${digest.replace(':', '/')}`;
      if (!existsSync(path)) {
        replaceFile(path, bytes, KEPT);
      }
    }
    const entry: StoredImage = { ...image, annotations: { [REF_NAME]: name } };
    await this.#change((all) => [...all.filter((i) => i.annotations[REF_NAME] !== name), entry]);
  }

  /** Remembers the digest of a file, so that a plan need not read it again. */
  remember(path: string, signature: string, digest: string): void {
    privateDirectory(`${this.#stateDir}/images/files`);
    replaceFile(signatureFile(this.#stateDir, path), `${signature}\n${digest}`, KEPT);
  }

  async #change(edit: (all: StoredImage[]) => StoredImage[]): Promise<void> {
    const images = `${this.#stateDir}/images`;
    const lock = await this.#lock(images, false, 60_000);
    try {
      replaceFile(`${images}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}', KEPT);
      replaceFile(
        `${images}/index.json`,
        JSON.stringify({
          schemaVersion: 2,
          mediaType: 'application/vnd.oci.image.index.v1+json',
          manifests: edit(storedImages(this.#stateDir)),
        }),
        KEPT,
      );
    } finally {
      this.#native.close(lock);
    }
  }

  async #lock(directory: string, shared: boolean, timeoutMs: number): Promise<number> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const fd = this.#native.lockDir(directory, shared);
      if (fd >= 0) {
        return fd;
      }
      if (Date.now() >= deadline) {
        throw new TsboxError('TSB3004', `${directory} is in use by another tsbox`, { hint: 'wait for it to end' });
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
