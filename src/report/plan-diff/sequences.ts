/** What is common to two sequences, by Myers' algorithm. Loads the diff package: imported only where it is needed. */
import { diffArrays } from 'diff';
import type { Piece } from './edits.ts';

export function sequences(before: readonly string[], after: readonly string[]): Piece[] {
  return diffArrays([...before], [...after]).map(({ added, removed, value }) => ({
    op: added ? 'add' : removed ? 'remove' : 'keep',
    items: value,
  }));
}
