/** The files of an image as they lie on disk: a directory, or a tar archive of which only the headers are read. */
import { closeSync, constants, createReadStream, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { createHash, type Hash } from 'node:crypto';
import { errnoOf, TsboxError } from '../errors.ts';
import { compressionOf } from './decompress.ts';
import { BLOCK, decodeHeader, isZero } from './tar/header.ts';

/** A stretch of a file. */
export interface FileRange {
  readonly path: string;
  readonly start: number;
  readonly size: number;
}

export interface ImageFiles {
  /** For messages. */
  readonly where: string;
  file(name: string): FileRange | undefined;
  /** The bytes of one of its small files. Throws TSB1010 when it is larger. */
  read(range: FileRange): Buffer;
}

/** Index, manifest and configuration are small; what is larger is not one. */
export const SMALL = 4 * 1024 * 1024;
const MEMBERS = 10_000;

function unusable(where: string, why: string, cause?: unknown): TsboxError {
  return new TsboxError('TSB1010', `${where}: ${why}`, { cause });
}

/** Opens a regular file; a FIFO in its place cannot hold us. */
function openRegular(path: string): { fd: number; size: number; signature: string } {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  const stat = fstatSync(fd, { bigint: true });
  if (!stat.isFile()) {
    closeSync(fd);
    throw unusable(path, 'it is no regular file');
  }
  const signature = [stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(' ');
  return { fd, size: Number(stat.size), signature };
}

function readRange(range: FileRange): Buffer {
  if (range.size > SMALL) {
    throw unusable(range.path, `${range.size} bytes are more than the ${SMALL} such a file may have`);
  }
  const { fd } = openRegular(range.path);
  try {
    const bytes = Buffer.alloc(range.size);
    const n = range.size === 0 ? 0 : readSync(fd, bytes, 0, range.size, range.start);
    return bytes.subarray(0, n);
  } finally {
    closeSync(fd);
  }
}

export function streamRange(range: FileRange): AsyncIterable<Buffer> {
  const { path, start, size } = range;
  return size === 0
    ? (async function* () {})()
    : createReadStream(path, { start, end: start + size - 1, highWaterMark: 256 * 1024 });
}

/** Image files in a directory (image-layout.md). */
export function directoryFiles(directory: string): ImageFiles {
  return {
    where: directory,
    file(name) {
      const path = `${directory}/${name}`;
      const stat = statSync(path, { throwIfNoEntry: false });
      return stat?.isFile() === true ? { path, start: 0, size: stat.size } : undefined;
    },
    read: readRange,
  };
}

const archives = new Map<string, ReadonlyMap<string, FileRange>>();

/** Image files in an uncompressed tar archive. Throws TSB1010. */
export function archiveFiles(path: string): ImageFiles {
  let opened;
  try {
    opened = openRegular(path);
  } catch (cause) {
    throw cause instanceof TsboxError ? cause : unusable(path, errnoOf(cause), cause);
  }
  try {
    const key = `${path} ${opened.signature}`;
    const members = archives.get(key) ?? scan(path, opened.fd, opened.size);
    archives.set(key, members);
    return { where: path, file: (name) => members.get(name), read: readRange };
  } finally {
    closeSync(opened.fd);
  }
}

/** Where the members of an archive lie. Links between them (docker save) are followed. */
function scan(path: string, fd: number, size: number): Map<string, FileRange> {
  const members = new Map<string, FileRange>();
  const links: Array<[string, string]> = [];
  const block = Buffer.alloc(BLOCK);
  let count = 0;
  for (let at = 0; at + BLOCK <= size;) {
    readSync(fd, block, 0, BLOCK, at);
    if (at === 0 && compressionOf(block) !== 'none') {
      throw unusable(
        path,
        'it is compressed: only its headers are read at every plan, so unpack it once (gunzip, zstd -d)',
      );
    }
    if (isZero(block)) {
      break;
    }
    let header;
    try {
      header = decodeHeader(block);
    } catch (cause) {
      throw unusable(path, (cause as Error).message, cause);
    }
    const name = header.name.replace(/^(\.\/)+/, '');
    if (header.size < 0 || ++count > MEMBERS) {
      throw unusable(path, count > MEMBERS ? `it has more than ${MEMBERS} members` : 'a member has a negative size');
    }
    if (header.type === '0' || header.type === '7') {
      members.set(name, { path, start: at + BLOCK, size: header.size });
    } else if (header.type === '2') {
      links.push([name, resolveName(name, header.link)]);
    }
    at += BLOCK + Math.ceil(header.size / BLOCK) * BLOCK;
  }
  for (const [name, target] of links) {
    const range = members.get(target);
    if (range !== undefined) {
      members.set(name, range);
    }
  }
  return members;
}

function resolveName(from: string, link: string): string {
  const parts = from.split('/').slice(0, -1);
  for (const part of link.split('/')) {
    if (part === '..') {
      parts.pop();
    } else if (part !== '' && part !== '.') {
      parts.push(part);
    }
  }
  return parts.join('/');
}

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Bytes on their way, counted and hashed. */
export class Meter {
  readonly #hash: Hash = createHash('sha256');
  bytes = 0;

  async *through(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      this.bytes += chunk.length;
      this.#hash.update(chunk);
      yield chunk;
    }
  }

  /** To be asked once, at the end. */
  digest(): string {
    return `sha256:${this.#hash.digest('hex')}`;
  }
}

/** A file's size and times: when they are the same, so is its content. Undefined when it is not there. */
export function fileSignature(path: string): { readonly size: number; readonly signature: string } | undefined {
  try {
    const { fd, size, signature } = openRegular(path);
    closeSync(fd);
    return { size, signature };
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error))) {
      return undefined;
    }
    throw error;
  }
}

/** Digest of a whole file, read in pieces. */
function fileDigest(path: string): string {
  const { fd } = openRegular(path);
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(2 ** 20);
  try {
    for (let n = readSync(fd, piece); n > 0; n = readSync(fd, piece)) {
      hash.update(piece.subarray(0, n));
    }
  } finally {
    closeSync(fd);
  }
  return `sha256:${hash.digest('hex')}`;
}

/** The digest last seen of a file that has not changed since. */
function knownDigest(stateDir: string, path: string, signature: string): string | undefined {
  try {
    const [seen, digest] = readFileSync(signatureFile(stateDir, path), 'utf8').split('\n');
    return seen === signature ? digest : undefined;
  } catch {
    // Not written, or not for us to read: the file is hashed again.
    return undefined;
  }
}

/** Where the digest of an archive is remembered, with its size and times. */
export function signatureFile(stateDir: string, path: string): string {
  return `${stateDir}/images/files/${sha256(Buffer.from(path)).slice(7)}`;
}

export interface PackedFile {
  readonly size: number;
  /** sha256:… of all of it. */
  readonly digest: string;
}

/** An archive that is no image: hashed, or as it was when its size and times were these; undefined when it is not there. */
export function packedFile(path: string, stateDir: string): PackedFile | undefined {
  const file = fileSignature(path);
  return file === undefined
    ? undefined
    : { size: file.size, digest: knownDigest(stateDir, path, file.signature) ?? fileDigest(path) };
}
