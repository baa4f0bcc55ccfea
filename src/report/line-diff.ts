/** Two versions of a file as a unified diff. */
import { createTwoFilesPatch } from 'diff';

export function lineDiff(name: string, before: string, after: string): string {
  return createTwoFilesPatch(name, name, before, after, '', '', { context: 3 }).replace(/^=+\n/, '');
}
