/** Compressed layers and archives, told by their first bytes: media types are sometimes wrong. */
import { pipeline } from 'node:stream';
import * as zlib from 'node:zlib';
import { TsboxError } from '../errors.ts';
import { throughProgram } from './programs.ts';

export type Compression = 'none' | 'gzip' | 'zstd' | 'xz';

const MAGIC: ReadonlyArray<readonly [Compression | 'bzip2', readonly number[]]> = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['bzip2', [0x42, 0x5a, 0x68]],
];

/** The compression of data that begins so. Throws TSB1010 for one that is known and not supported. */
export function compressionOf(start: Uint8Array): Compression {
  const found = MAGIC.find(([, magic]) => magic.every((byte, i) => start[i] === byte))?.[0] ?? 'none';
  if (found === 'bzip2') {
    throw new TsboxError('TSB1010', 'bzip2 archives are not supported', { hint: 'compress it with gzip, zstd or xz' });
  }
  return found;
}

const CHUNK = 256 * 1024;

/** The data behind the compression. */
export async function* decompressed(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const iterator = source[Symbol.asyncIterator]();
  let first = await iterator.next();
  // Enough for the longest mark.
  while (first.done !== true && first.value.length < 6) {
    const more = await iterator.next();
    if (more.done === true) {
      break;
    }
    first = { done: false, value: Buffer.concat([first.value, more.value]) };
  }
  const start = first.done === true ? Buffer.alloc(0) : first.value;
  async function* whole(): AsyncGenerator<Buffer> {
    yield start;
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      yield next.value;
    }
  }
  switch (compressionOf(start)) {
    case 'none':
      yield* whole();
      return;
    case 'gzip':
      yield* throughStream(zlib.createGunzip({ chunkSize: CHUNK }), whole());
      return;
    case 'zstd':
      yield* throughProgram('zstd', ['-dcq'], whole(), 'apt install zstd');
      return;
    case 'xz':
      yield* throughProgram('xz', ['-dcq'], whole(), 'apt install xz-utils');
  }
}

async function* throughStream(stream: zlib.Gunzip, source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let failure: Error | null | undefined;
  pipeline(source, stream, (error) => (failure = error));
  try {
    for await (const chunk of stream) {
      yield chunk as Buffer;
    }
  } catch (error) {
    throw failure ?? error;
  }
}
