/**
 * A tar archive read piece by piece, without a stream per entry: layers hold tens of thousands of small files.
 *
 * Written here because hostile archives are its ordinary input: every header is bounded, and sparse files (GNU's old
 * form and the three of pax) are taken apart. Sinks decide what is allowed.
 */
import { BLOCK, decodeHeader, isZero, number, paxRecords, paxTime, TarFormatError, type RawHeader } from './header.ts';
import { sparseFromBlock, sparseFromPairs, type Segment } from './sparse.ts';

export type EntryType = 'file' | 'dir' | 'symlink' | 'link' | 'char' | 'block' | 'fifo';

/** Names are bytes, one a character. */
export interface TarEntry {
  readonly path: string;
  readonly type: EntryType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly time: { readonly sec: number; readonly nsec: number };
  /** Length of the file, holes included. */
  readonly size: number;
  readonly link: string;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

export interface TarSink {
  entry(entry: TarEntry): void;
  /** Bytes of the last entry at an offset of the file; valid during the call only. */
  data(bytes: Buffer, offset: number): void;
  /** The last entry has all its bytes. */
  end(): void;
}

export const LIMITS = {
  /** Bytes of one extended header or long name. */
  extended: 1024 * 1024,
  /** Pieces of a sparse file. */
  segments: 100_000,
} as const;

const TYPES: Readonly<Record<string, EntryType>> = {
  '0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'dir',
  '6': 'fifo',
};

type State = 'header' | 'extended' | 'sparse-block' | 'sparse-map' | 'data' | 'ended';

export class TarParser {
  readonly #sink: TarSink;
  #state: State = 'header';
  /** Bytes kept until a block or an extended header is whole. */
  #kept: Buffer[] = [];
  #missing = BLOCK;
  /** Bytes of the entry's body, and of the padding behind it. */
  #body = 0;
  #padding = 0;
  #raw: RawHeader | undefined;
  #pax = new Map<string, Buffer>();
  #sparsePairs: number[] = [];
  #global = new Map<string, Buffer>();
  #longName: string | undefined;
  #longLink: string | undefined;
  #segments: Segment[] = [];
  #segment = 0;
  #within = 0;
  #realSize = 0;
  #mapText = '';
  #zeros = 0;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  /** Takes the next bytes of the archive. Throws TarFormatError. */
  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && this.#state !== 'ended';) {
      if (this.#state === 'data') {
        at += this.#takeData(chunk, at);
        continue;
      }
      const take = Math.min(this.#missing, chunk.length - at);
      this.#kept.push(chunk.subarray(at, at + take));
      this.#missing -= take;
      at += take;
      if (this.#missing > 0) {
        // The chunk is its owner's to reuse.
        this.#kept[this.#kept.length - 1] = Buffer.from(this.#kept.at(-1) as Buffer);
        return;
      }
      const whole = this.#kept.length === 1 ? (this.#kept[0] as Buffer) : Buffer.concat(this.#kept);
      this.#kept = [];
      this.#whole(whole);
    }
  }

  /** To be called after the last bytes. Throws TarFormatError when the archive is cut short. */
  finish(): void {
    // Some archivers leave the end mark out; what is begun must be whole all the same.
    const between = this.#state === 'header' && this.#missing === BLOCK && this.#pax.size === 0;
    if (this.#state !== 'ended' && !(between && this.#longName === undefined)) {
      throw new TarFormatError('the archive is cut short');
    }
  }

