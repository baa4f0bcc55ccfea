/** A stack file's text, and places in it. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { isUtf8 } from 'node:buffer';
import { TsboxError, whyOf } from '../errors.ts';
import type { SourceSpan } from '../errors.ts';

/** Largest stack file, bytes. */
export const FILE_LIMIT = 10_000_000;

export interface SourceFile {
  /** As given on the command line; an included file's is relative to that. */
  readonly name: string;
  /** Absolute, links resolved. */
  readonly path: string;
  /** Where relative paths in the file start, absolute. */
  readonly directory: string;
  readonly text: string;
  /** Offset of the first character of each line. */
  readonly lineStarts: readonly number[];
}

/** A range of UTF-16 offsets in a file; an empty one stands for the character at its start. */
export interface Place {
  readonly file: SourceFile;
  readonly start: number;
  readonly end: number;
}

export function sourceFile(name: string, path: string, directory: string, text: string): SourceFile {
  const lineStarts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) {
    lineStarts.push(at + 1);
  }
  return { name, path, directory, text, lineStarts };
}

/** Index of the line an offset is on, from 0. */
function lineIndex(file: SourceFile, offset: number): number {
  let low = 0;
  let high = file.lineStarts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((file.lineStarts[middle] as number) <= offset) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

/** The text of a line without its end; lines count from 1. */
export function lineText(file: SourceFile, line: number): string {
  const start = file.lineStarts[line - 1] ?? file.text.length;
  const next = file.lineStarts[line];
  const text = file.text.slice(start, next === undefined ? undefined : next - 1);
  return text.endsWith('\r') ? text.slice(0, -1) : text;
}

/** Line and column of a place; the length ends with its first line. */
export function spanOf(place: Place): SourceSpan {
  const { file } = place;
  const start = Math.min(place.start, file.text.length);
  const index = lineIndex(file, start);
  const column = start - (file.lineStarts[index] as number);
  const rest = lineText(file, index + 1).length - column;
  return {
    file: file.name,
    line: index + 1,
    column: column + 1,
    length: Math.max(1, Math.min(place.end - start, rest)),
  };
}

/** `at` and `sourceLine` of an error at the place. */
export function located(place: Place | undefined): { at?: SourceSpan; sourceLine?: string } {
  if (place === undefined) {
    return {};
  }
  const at = spanOf(place);
  return { at, sourceLine: lineText(place.file, at.line) };
}

/** Bytes of a regular file of at most FILE_LIMIT bytes. Throws TSB1001 or TSB1007; never waits on a pipe or a device. */
export function readBytes(path: string, name: string): Buffer {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const code = whyOf(error);
    const reason =
      { ENOENT: 'there is no such file', EACCES: 'permission denied', EISDIR: 'it is a directory' }[code] ?? code;
    throw new TsboxError('TSB1001', `cannot read '${name}': ${reason}`, {
      errnoCode: code,
      subject: name,
      cause: error,
    });
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) {
      const what = stat.isDirectory() ? 'it is a directory' : 'it is not a regular file';
      throw new TsboxError('TSB1001', `cannot read '${name}': ${what}`, { subject: name, expected: 'a YAML file' });
    }
    const buffer = Buffer.allocUnsafe(Math.min(stat.size, FILE_LIMIT) + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < buffer.length; length += read) {
      read = readSync(fd, buffer, length, buffer.length - length, null);
    }
    if (stat.size > FILE_LIMIT || length > FILE_LIMIT) {
      throw new TsboxError('TSB1007', `'${name}' has ${stat.size} bytes`, {
        subject: name,
        expected: `at most ${FILE_LIMIT} bytes in one file`,
      });
    }
    return buffer.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}

/** UTF-8 text of the bytes, without a byte order mark. Throws TSB1001 at the line of the first byte that is none. */
export function decode(bytes: Buffer, name: string): string {
  if (isUtf8(bytes)) {
    return new TextDecoder('utf-8').decode(bytes);
  }
  const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  let line = 1;
  let start = 0;
  let end = bytes.indexOf(0x0a);
  while (end >= 0 && isUtf8(bytes.subarray(start, end))) {
    line++;
    start = end + 1;
    end = bytes.indexOf(0x0a, start);
  }
  const text = new TextDecoder('utf-8').decode(bytes.subarray(start, end < 0 ? undefined : end));
  const column = Math.max(0, text.indexOf('\ufffd'));
  const offset = start + Buffer.byteLength(text.slice(0, column));
  throw new TsboxError(
    'TSB1001',
    `'${name}' is not UTF-8 text: byte 0x${(bytes[offset] ?? 0).toString(16).padStart(2, '0')} at offset ${offset}`,
    {
      at: { file: name, line, column: column + 1, length: 1 },
      sourceLine: text.slice(0, 1000),
      expected: 'UTF-8',
      hint: utf16 ? 'the file begins like UTF-16: save it as UTF-8' : undefined,
    },
  );
}
