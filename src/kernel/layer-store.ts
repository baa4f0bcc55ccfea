/**
 * Unpacked layers below the state directory: `layers/sha256/KEY`, complete or not there.
 *
 * A layer is made as `layers/partial/KEY/root` and renamed when it is whole, verified and on disk. The directory above
 * it carries the lock: an apply that dies leaves nothing that is taken for a layer, and of two at once one waits.
 */
import { closeSync, existsSync, fsyncSync, lstatSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import type { Native } from '../../native/index.d.ts';
import { errnoOf, TsboxError } from '../errors.ts';
import { decompressed } from './decompress.ts';
import { Meter, streamRange, type FileRange } from './image-files.ts';
import { LayerWriter, refusedEntry, type LayerLimits } from './layer-writer.ts';
import { TarFormatError } from './tar/header.ts';
import { TarParser } from './tar/parser.ts';

export interface LayerSource {
  /** For messages: the layer's digest, or the archive's path. */
  readonly what: string;
  /** Undefined when the blob is not there any more; then the layer has to be unpacked already. */
  readonly range: FileRange | undefined;
  /** Of the data as it lies there; null where nothing says. */
  readonly digest: string | null;
  /** Of the tar archive behind the compression; null where nothing says. */
  readonly diffId: string | null;
  /** The name among unpacked layers, 64 hex digits: the chain id, which stands for everything below as well. */
  readonly key: string;
}

export function layerDirectory(stateDir: string, key: string): string {
  return `${stateDir}/layers/sha256/${key}`;
}

/** A directory of ours that nobody else can write, made if missing. Layers hold setuid programs. */
export function privateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const stat = lstatSync(path);
  if (!stat.isDirectory() || stat.uid !== process.geteuid?.() || (stat.mode & 0o022) !== 0) {
    throw new TsboxError('TSB1010', `${path} is not a directory that only this user can write`, {
      hint: 'remove it, or set TSBOX_STATE_DIR to another place',
    });
  }
}

/** More than this, and this many times what it was packed, is a bomb and no layer. */
const RATIO_FROM = 256 * 2 ** 20;
const RATIO = 250;

export interface Unpacked {
  readonly entries: number;
  readonly bytes: number;
}

/**
 * Unpacks a layer unless it is there.
 * @param lowers directories of the layers below, the topmost first
 * @returns what was unpacked, undefined when it was there already
 */
export async function unpackLayer(
  native: Native,
  stateDir: string,
  source: LayerSource,
  lowers: readonly string[],
  limits?: LayerLimits,
): Promise<Unpacked | undefined> {
  const final = layerDirectory(stateDir, source.key);
  if (existsSync(final)) {
    return undefined;
  }
  const partial = `${stateDir}/layers/partial/${source.key}`;
  for (const path of [stateDir, `${stateDir}/layers`, `${stateDir}/layers/sha256`, `${stateDir}/layers/partial`]) {
    privateDirectory(path);
  }
  const lock = await lockPartial(native, partial);
  try {
    if (existsSync(final)) {
      return undefined;
    }
    const root = `${partial}/root`;
    rmSync(root, { recursive: true, force: true });
    mkdirSync(root, { mode: 0o755 });
    const done = await unpack(native, root, source, lowers, limits);
    await native.syncTree(root);
    renameSync(root, final);
    syncDirectory(`${stateDir}/layers/sha256`);
    return done;
  } finally {
    // Also when another has unpacked it: whoever waits makes the directory anew.
    rmSync(partial, { recursive: true, force: true });
    native.close(lock);
  }
}

async function lockPartial(native: Native, partial: string): Promise<number> {
  for (;;) {
    mkdirSync(partial, { recursive: true, mode: 0o700 });
    const fd = native.lockDir(partial);
    if (fd >= 0) {
      const held = native.fstat(fd);
      const now = native.stats([partial])[0];
      if (typeof held === 'object' && typeof now === 'object' && held.ino === now.ino) {
        return fd;
      }
      // Whoever had it has finished and removed the directory.
      native.close(fd);
    } else {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function unpack(
  native: Native,
  root: string,
  source: LayerSource,
  lowers: readonly string[],
  limits?: LayerLimits,
): Promise<Unpacked> {
  const { what, range } = source;
  if (range === undefined) {
    throw new TsboxError('TSB1010', `${what}: the layer is neither unpacked nor there to be`);
  }
  const packed = new Meter();
  const plain = new Meter();
  const writer = new LayerWriter(native, root, what, limits);
  const parser = new TarParser(writer);
  try {
    for await (const chunk of plain.through(decompressed(packed.through(streamRange(range))))) {
      parser.push(chunk);
      await writer.flush();
      if (Math.max(plain.bytes, writer.bytes) > Math.max(RATIO_FROM, RATIO * packed.bytes)) {
        throw refusedEntry(what, '', `it grows to more than ${RATIO} times its size`);
      }
    }
    parser.finish();
  } catch (error) {
    // What had been handed over must not go on writing into what is about to be removed.
    await writer.settle();
    throw packed.bytes > 0 && isDataError(error) ? broken(what, error as Error) : error;
  }
  await writer.finish(lowers);
  for (const [expected, found, of] of [
    [source.digest, packed.digest(), 'digest'],
    [source.diffId, plain.digest(), 'diff id'],
  ]) {
    if (expected !== null && expected !== found) {
      throw new TsboxError('TSB3010', `${what}: its ${of} is ${found}, not ${expected}: it is damaged or forged`);
    }
  }
  return { entries: writer.entries, bytes: writer.bytes };
}

function isDataError(error: unknown): boolean {
  return error instanceof TarFormatError || /^Z_/.test(errnoOf(error));
}

function broken(what: string, error: Error): TsboxError {
  return new TsboxError('TSB3010', `${what}: ${error.message}`, { cause: error });
}

function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  fsyncSync(fd);
  closeSync(fd);
}
