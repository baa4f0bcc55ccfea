/**
 * The plain part of YAML, from the lexemes of `yaml` straight to a tree: maps and lists in block and flow style, scalars
 * on one line, block scalars, comments. In stacks of many containers the documents that `yaml` makes of them otherwise
 * take most of the time.
 *
 * Everything else (anchors, aliases, tags, merge and explicit keys, scalars over several lines, tabs, several documents)
 * and whatever has an error is left to parse.ts, by which a file that is plain would have been read alike.
 */
import { CST, isScalar, Schema, type ScalarTag } from 'yaml';
import {
  at,
  columnOf,
  endLine,
  expect,
  NotPlain,
  notPlain,
  openLexemes,
  skipBlank,
  skipSpace,
  step,
} from './lexemes.ts';
import type { Lexemes } from './lexemes.ts';
import type { Place, SourceFile } from './source.ts';
import { DEPTH_LIMIT, FORBIDDEN_KEYS, LONE_SURROGATE, UNSAFE_IN_NAMES, VALUE_LIMIT } from './text-rules.ts';
import { listTree, mapTree, scalarTree } from './tree.ts';
import type { Entry, MapTree, Scalar, Tree } from './tree.ts';

/** The tree of a file that is a map in plain YAML; undefined for any other. */
export function plainTree(file: SourceFile): MapTree | undefined {
  if (file.text.includes('\0') || LONE_SURROGATE.test(file.text)) {
    return undefined;
  }
  try {
    const l = openLexemes(file.text);
    skipBlank(l);
    if (l.kind === 'doc-start') {
      step(l);
      endLine(l);
      skipBlank(l);
    }
    const tree = blockMap({ file, l }, columnOf(l), 1);
    return l.kind === 'end' && tree.size <= VALUE_LIMIT ? tree : undefined;
  } catch (error) {
    if (error instanceof NotPlain) {
      return undefined;
    }
    throw error;
  }
}

interface Reading {
  readonly file: SourceFile;
  readonly l: Lexemes;
}

/** A scalar and where it stands; plain says that it may be a number, a boolean or nothing. */
interface Word {
  readonly text: string;
  readonly place: Place;
  readonly plain: boolean;
}

function deeper(level: number): void {
  if (level > DEPTH_LIMIT) {
    notPlain();
  }
}

/** A map whose first key stands here. Stops at a line that is indented less, or at the end. */
function blockMap(r: Reading, column: number, level: number): MapTree {
  return restOfMap(r, word(r), column, level);
}

/** A map whose first key has been read. */
function restOfMap(r: Reading, first: Word, column: number, level: number): MapTree {
  const { l } = r;
  deeper(level);
  const entries = new Map<string, Entry>();
  for (let key = first; ; key = word(r)) {
    skipSpace(l);
    expect(l, 'map-value-ind');
    add(entries, key, blockValue(r, column, level));
    const next = l.kind === 'end' ? -1 : columnOf(l);
    if (next < column) {
      return mapTree({ file: r.file, start: first.place.start, end: l.offset }, entries);
    }
    if (next > column) {
      notPlain();
    }
  }
}

/** What stands after the colon of a key in this column, up to the next line with content. */
function blockValue(r: Reading, column: number, level: number): Tree {
  const { l } = r;
  skipSpace(l);
  const { offset } = l;
  if (!at(l, 'newline', 'comment', 'end')) {
    return inLine(r, column, level);
  }
  endLine(l);
  const next = skipBlank(l);
  // A list may stand in the column of its key.
  return next > column || (next === column && at(l, 'seq-item-ind'))
    ? below(r, next, level + 1)
    : scalarTree({ file: r.file, start: offset, end: offset }, null);
}

function below(r: Reading, column: number, level: number): Tree {
  return at(r.l, 'seq-item-ind') ? blockList(r, column, level) : blockMap(r, column, level);
}

/** A value that begins on the line of its key or its dash, with the rest of that line. */
function inLine(r: Reading, column: number, level: number): Tree {
  const { l } = r;
  if (l.kind === 'block-scalar-header') {
    return blockScalar(r, column);
  }
  const tree = flowValue(r, level + 1);
  endLine(l);
  skipBlank(l);
  return tree;
}

/** A list whose first dash stands here. Stops where no dash stands in its column. */
function blockList(r: Reading, column: number, level: number): Tree {
  const { l, file } = r;
  deeper(level);
  const { offset } = l;
  const items: Tree[] = [];
  while (at(l, 'seq-item-ind') && columnOf(l) === column) {
    step(l);
    items.push(blockItem(r, column, level));
  }
  if (l.kind !== 'end' && columnOf(l) > column) {
    notPlain();
  }
  return listTree({ file, start: offset, end: l.offset }, items);
}

/** What stands after a dash in this column. */
function blockItem(r: Reading, column: number, level: number): Tree {
  const { l } = r;
  skipSpace(l);
  if (at(l, 'newline', 'comment', 'end')) {
    endLine(l);
    const next = skipBlank(l);
    return next > column ? below(r, next, level + 1) : notPlain();
  }
  if (at(l, 'seq-item-ind')) {
    return blockList(r, columnOf(l), level + 1);
  }
  if (!isWord(l)) {
    return inLine(r, column, level);
  }
  const start = columnOf(l);
  const first = word(r);
  skipSpace(l);
  if (at(l, 'map-value-ind')) {
    return restOfMap(r, first, start, level + 1);
  }
  endLine(l);
  skipBlank(l);
  return valueOf(first);
}

