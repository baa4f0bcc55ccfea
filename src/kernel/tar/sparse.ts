/** Maps of sparse files (GNU tar manual, "Storing Sparse Files"). */
import { number, TarFormatError } from './header.ts';

export interface Segment {
  readonly offset: number;
  readonly length: number;
}

/** Pieces in an old GNU header or its extension: twelve digits of offset and of length each, ended by an empty one. */
export function sparseFromBlock(block: Buffer, at: number, count: number): Segment[] {
  const pairs: number[] = [];
  for (let i = 0; i < count && block[at + i * 24] !== 0; i++) {
    pairs.push(number(block, at + i * 24, 12), number(block, at + i * 24 + 12, 12));
  }
  return sparseFromPairs(pairs);
}

/** Pieces from alternating offsets and lengths; they must not overlap or run backwards. */
export function sparseFromPairs(pairs: readonly number[]): Segment[] {
  const segments: Segment[] = [];
  let end = 0;
  for (let i = 0; i < pairs.length; i += 2) {
    const [offset = 0, length] = [pairs[i], pairs[i + 1]];
    if (length === undefined || offset < end || length < 0) {
      throw new TarFormatError('the pieces of a sparse file overlap');
    }
    end = offset + length;
    segments.push({ offset, length });
  }
  return segments;
}
