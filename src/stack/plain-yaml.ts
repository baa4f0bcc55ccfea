/**
 * A reader for the plain part of YAML that stacks are mostly written in, several times as fast as the full library,
 * whose start-up alone would be most of a plan's time. It gives the tree that parse.ts would, or nothing: anything it
 * is not sure of (errors, block scalars, escapes, tags, values over several lines …) is left to the library, so it
 * never reports an error of its own. A property test holds the two together.
 */
import type { Place, SourceFile } from './source.ts';
import { listTree, mapTree, scalarTree } from './tree.ts';
import type { Entry, MapTree, ScalarTree, Tree } from './tree.ts';

/** Larger files are read by the library, which counts as it goes. */
const LENGTH_LIMIT = 300_000;

/** Unwinds to readPlain: not plain. */
const NOT_PLAIN = Symbol('not plain');

/** Outside of these (tabs, carriage returns, controls, surrogates, byte order marks) the library decides. */
const UNUSUAL = /[^\n\x20-\x7e\u00a0-\u1fff\u2070-\ud7ff\uf900-\ufdcf\uff01-\uffef]/;

const KEY = /(?:[A-Za-z0-9_.\/<][A-Za-z0-9_.\/<-]{0,99}|"[^"\\\n]{1,100}"|'[^'\n]{1,100}')(?=:(?: |\n|$))/y;
const DOUBLE_QUOTED = /"[^"\\\n]*"/y;
const SINGLE_QUOTED = /'(?:[^'\n]|'')*'/y;
const ANCHOR = /&([A-Za-z0-9_-]{1,100})(?= |\n)/y;
const ALIAS = /\*([A-Za-z0-9_-]{1,100})(?=[ \n,\]}]|$)/y;
/** Not begun by an indicator; `-` only before what is neither a space nor the end of a flow item. */
const BLOCK_PLAIN = /(?:[^\s,[\]{}#&*!|>'"%@`?:-]|-(?=[^\s,[\]{}]))[^\n]*/y;
const FLOW_PLAIN = /(?:[^\s,[\]{}#&*!|>'"%@`?:-]|-(?=[^\s,[\]{}]))[^\n,[\]{}]*/y;
const COLON_ENDS = /:(?: |$)/;
const REST_OF_LINE = / *(?: #[^\n]*)?(?=\n|$)/y;

interface Reading {
  readonly file: SourceFile;
  readonly text: string;
  readonly forbidden: (key: string) => boolean;
  readonly merge: (entries: Map<string, Entry>, source: Tree) => boolean;
  readonly depthLimit: number;
  readonly anchors: Map<string, Tree>;
  at: number;
}

export interface PlainOptions {
  /** Keys that are errors. */
  readonly forbidden: (key: string) => boolean;
  /** Adds what `<<` names; false when it cannot. */
  readonly merge: (entries: Map<string, Entry>, source: Tree) => boolean;
  readonly depthLimit: number;
  readonly sizeLimit: number;
}

/** The tree of a file, or undefined when the library must look at it. */
export function readPlain(file: SourceFile, options: PlainOptions): MapTree | undefined {
  const { text } = file;
  if (text.length > LENGTH_LIMIT || UNUSUAL.test(text)) {
    return undefined;
  }
  const reading: Reading = { file, text, anchors: new Map(), at: 0, forbidden: options.forbidden, merge: options.merge, depthLimit: options.depthLimit };
  try {
    if (nextContent(reading) !== 0) {
      return undefined;
    }
    const tree = blockMap(reading, 0, 1);
    return reading.at < text.length || tree.size > options.sizeLimit || tree.depth > options.depthLimit ? undefined : tree;
  } catch (error) {
    if (error === NOT_PLAIN) {
      return undefined;
    }
    throw error;
  }
}

function match(reading: Reading, pattern: RegExp): RegExpExecArray | null {
  pattern.lastIndex = reading.at;
  return pattern.exec(reading.text);
}

function place(reading: Reading, start: number): Place {
  return { file: reading.file, start, end: reading.at };
}

/** Goes to the first character of the next line with content and returns its indentation; -1 at the end of the file. */
function nextContent(reading: Reading): number {
  const { text } = reading;
  for (;;) {
    const start = reading.at;
    let at = start;
    while (text[at] === ' ') {
      at++;
    }
    if (at >= text.length) {
      reading.at = text.length;
      return -1;
    }
    if (text[at] !== '\n' && text[at] !== '#') {
      reading.at = at;
      // Document markers and directives.
      if (at === start && (text.startsWith('---', at) || text.startsWith('...', at) || text[at] === '%')) {
        throw NOT_PLAIN;
      }
      return at - start;
    }
    const end = text.indexOf('\n', at);
    reading.at = end < 0 ? text.length : end + 1;
  }
}

/** What may follow a value on its line: nothing or a comment. Goes to the next line. */
function endLine(reading: Reading): void {
  const rest = match(reading, REST_OF_LINE);
  if (rest === null) {
    throw NOT_PLAIN;
  }
  reading.at += rest[0].length + 1;
}

/** Indentation of the next content without going there. */
function peekIndent(reading: Reading): number {
  const before = reading.at;
  const indent = nextContent(reading);
  reading.at = before;
  return indent;
}

/** A map whose first key is at reading.at, at this column. */
function blockMap(reading: Reading, column: number, level: number): MapTree {
  const start = reading.at;
  const entries = new Map<string, Entry>();
  const merged: Tree[] = [];
  for (;;) {
    const key = keyHere(reading, entries);
    const tree = blockValue(reading, column, level, key.place);
    if (key.text === '<<') {
      merged.push(tree);
    } else {
      entries.set(key.text, { key: key.place, tree });
    }
    const indent = peekIndent(reading);
    if (indent < column) {
      break;
    }
    nextContent(reading);
    if (indent > column) {
      throw NOT_PLAIN;
    }
  }
  return withMerged(reading, mapTree(place(reading, start), entries), entries, merged);
}

/** A map with `<<` is made again, for its size. */
function withMerged(reading: Reading, tree: MapTree, entries: Map<string, Entry>, merged: readonly Tree[]): MapTree {
  if (merged.length === 0) {
    return tree;
  }
  if (merged.length > 1 || !merged.every((source) => reading.merge(entries, source))) {
    throw NOT_PLAIN;
  }
  return mapTree(tree.place, entries);
}

/** A key and its colon. */
function keyHere(reading: Reading, entries: ReadonlyMap<string, Entry>): { readonly text: string; readonly place: Place } {
  const found = match(reading, KEY)?.[0];
  if (found === undefined) {
    throw NOT_PLAIN;
  }
  const start = reading.at;
  reading.at += found.length;
  const text = found[0] === '"' || found[0] === "'" ? found.slice(1, -1) : found;
  // A quoted << is a name like any other.
  if (entries.has(text) || reading.forbidden(text) || (text !== found && text === '<<') || (text !== found && !/^[\x20-\x7e]+$/.test(text))) {
    throw NOT_PLAIN;
  }
  const key = { text, place: place(reading, start) };
  reading.at++;
  return key;
}

/** The value after a key's colon, to the end of its last line. `column` is that of the map. */
function blockValue(reading: Reading, column: number, level: number, key: Place): Tree {
  skipSpaces(reading);
  const anchor = anchorHere(reading);
  let tree: Tree;
  if (match(reading, REST_OF_LINE) !== null) {
    endLine(reading);
    tree = nested(reading, column, level) ?? emptyValue(key, anchor);
  } else {
    tree = inlineValue(reading, column, level);
    endLine(reading);
    if (peekIndent(reading) > column) {
      throw NOT_PLAIN;
    }
  }
  remember(reading, anchor, tree);
  return tree;
}

function emptyValue(key: Place, anchor: string | undefined): ScalarTree {
  if (anchor !== undefined) {
    throw NOT_PLAIN;
  }
  return scalarTree(key, null);
}

/** A map or list on the lines below; undefined when there is none. A list may stand at its key's own column. */
function nested(reading: Reading, column: number, level: number): Tree | undefined {
  const indent = peekIndent(reading);
  const before = reading.at;
  if (indent < column) {
    return undefined;
  }
  nextContent(reading);
  const isList = reading.text[reading.at] === '-' && reading.text[reading.at + 1] === ' ';
  if (indent === column && !isList) {
    reading.at = before;
    return undefined;
  }
  checkDepth(reading, level + 1);
  return isList ? blockList(reading, indent, level + 1) : blockMap(reading, indent, level + 1);
}

/** Items at this column, the first `- ` at reading.at. */
function blockList(reading: Reading, column: number, level: number): Tree {
  const start = reading.at;
  const items: Tree[] = [];
  for (;;) {
    if (reading.text[reading.at] !== '-' || reading.text[reading.at + 1] !== ' ') {
      throw NOT_PLAIN;
    }
    const dash = reading.at;
    reading.at += 2;
    skipSpaces(reading);
    items.push(blockItem(reading, column + (reading.at - dash), column, level));
    const indent = peekIndent(reading);
    if (indent < column) {
      break;
    }
    const before = reading.at;
    nextContent(reading);
    if (indent > column) {
      throw NOT_PLAIN;
    }
    if (reading.text[reading.at] !== '-') {
      // The next key of the map whose value this list is.
      reading.at = before;
      break;
    }
  }
  return listTree(place(reading, start), items);
}

/** An item that begins at reading.at, in this column. */
function blockItem(reading: Reading, column: number, listColumn: number, level: number): Tree {
  if (match(reading, KEY) !== null) {
    checkDepth(reading, level + 1);
    return blockMap(reading, column, level + 1);
  }
  const anchor = anchorHere(reading);
  if (anchor !== undefined && match(reading, KEY) !== null) {
    throw NOT_PLAIN;
  }
  const tree = inlineValue(reading, listColumn, level);
  endLine(reading);
  if (peekIndent(reading) > listColumn) {
    throw NOT_PLAIN;
  }
  remember(reading, anchor, tree);
  return tree;
}

function checkDepth(reading: Reading, level: number): void {
  if (level > reading.depthLimit) {
    throw NOT_PLAIN;
  }
}

function skipSpaces(reading: Reading): void {
  while (reading.text[reading.at] === ' ') {
    reading.at++;
  }
}

function anchorHere(reading: Reading): string | undefined {
  const found = reading.text[reading.at] === '&' ? match(reading, ANCHOR) : undefined;
  if (found === undefined) {
    return undefined;
  }
  // An anchor given twice would make "the last before the alias" depend on the order of ends.
  if (found === null || reading.anchors.has(found[1] as string)) {
    throw NOT_PLAIN;
  }
  reading.at += found[0].length;
  skipSpaces(reading);
  return found[1];
}

function remember(reading: Reading, anchor: string | undefined, tree: Tree): void {
  if (anchor !== undefined) {
    if (reading.anchors.has(anchor)) {
      throw NOT_PLAIN;
    }
    reading.anchors.set(anchor, tree);
  }
}

/** A value within a line, or a flow list or map that may go on below, indented more than `column`. */
function inlineValue(reading: Reading, column: number, level: number, flow = false): Tree {
  const first = reading.text[reading.at];
  if (first === '[' || first === '{') {
    checkDepth(reading, level + 1);
    return first === '[' ? flowList(reading, column, level + 1) : flowMap(reading, column, level + 1);
  }
  if (first === '*') {
    const tree = reading.anchors.get(match(reading, ALIAS)?.[1] ?? '');
    if (tree === undefined || level + tree.depth > reading.depthLimit) {
      throw NOT_PLAIN;
    }
    reading.at += (match(reading, ALIAS)?.[0] ?? '').length;
    return tree;
  }
  return scalarHere(reading, flow);
}

function scalarHere(reading: Reading, flow: boolean): ScalarTree {
  const start = reading.at;
  const first = reading.text[start];
  if (first === '"' || first === "'") {
    const found = match(reading, first === '"' ? DOUBLE_QUOTED : SINGLE_QUOTED)?.[0];
    if (found === undefined) {
      throw NOT_PLAIN;
    }
    reading.at += found.length;
    const inside = found.slice(1, -1);
    return scalarTree(place(reading, start), first === '"' ? inside : inside.replaceAll("''", "'"));
  }
  let found = match(reading, flow ? FLOW_PLAIN : BLOCK_PLAIN)?.[0];
  if (found === undefined) {
    throw NOT_PLAIN;
  }
  const comment = found.indexOf(' #');
  found = (comment < 0 ? found : found.slice(0, comment)).trimEnd();
  if (COLON_ENDS.test(found)) {
    throw NOT_PLAIN;
  }
  reading.at += found.length;
  return plainScalar(place(reading, start), found);
}

/** The YAML 1.2 core schema. */
function plainScalar(at: Place, text: string): ScalarTree {
  if (!/^[-+.0-9~nNtTfF]/.test(text)) {
    return scalarTree(at, text);
  }
  if (/^(?:~|null|Null|NULL)$/.test(text)) {
    return scalarTree(at, null);
  }
  if (/^(?:true|True|TRUE|false|False|FALSE)$/.test(text)) {
    return scalarTree(at, text[0] === 't' || text[0] === 'T', text);
  }
  if (/^[-+]?(?:[0-9]+|(?:\.[0-9]+|[0-9]+\.[0-9]*))$/.test(text)) {
    return scalarTree(at, Number(text), text);
  }
  // Octal, hexadecimal, exponents, infinities.
  if (/^(?:0o|0x|[-+]?\.?[0-9]+(?:\.[0-9]*)?[eE]|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$)/.test(text)) {
    throw NOT_PLAIN;
  }
  return scalarTree(at, text);
}

/** Past spaces, ends of lines and comments inside brackets; lines must be indented more than the map around them. */
function skipFlow(reading: Reading, column: number): void {
  const { text } = reading;
  for (;;) {
    skipSpaces(reading);
    const here = text[reading.at];
    if (here === '#' && text[reading.at - 1] !== ' ') {
      throw NOT_PLAIN;
    }
    if (here !== '\n' && here !== '#') {
      return;
    }
    endLine(reading);
    const indent = nextContent(reading);
    if (indent <= column) {
      throw NOT_PLAIN;
    }
  }
}

function flowList(reading: Reading, column: number, level: number): Tree {
  const start = reading.at++;
  const items: Tree[] = [];
  skipFlow(reading, column);
  if (reading.text[reading.at] !== ']') {
    do {
      skipFlow(reading, column);
      items.push(inlineValue(reading, column, level, true));
    } while (moreFlow(reading, column, ']'));
  }
  reading.at++;
  return listTree(place(reading, start), items);
}

function flowMap(reading: Reading, column: number, level: number): Tree {
  const start = reading.at++;
  const entries = new Map<string, Entry>();
  const merged: Tree[] = [];
  skipFlow(reading, column);
  if (reading.text[reading.at] !== '}') {
    do {
      skipFlow(reading, column);
      const key = keyHere(reading, entries);
      if (reading.text[reading.at] !== ' ') {
        throw NOT_PLAIN;
      }
      skipSpaces(reading);
      const tree = inlineValue(reading, column, level, true);
      if (key.text === '<<') {
        merged.push(tree);
      } else {
        entries.set(key.text, { key: key.place, tree });
      }
    } while (moreFlow(reading, column, '}'));
  }
  reading.at++;
  return withMerged(reading, mapTree(place(reading, start), entries), entries, merged);
}

/** True past a comma; false before the closing bracket. */
function moreFlow(reading: Reading, column: number, close: string): boolean {
  skipFlow(reading, column);
  if (reading.text[reading.at] === ',') {
    reading.at++;
    return true;
  }
  if (reading.text[reading.at] !== close) {
    throw NOT_PLAIN;
  }
  return false;
}