function blockScalar({ l, file }: Reading, column: number): Tree {
  const { offset } = l;
  const props: CST.SourceToken[] = [];
  while (l.kind !== 'scalar') {
    if (l.kind === 'end' || (l.kind === 'comment' && !l.spaced)) {
      notPlain();
    }
    props.push({ type: l.kind as CST.SourceToken['type'], offset: l.offset, indent: column, source: l.source });
    step(l);
  }
  const token: CST.BlockScalar = { type: 'block-scalar', offset, indent: column, props, source: l.source };
  const { value, range } = CST.resolveAsScalar(token, true, notPlain);
  step(l);
  skipBlank(l);
  return scalarTree({ file, start: range[0], end: range[1] }, value);
}

/** A scalar, or a map or a list in brackets. */
function flowValue(r: Reading, level: number): Tree {
  switch (r.l.kind) {
    case 'flow-map-start':
      return flowMap(r, level);
    case 'flow-seq-start':
      return flowList(r, level);
    default:
      return valueOf(word(r));
  }
}

function flowMap(r: Reading, level: number): Tree {
  const { l, file } = r;
  const entries = new Map<string, Entry>();
  const place = inBrackets(r, level, 'flow-map-end', () => {
    const key = word(r);
    skipSpace(l);
    expect(l, 'map-value-ind');
    skipSpace(l);
    const { offset } = l;
    const empty = at(l, 'comma', 'flow-map-end');
    add(entries, key, empty ? scalarTree({ file, start: offset, end: offset }, null) : flowValue(r, level + 1));
  });
  return mapTree(place, entries);
}

function flowList(r: Reading, level: number): Tree {
  const items: Tree[] = [];
  const place = inBrackets(r, level, 'flow-seq-end', () => items.push(flowValue(r, level + 1)));
  return listTree(place, items);
}

/** Items with commas between, and one after the last if it likes, to the closing bracket. */
function inBrackets(r: Reading, level: number, end: CST.TokenType, item: () => void): Place {
  const { l, file } = r;
  deeper(level);
  const { offset: start } = l;
  step(l);
  skipBlank(l);
  while (l.kind !== end) {
    item();
    skipBlank(l);
    if (l.kind !== end) {
      expect(l, 'comma');
      skipBlank(l);
    }
  }
  step(l);
  return { file, start, end: l.offset };
}

function add(entries: Map<string, Entry>, key: Word, tree: Tree): void {
  const { text } = key;
  const unsafe = FORBIDDEN_KEYS.has(text) || UNSAFE_IN_NAMES.test(text) || (key.plain && text === '<<');
  if (unsafe || entries.has(text)) {
    notPlain();
  }
  entries.set(text, { key: key.place, tree });
}

function isWord(l: Lexemes): boolean {
  return at(l, 'scalar', 'single-quoted-scalar', 'double-quoted-scalar');
}

/** Longer ones are no keys. */
const LONGEST_KEY = 1000;
/** What a plain scalar cannot begin with. */
const BAD_START = /^[\t,%|>@`]/;

function word(r: Reading): Word {
  const { l, file } = r;
  const { kind, source, offset } = l;
  if (!isWord(l) || source === '' || source.includes('\n')) {
    notPlain();
  }
  const place = { file, start: offset, end: offset + source.length };
  step(l);
  if (at(l, 'map-value-ind') && source.length > LONGEST_KEY) {
    notPlain();
  }
  if (kind === 'scalar') {
    return BAD_START.test(source) ? notPlain() : { text: source, place, plain: true };
  }
  return { text: quoted(kind as 'single-quoted-scalar' | 'double-quoted-scalar', source, offset), place, plain: false };
}

function quoted(type: 'single-quoted-scalar' | 'double-quoted-scalar', source: string, offset: number): string {
  const inner = source.slice(1, -1);
  const mark = source.charAt(0);
  if (source.length > 1 && source.endsWith(mark) && !inner.includes(mark) && !inner.includes('\\')) {
    return inner;
  }
  const { value } = CST.resolveAsScalar({ type, offset, indent: 0, source }, true, notPlain);
  return value.includes('\0') || LONE_SURROGATE.test(value) ? notPlain() : value;
}

/** What a plain scalar may be besides text, in the order in which `yaml` asks: its core schema. */
const PLAIN_TAGS = new Schema({ schema: 'core' }).tags.filter(
  (tag): tag is ScalarTag => tag.default === true && 'test' in tag && tag.test instanceof RegExp,
);
/** How none of those begins. */
const TEXT_ONLY = /^[^-+.0-9~nNtTfF]/;

function valueOf({ text, place, plain }: Word): Tree {
  const tag =
    !plain || TEXT_ONLY.test(text) ? undefined : PLAIN_TAGS.find((candidate) => candidate.test?.test(text) === true);
  if (tag === undefined) {
    return scalarTree(place, text);
  }
  const resolved = tag.resolve(text, notPlain, {});
  const value = (isScalar(resolved) ? resolved.value : resolved) as Scalar;
  if (typeof value === 'number' && !Number.isFinite(value)) {
    notPlain();
  }
  return scalarTree(place, value, value === null ? undefined : text);
}