  #expect(state: State, bytes: number): void {
    this.#state = state;
    this.#missing = bytes;
  }

  #whole(block: Buffer): void {
    switch (this.#state) {
      case 'header':
        return this.#header(block);
      case 'extended':
        return this.#extended(block);
      case 'sparse-block':
        return this.#sparseBlock(block);
      case 'sparse-map':
        return this.#sparseMap(block);
      case 'data':
      case 'ended':
    }
  }

  #header(block: Buffer): void {
    this.#missing = BLOCK;
    if (isZero(block)) {
      this.#zeros++;
      if (this.#zeros === 2) {
        this.#state = 'ended';
      }
      return;
    }
    this.#zeros = 0;
    const raw = decodeHeader(block);
    if ('xgLK'.includes(raw.type)) {
      if (raw.size < 0 || raw.size > LIMITS.extended) {
        throw new TarFormatError(`an extended header of ${raw.size} bytes is longer than ${LIMITS.extended}`);
      }
      this.#raw = raw;
      this.#body = raw.size;
      this.#expect('extended', Math.ceil(raw.size / BLOCK) * BLOCK);
      if (raw.size === 0) {
        this.#extended(Buffer.alloc(0));
      }
      return;
    }
    this.#raw = { ...raw, block: Buffer.from(block) };
    this.#begin();
  }

  #extended(padded: Buffer): void {
    const body = padded.subarray(0, this.#body);
    const type = this.#raw?.type;
    if (type === 'L' || type === 'K') {
      const text = body.toString('latin1', 0, body.indexOf(0) < 0 ? body.length : body.indexOf(0));
      if (type === 'L') {
        this.#longName = text;
      } else {
        this.#longLink = text;
      }
    } else {
      const target = type === 'g' ? this.#global : this.#pax;
      for (const [key, value] of paxRecords(body)) {
        if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') {
          this.#sparsePairs.push(decimal(value));
        } else {
          target.set(key, Buffer.from(value));
        }
        if (type === 'g' && /^(path|linkpath|size|GNU\.sparse\..*)$/.test(key)) {
          throw new TarFormatError(`a global header sets ${key} of every entry`);
        }
      }
      if (this.#sparsePairs.length > 2 * LIMITS.segments) {
        throw new TarFormatError('a sparse file has too many pieces');
      }
    }
    this.#expect('header', BLOCK);
  }

  #text(key: string): string | undefined {
    return (this.#pax.get(key) ?? this.#global.get(key))?.toString('latin1');
  }

  #begin(): void {
    const raw = this.#raw as RawHeader;
    const size = this.#pax.get('size');
    const body = size === undefined ? raw.size : decimal(size);
    if (body < 0) {
      throw new TarFormatError('an entry has a negative size');
    }
    const type = TYPES[raw.type];
    if (type === undefined) {
      throw new TarFormatError(`an entry is of the unknown type '${raw.type}'`);
    }
    // A link's or a directory's size says nothing about bytes that follow.
    this.#body = type === 'file' ? body : 0;
    this.#padding = -this.#body & (BLOCK - 1);
    this.#segments = [{ offset: 0, length: this.#body }];
    this.#realSize = this.#body;
    const major = this.#text('GNU.sparse.major');
    const realSize = this.#text('GNU.sparse.realsize') ?? this.#text('GNU.sparse.size');
    if (raw.type === 'S') {
      this.#realSize = number(raw.block, 483, 12);
      this.#segments = sparseFromBlock(raw.block, 386, 4);
      if (raw.block[482] === 1) {
        this.#expect('sparse-block', BLOCK);
        return;
      }
    } else if (realSize !== undefined) {
      this.#realSize = decimal(Buffer.from(realSize, 'latin1'));
      const map = this.#text('GNU.sparse.map');
      if (major === '1') {
        this.#mapText = '';
        this.#expect('sparse-map', BLOCK);
        return;
      }
      this.#segments = sparseFromPairs(
        map === undefined ? this.#sparsePairs : map === '' ? [] : map.split(',').map((n) => decimal(Buffer.from(n))),
      );
    }
    this.#announce();
  }

  #sparseBlock(block: Buffer): void {
    this.#segments.push(...sparseFromBlock(block, 0, 21));
    if (this.#segments.length > LIMITS.segments) {
      throw new TarFormatError('a sparse file has too many pieces');
    }
    if (block[504] === 1) {
      this.#expect('sparse-block', BLOCK);
    } else {
      this.#announce();
    }
  }

  /** The map stands before the data, as decimal lines: the number of pieces, then offset and length of each. */
  #sparseMap(block: Buffer): void {
    this.#body -= BLOCK;
    this.#mapText += block.toString('latin1');
    if (this.#body < 0 || this.#mapText.length > LIMITS.extended) {
      throw new TarFormatError('the map of a sparse file does not fit');
    }
    const lines = this.#mapText.split('\n');
    const count = lines.length > 1 ? decimal(Buffer.from(lines[0] ?? '')) : undefined;
    if (count !== undefined && count > LIMITS.segments) {
      throw new TarFormatError('a sparse file has too many pieces');
    }
    if (count === undefined || lines.length - 1 < 1 + 2 * count) {
      this.#expect('sparse-map', BLOCK);
      return;
    }
    this.#segments = sparseFromPairs(lines.slice(1, 1 + 2 * count).map((n) => decimal(Buffer.from(n))));
    this.#announce();
  }

  #announce(): void {
    const raw = this.#raw as RawHeader;
    const total = this.#segments.reduce((sum, s) => sum + s.length, 0);
    const fits = this.#segments.every((s) => s.offset + s.length <= this.#realSize);
    if (total !== this.#body || !fits) {
      throw new TarFormatError('the pieces of a sparse file do not fit its size');
    }
    const name = this.#text('GNU.sparse.name') ?? this.#text('path') ?? this.#longName ?? raw.name;
    const type = TYPES[raw.type] as EntryType;
    const mtime = this.#text('mtime');
    const id = (key: string, own: number): number => {
      const text = this.#pax.get(key) ?? this.#global.get(key);
      return text === undefined ? own : decimal(text);
    };
    const xattrs = new Map<string, Buffer>();
    for (const [key, value] of [...this.#global, ...this.#pax]) {
      if (key.startsWith(XATTR)) {
        xattrs.set(key.slice(XATTR.length), value);
      }
    }
    this.#sink.entry({
      path: name,
      // Before ustar a directory was a file whose name ends in a slash.
      type: type === 'file' && name.endsWith('/') && this.#realSize === 0 ? 'dir' : type,
      mode: raw.mode & 0o7777,
      uid: id('uid', raw.uid),
      gid: id('gid', raw.gid),
      time: mtime === undefined ? { sec: raw.mtime, nsec: 0 } : paxTime(mtime),
      size: this.#realSize,
      link: this.#text('linkpath') ?? this.#longLink ?? raw.link,
      major: raw.major,
      minor: raw.minor,
      xattrs,
    });
    this.#pax = new Map();
    this.#sparsePairs = [];
    this.#longName = this.#longLink = undefined;
    this.#segment = this.#within = 0;
    this.#state = 'data';
    this.#finishData();
  }

  /** Hands on data or skips padding; returns how many bytes of the chunk were used. */
  #takeData(chunk: Buffer, at: number): number {
    if (this.#body === 0) {
      const skip = Math.min(this.#padding, chunk.length - at);
      this.#padding -= skip;
      this.#finishData();
      return skip;
    }
    const segment = this.#segments[this.#segment] as Segment;
    const take = Math.min(segment.length - this.#within, chunk.length - at);
    if (take > 0) {
      this.#sink.data(chunk.subarray(at, at + take), segment.offset + this.#within);
    }
    this.#within += take;
    this.#body -= take;
    if (this.#within === segment.length) {
      this.#segment++;
      this.#within = 0;
    }
    this.#finishData();
    return take;
  }

  #finishData(): void {
    if (this.#body === 0 && this.#padding === 0) {
      this.#sink.end();
      this.#expect('header', BLOCK);
    }
  }
}

const XATTR = 'SCHILY.xattr.';

function decimal(value: Buffer): number {
  const text = value.toString('latin1');
  const result = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(result)) {
    throw new TarFormatError('an extended header field is not a number');
  }
  return result;
}
