/** Tar headers: ustar, GNU and pax (tar(5) of libarchive; POSIX.1-2017, pax; GNU tar's tar.h). */

export const BLOCK = 512;

/** One header block, numbers decoded, nothing checked but the checksum. Text is bytes, one a character. */
export interface RawHeader {
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly type: string;
  readonly link: string;
  readonly major: number;
  readonly minor: number;
  readonly gnu: boolean;
  readonly block: Buffer;
}

/** What is wrong with an archive as such. */
export class TarFormatError extends Error {}

/** NUL-terminated text of a field. */
function text(block: Buffer, at: number, size: number): string {
  const end = block.indexOf(0, at);
  return block.toString('latin1', at, end < 0 || end > at + size ? at + size : end);
}

/** Octal digits, or GNU's base 256 where the first bit is set: a two's complement number of 63 or 95 bits. */
export function number(block: Buffer, at: number, size: number): number {
  const first = block[at] ?? 0;
  if ((first & 0x80) === 0) {
    const digits = text(block, at, size).trim();
    if (digits !== '' && !/^[0-7]+$/.test(digits)) {
      throw new TarFormatError('a header field is not a number');
    }
    return digits === '' ? 0 : parseInt(digits, 8);
  }
  const negative = (first & 0x40) !== 0;
  let value = BigInt(negative ? first | ~0xff : first & 0x3f);
  for (let i = at + 1; i < at + size; i++) {
    value = value * 256n + BigInt(block[i] ?? 0);
  }
  const result = Number(value);
  if (!Number.isSafeInteger(result)) {
    throw new TarFormatError('a header field is out of range');
  }
  return result;
}

/** Sum of all bytes with the field itself as spaces; old archivers added them as signed ones. */
function checksumFits(block: Buffer): boolean {
  let unsigned = 0;
  let signed = 0;
  for (let i = 0; i < BLOCK; i++) {
    const byte = i >= 148 && i < 156 ? 32 : (block[i] ?? 0);
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  const digits = text(block, 148, 8).trim();
  const stored = /^[0-7]+$/.test(digits) ? parseInt(digits, 8) : -1;
  return stored === unsigned || stored === signed;
}

const ZEROS = Buffer.alloc(BLOCK);

export function isZero(block: Buffer): boolean {
  return block.equals(ZEROS);
}

/** Decodes a header block. Throws TarFormatError. */
export function decodeHeader(block: Buffer): RawHeader {
  if (!checksumFits(block)) {
    throw new TarFormatError('a header has a wrong checksum: it is no tar archive, or damaged');
  }
  const magic = block.toString('latin1', 257, 263);
  const prefix = magic === 'ustar\0' ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    mode: number(block, 100, 8),
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    size: number(block, 124, 12),
    mtime: number(block, 136, 12),
    type: block[156] === 0 ? '0' : String.fromCharCode(block[156] ?? 0),
    link: text(block, 157, 100),
    major: number(block, 329, 8),
    minor: number(block, 337, 8),
    gnu: magic === 'ustar ',
    block,
  };
}

/** Records 'LENGTH KEY=VALUE\n' of a pax header, in order. Throws TarFormatError. */
export function paxRecords(body: Buffer): Array<readonly [key: string, value: Buffer]> {
  const records: Array<readonly [string, Buffer]> = [];
  for (let at = 0; at < body.length;) {
    const space = body.indexOf(0x20, at);
    const length = space < 0 || space - at > 10 ? Number.NaN : Number(body.toString('latin1', at, space));
    const equals = space < 0 ? -1 : body.indexOf(0x3d, space);
    const end = at + length;
    if (!Number.isInteger(length) || equals < 0 || end > body.length || equals >= end || body[end - 1] !== 0x0a) {
      throw new TarFormatError('an extended header is malformed');
    }
    records.push([body.toString('latin1', space + 1, equals), body.subarray(equals + 1, end - 1)]);
    at = end;
  }
  return records;
}

/** '1700000000.123456789' as seconds and nanoseconds. */
export function paxTime(value: string): { sec: number; nsec: number } {
  const match = /^(-?\d{1,15})(?:\.(\d*))?$/.exec(value);
  if (match === null) {
    throw new TarFormatError('a time is not a number');
  }
  const nsec = Number((match[2] ?? '').slice(0, 9).padEnd(9, '0'));
  const sec = Number(match[1]);
  // The fraction of a negative time counts back from it.
  return value.startsWith('-') && nsec > 0 ? { sec: sec - 1, nsec: 1e9 - nsec } : { sec, nsec };
}
