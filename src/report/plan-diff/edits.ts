/** What turns one value into another, as data: the least edits under the attribute's list semantics. */
import { isList, type Attribute, type Value } from '../../resources/attribute.ts';

/** A run of items that stay, go or come. */
export interface Piece {
  readonly op: 'keep' | 'remove' | 'add';
  readonly items: readonly string[];
}

/** The longest common part of two sequences: sequences.ts. */
export type Sequences = (before: readonly string[], after: readonly string[]) => readonly Piece[];

export interface Edit {
  readonly op: 'add' | 'remove' | 'change';
  /**
   * null is the whole value. Text is a key of a map or, in a set, the item that is added, removed or changed. A number is
   * a place in an ordered list as it stands when the edits before this one are done.
   */
  readonly at: string | number | null;
  readonly before?: Value;
  readonly after?: Value;
}

type Semantics = Pick<Attribute, 'list' | 'itemKey'>;

/** Edits in the order in which they apply; none where both are the same. */
export function editsOf(
  attribute: Semantics | undefined,
  before: Value | undefined,
  after: Value | undefined,
  sequences: Sequences,
): Edit[] {
  if (before === undefined || after === undefined) {
    return before === undefined
      ? after === undefined
        ? []
        : [{ op: 'add', at: null, after }]
      : [{ op: 'remove', at: null, before }];
  }
  if (typeof before === 'string' || typeof after === 'string') {
    return before === after ? [] : [{ op: 'change', at: null, before, after }];
  }
  if (isList(before) && isList(after)) {
    return attribute?.list === 'set' ? setEdits(before, after, attribute.itemKey) : listEdits(sequences(before, after));
  }
  return isList(before) || isList(after) ? [{ op: 'change', at: null, before, after }] : mapEdits(before, after);
}

/** Items of a set by their keys; those of one key that differ are one that changed, where the key names only one. */
function setEdits(
  before: readonly string[],
  after: readonly string[],
  itemKey: (item: string) => string = (item) => item,
): Edit[] {
  const [was, is] = [new Set(before), new Set(after)];
  const gone = [...was].filter((x) => !is.has(x));
  const come = [...is].filter((x) => !was.has(x));
  const only = (items: readonly string[], key: string): string | undefined => {
    const found = items.filter((x) => itemKey(x) === key);
    return found.length === 1 ? found[0] : undefined;
  };
  const edits: Edit[] = [];
  const paired = new Set<string>();
  for (const item of gone) {
    const key = itemKey(item);
    const fresh = only(gone, key) === undefined ? undefined : only(come, key);
    if (fresh === undefined) {
      edits.push({ op: 'remove', at: item, before: item });
    } else {
      paired.add(fresh);
      edits.push({ op: 'change', at: item, before: item, after: fresh });
    }
  }
  return [...edits, ...come.filter((x) => !paired.has(x)).map((x): Edit => ({ op: 'add', at: x, after: x }))];
}

/** What goes and what comes at the same place is a change of that place. */
function listEdits(pieces: readonly Piece[]): Edit[] {
  const edits: Edit[] = [];
  let place = 0;
  for (let i = 0; i < pieces.length; i++) {
    const piece = pieces[i] as Piece;
    if (piece.op === 'keep') {
      place += piece.items.length;
      continue;
    }
    const next = pieces[i + 1];
    const other = next !== undefined && next.op !== 'keep' && next.op !== piece.op ? next.items : [];
    i += other.length === 0 ? 0 : 1;
    const [gone, come] = piece.op === 'remove' ? [piece.items, other] : [other, piece.items];
    const both = Math.min(gone.length, come.length);
    for (const [n, after] of come.entries()) {
      edits.push(
        n < both ? { op: 'change', at: place, before: gone[n] as string, after } : { op: 'add', at: place, after },
      );
      place++;
    }
    edits.push(...gone.slice(both).map((before): Edit => ({ op: 'remove', at: place, before })));
  }
  return edits;
}

function mapEdits(before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>): Edit[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return keys.flatMap((at): Edit[] => {
    const old = Object.hasOwn(before, at) ? before[at] : undefined;
    const fresh = Object.hasOwn(after, at) ? after[at] : undefined;
    if (old === fresh) {
      return [];
    }
    return old === undefined
      ? [{ op: 'add', at, after: fresh as string }]
      : [fresh === undefined ? { op: 'remove', at, before: old } : { op: 'change', at, before: old, after: fresh }];
  });
}

/** The value after the edits. The order of a set is of no meaning. */
export function applyEdits(before: Value | undefined, edits: readonly Edit[]): Value | undefined {
  let value = before;
  for (const edit of edits) {
    value = edit.at === null ? edit.after : applied(value as Exclude<Value, string>, edit);
  }
  return value;
}

function applied(value: Exclude<Value, string>, { op, at, after }: Edit): Value {
  if (!isList(value)) {
    const rest = Object.entries(value).filter(([key]) => key !== at);
    return Object.fromEntries(op === 'remove' ? rest : [...rest, [String(at), after as string]]);
  }
  const items = [...value];
  const place = typeof at === 'number' ? at : op === 'add' ? items.length : items.indexOf(at as string);
  items.splice(place, op === 'add' ? 0 : 1, ...(op === 'remove' ? [] : [after as string]));
  return items;
}
