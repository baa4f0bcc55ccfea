/** What lies in the store of images, and taking things out of it. Whoever does holds its lock alone. */
import { lstatSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { errnoOf } from '../errors.ts';

export interface StoreContents {
  /** Keys of unpacked layers. */
  readonly layers: readonly string[];
  /** Digests of stored blobs. */
  readonly blobs: readonly string[];
}

function names(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error))) {
      return [];
    }
    throw error;
  }
}

const HEX = /^[0-9a-f]{64}$/;

export function storeContents(stateDir: string): StoreContents {
  return {
    layers: names(`${stateDir}/layers/sha256`).filter((n) => HEX.test(n)),
    blobs: names(`${stateDir}/images/blobs/sha256`)
      .filter((n) => HEX.test(n))
      .map((n) => `sha256:${n}`),
  };
}

/** Bytes that a file, or a directory with everything in it, takes up on disk. Hard links below it count once. */
export function diskUsage(path: string): number {
  const seen = new Set<string>();
  const walk = (at: string): number => {
    const stat = lstatSync(at, { throwIfNoEntry: false });
    if (stat === undefined) {
      return 0;
    }
    if (stat.nlink > 1 && !stat.isDirectory()) {
      const key = `${stat.dev} ${stat.ino}`;
      if (seen.has(key)) {
        return 0;
      }
      seen.add(key);
    }
    const below = stat.isDirectory() ? readdirSync(at).reduce((sum, name) => sum + walk(`${at}/${name}`), 0) : 0;
    return stat.blocks * 512 + below;
  };
  return walk(path);
}

export interface Unneeded {
  readonly layers: readonly string[];
  readonly blobs: readonly string[];
}

/**
 * Takes layers and blobs out, and what fetches and unpackings left that did not come to their end. A layer is there or
 * it is not, never half: it is renamed first.
 * @returns directories to be removed, once the lock is given back
 */
export function takeOut(stateDir: string, { layers, blobs }: Unneeded): string[] {
  const places = [`${stateDir}/layers/removed`, `${stateDir}/layers/partial`];
  const target = `${stateDir}/layers/removed/${process.pid}-${Date.now()}`;
  const moved = layers.length > 0 || places.some((p) => names(p).length > 0);
  if (moved) {
    mkdirSync(target, { recursive: true, mode: 0o700 });
  }
  for (const key of layers) {
    renameSync(`${stateDir}/layers/sha256/${key}`, `${target}/${key}`);
  }
  for (const name of names(`${stateDir}/layers/partial`)) {
    renameSync(`${stateDir}/layers/partial/${name}`, `${target}/partial-${name}`);
  }
  for (const digest of blobs) {
    rmSync(`${stateDir}/images/blobs/${digest.replace(':', '/')}`, { force: true });
  }
  const fetches = names(`${stateDir}/images`).filter((n) => n.startsWith('fetch-'));
  // What an earlier run did not get to the end of goes too.
  return [...fetches.map((n) => `${stateDir}/images/${n}`), `${stateDir}/layers/removed`];
}

export function removeTrees(paths: readonly string[]): void {
  for (const path of paths) {
    rmSync(path, { recursive: true, force: true });
  }
}

/** Forgets the digests of files that no image is made of. */
export function forgetFiles(stateDir: string, kept: ReadonlySet<string>): void {
  for (const name of names(`${stateDir}/images/files`)) {
    const path = `${stateDir}/images/files/${name}`;
    if (!kept.has(readFileSync(path, 'utf8').split('\n')[1] ?? '')) {
      rmSync(path, { force: true });
    }
  }
}
