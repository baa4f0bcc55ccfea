/**
 * Texts of replicas that are the same but for their own numbers: `web-0` and `web-1` are both `web-${index}`. Numbers
 * are compared place by place, so that what is folded is exactly what each of them says.
 */

/** The texts of some replicas as one. */
export interface Fold {
  readonly indexes: readonly number[];
  /** Text and numbers in turn. */
  readonly tokens: readonly string[];
  /** Places that hold each replica's own number; undefined while there is only one replica. */
  readonly own: ReadonlySet<number> | undefined;
}

function tokensOf(text: string): string[] {
  return text.split(/(\d+)/);
}

export function foldOf(index: number, text: string): Fold {
  return { indexes: [index], tokens: tokensOf(text), own: undefined };
}

/** The fold with one more replica in it; undefined when its text says something else. */
export function folded(fold: Fold, index: number, text: string): Fold | undefined {
  const tokens = tokensOf(text);
  const first = String(fold.indexes[0]);
  if (tokens.length !== fold.tokens.length) {
    return undefined;
  }
  const own = new Set<number>();
  for (const [at, token] of tokens.entries()) {
    const before = fold.tokens[at];
    const isOwn = before === first && token === String(index);
    if (fold.own === undefined ? token !== before && !isOwn : fold.own.has(at) ? !isOwn : token !== before) {
      return undefined;
    }
    if (token !== before) {
      own.add(at);
    }
  }
  return { indexes: [...fold.indexes, index], tokens: fold.tokens, own };
}

/** What all of them say, with ${index} in place of their own numbers. */
export function foldText({ tokens, own }: Fold): string {
  return tokens.map((token, at) => (own?.has(at) === true ? '${index}' : token)).join('');
}

/** '0..3,5' */
export function indexRanges(indexes: readonly number[]): string {
  const sorted = [...indexes].sort((a, b) => a - b);
  const ranges: Array<[number, number]> = [];
  for (const index of sorted) {
    const last = ranges.at(-1);
    if (last !== undefined && index === last[1] + 1) {
      last[1] = index;
    } else {
      ranges.push([index, index]);
    }
  }
  return ranges.map(([from, to]) => (from === to ? String(from) : `${from}..${to}`)).join(',');
}
