/** "Did you mean": the nearest of some known words by Damerau–Levenshtein distance. */

/** Words longer than this are not compared: they cost too much and are no typing errors. */
const LONGEST = 64;

/**
 * Insertions, deletions, substitutions and swaps of neighbours between two words (optimal string alignment);
 * `limit + 1` when there are more than `limit`.
 */
export function editDistance(a: string, b: string, limit: number = Infinity): number {
  if (Math.abs(a.length - b.length) > limit) {
    return limit + 1;
  }
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(
        (last[j] as number) + 1,
        (row[j - 1] as number) + 1,
        (last[j - 1] as number) + (same ? 0 : 1),
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (before[j - 2] as number) + 1);
      }
      row.push(cost);
    }
    before = last;
    last = row;
  }
  return Math.min(last[b.length] as number, limit + 1);
}

/** The nearest known word, or undefined when none is near: up to a third of the letters may differ. Case is ignored. */
export function suggest(word: string, known: Iterable<string>): string | undefined {
  if (word.length === 0 || word.length > LONGEST) {
    return undefined;
  }
  const lower = word.toLowerCase();
  const plain = lower.replaceAll(/[-_]/g, '');
  let best: string | undefined;
  // One letter resembles any other.
  let least = word.length === 1 ? 1 : Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const other = candidate.toLowerCase();
    // camelCase, kebab-case and snake_case of the same word are the same word.
    const distance = other.replaceAll(/[-_]/g, '') === plain ? 0 : editDistance(lower, other, least);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}
