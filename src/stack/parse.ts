/** YAML nodes to trees: aliases and merge keys resolved, keys and values checked for what no stack may contain. */
import { isAlias, isMap, isScalar, isSeq } from 'yaml';
import type { Alias, Node, Pair, Scalar as YamlScalar, YAMLMap, YAMLSeq } from 'yaml';
import { TsboxError } from '../errors.ts';
import type { TsboxErrorInfo } from '../errors.ts';
import { located } from './source.ts';
import type { Place, SourceFile } from './source.ts';
import { plainTree } from './plain.ts';
import { composeFile, tooDeep } from './syntax.ts';
import { DEPTH_LIMIT, FORBIDDEN_KEYS, LONE_SURROGATE, UNSAFE_IN_NAMES, VALUE_LIMIT } from './text-rules.ts';
import { brokenTree, listTree, mapTree, scalarTree } from './tree.ts';
import type { Entry, MapTree, Scalar, Tree } from './tree.ts';

const TAGS: ReadonlySet<string> = new Set(
  ['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((t) => `tag:yaml.org,2002:${t}`),
);

interface Parsing {
  readonly file: SourceFile;
  readonly problems: TsboxError[];
  readonly anchors: Map<string, Node>;
  readonly trees: Map<Node, Tree>;
  /** Nodes being converted now: an alias to one of them contains itself. */
  readonly open: Set<Node>;
  /** Set once the file is over a limit: nothing more is looked at. */
  stopped: boolean;
}

/** The tree of a file's map; undefined for one without content. Errors are added to `problems`; what has one is left out. */
export function parseFile(file: SourceFile, problems: TsboxError[]): MapTree | undefined {
  return plainTree(file) ?? wholeTree(file, problems);
}

/** The same by all of YAML, for files that are not plain. */
export function wholeTree(file: SourceFile, problems: TsboxError[]): MapTree | undefined {
  const document = composeFile(file, problems);
  if (document === null) {
    return undefined;
  }
  const content = document.contents as Node | null;
  if (content === null || (isScalar(content) && content.value === null)) {
    problems.push(
      new TsboxError('TSB1003', `'${file.name}' is empty`, {
        ...located({ file, start: 0, end: 0 }),
        expected: 'a stack, beginning with tsbox: 1',
      }),
    );
    return undefined;
  }
  const parsing: Parsing = { file, problems, anchors: new Map(), trees: new Map(), open: new Set(), stopped: false };
  const tree = convert(parsing, content, 1);
  if (tree !== undefined && tree.kind !== 'map') {
    problem(parsing, 'TSB1003', content, `a stack is a map, not a ${tree.kind === 'list' ? 'list' : 'single value'}`, {
      expected: 'tsbox: 1 and the sections of a stack',
    });
    return undefined;
  }
  return parsing.stopped ? undefined : tree;
}

function placeOfNode(file: SourceFile, node: Node): Place {
  const [start, end] = node.range ?? [0, 0];
  return { file, start, end };
}

/** The tag stands before the node's own range. */
function placeOfTag(file: SourceFile, node: Node): Place {
  const place = placeOfNode(file, node);
  const match = /![^\s]*(?=\s+(?:&\S+\s+)?$|$)/.exec(file.text.slice(Math.max(0, place.start - 200), place.start));
  return match === null
    ? place
    : {
        file,
        start: Math.max(0, place.start - 200) + match.index,
        end: Math.max(0, place.start - 200) + match.index + match[0].length,
      };
}

function problem(
  parsing: Parsing,
  code: TsboxError['code'],
  at: Node | Place,
  message: string,
  info: TsboxErrorInfo = {},
): void {
  const place = 'file' in at ? at : placeOfNode(parsing.file, at);
  parsing.problems.push(new TsboxError(code, message, { ...located(place), ...info }));
}

function convert(parsing: Parsing, node: Node | null, level: number): Tree | undefined {
  if (parsing.stopped || node === null) {
    return undefined;
  }
  if (isAlias(node)) {
    return followAlias(parsing, node, level);
  }
  const anchor = (node as { anchor?: string }).anchor;
  if (anchor !== undefined) {
    parsing.anchors.set(anchor, node);
  }
  const tag = (node as { tag?: string }).tag;
  if (tag !== undefined && !TAGS.has(tag)) {
    const hint = tag.startsWith('tag:yaml.org,2002:') ? undefined : 'remove the tag';
    problem(
      parsing,
      'TSB1002',
      placeOfTag(parsing.file, node),
      `the tag ${tag.replace('tag:yaml.org,2002:', '!!')} means nothing here`,
      { expected: 'plain YAML 1.2 values', hint },
    );
    return undefined;
  }
  if (!isScalar(node) && level > DEPTH_LIMIT) {
    stop(parsing, tooDeep(placeOfNode(parsing.file, node)));
    return undefined;
  }
  parsing.open.add(node);
  const tree = isMap(node)
    ? convertMap(parsing, node, level)
    : isSeq(node)
      ? convertList(parsing, node, level)
      : convertScalar(parsing, node as YamlScalar);
  parsing.open.delete(node);
  if (anchor !== undefined && tree !== undefined) {
    parsing.trees.set(node, tree);
  }
  return limited(parsing, node, tree);
}

function stop(parsing: Parsing, error: TsboxError): void {
  parsing.stopped = true;
  parsing.problems.push(error);
}

/** Refuses a tree that has too many values; sizes are known without writing aliases out. */
function limited(parsing: Parsing, node: Node, tree: Tree | undefined): Tree | undefined {
  if (tree !== undefined && tree.size > VALUE_LIMIT && !parsing.stopped) {
    const place = placeOfNode(parsing.file, node);
    const expected = `at most ${VALUE_LIMIT} values in one file`;
    stop(
      parsing,
      new TsboxError('TSB1007', 'the aliases in this make too many values', { ...located(place), expected }),
    );
  }
  return parsing.stopped ? undefined : tree;
}

function followAlias(parsing: Parsing, alias: Alias, level: number): Tree | undefined {
  const target = parsing.anchors.get(alias.source);
  if (target === undefined) {
    problem(parsing, 'TSB1002', alias, `no anchor &${alias.source} stands before this alias`, {
      expected: `&${alias.source} on an earlier value`,
    });
    return undefined;
  }
  if (parsing.open.has(target)) {
    problem(parsing, 'TSB1002', alias, `the alias *${alias.source} stands inside what it stands for`);
    return undefined;
  }
  const tree = parsing.trees.get(target);
  if (tree !== undefined && level + tree.depth - 1 > DEPTH_LIMIT) {
    stop(parsing, tooDeep(placeOfNode(parsing.file, alias)));
    return undefined;
  }
  return tree;
}

function convertScalar(parsing: Parsing, node: YamlScalar): Tree | undefined {
  const { value } = node;
  const place = placeOfNode(parsing.file, node);
  if (typeof value === 'string') {
    if (value.includes('\0') || LONE_SURROGATE.test(value)) {
      const what = value.includes('\0')
        ? 'a NUL character, which ends text in the kernel'
        : 'half of a UTF-16 pair, which is no character';
      problem(parsing, 'TSB1003', node, `the text contains ${what}`, { expected: 'text without it' });
      return undefined;
    }
    return scalarTree(place, value);
  }
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) {
      problem(parsing, 'TSB1003', node, `${node.source ?? value} is not a number that means anything here`, {
        expected: "a finite number; for no limit write 'max'",
      });
      return undefined;
    }
    return scalarTree(place, value, node.source);
  }
  return scalarTree(place, value as Scalar, typeof value === 'boolean' ? node.source : undefined);
}

function convertList(parsing: Parsing, node: YAMLSeq, level: number): Tree {
  const items: Tree[] = [];
  for (const item of node.items as (Node | null)[]) {
    const tree = convert(parsing, item, level + 1);
    items.push(
      tree ??
        (item === null
          ? scalarTree(placeOfNode(parsing.file, node), null)
          : brokenTree(placeOfNode(parsing.file, item))),
    );
  }
  return listTree(placeOfNode(parsing.file, node), items);
}

function convertMap(parsing: Parsing, node: YAMLMap, level: number): Tree {
  const entries = new Map<string, Entry>();
  const lines = new Map<string, Place>();
  const merged: Entry[] = [];
  for (const pair of node.items as Pair<Node | null, Node | null>[]) {
    const key = keyOf(parsing, node, pair.key);
    if (key === undefined) {
      convert(parsing, pair.value, level + 1);
      continue;
    }
    const first = lines.get(key.text);
    if (first !== undefined) {
      const { at } = located(first);
      problem(parsing, 'TSB1002', key.place, `the key '${key.text}' is given twice in one map`, {
        expected: `one '${key.text}'; the first is on line ${at?.line ?? 0}`,
      });
    }
    lines.set(key.text, first ?? key.place);
    const tree =
      convert(parsing, pair.value, level + 1) ??
      (pair.value === null ? scalarTree(key.place, null) : brokenTree(key.place));
    if (first !== undefined) {
      continue;
    }
    if (key.merge) {
      merged.push({ key: key.place, tree });
    } else {
      entries.set(key.text, { key: key.place, tree });
    }
  }
  for (const source of merged) {
    mergeInto(parsing, entries, source);
  }
  return mapTree(placeOfNode(parsing.file, node), entries);
}

/** Adds the keys of a map, or of each map of a list, that are not there yet; false at what is no map. */
function mergeAliases(entries: Map<string, Entry>, source: Tree): boolean {
  const sources = source.kind === 'list' ? source.items : [source];
  for (const tree of sources) {
    if (tree.kind !== 'map') {
      return false;
    }
    for (const [key, entry] of tree.entries) {
      if (!entries.has(key)) {
        entries.set(key, entry);
      }
    }
  }
  return true;
}

function mergeInto(parsing: Parsing, entries: Map<string, Entry>, source: Entry): void {
  const broken = (tree: Tree): boolean => tree.kind === 'scalar' && tree.broken;
  const anyBroken = source.tree.kind === 'list' ? source.tree.items.some(broken) : broken(source.tree);
  if (!anyBroken && !mergeAliases(entries, source.tree)) {
    problem(parsing, 'TSB1003', source.key, '<< takes the keys of maps', {
      expected: 'an alias of a map, or a list of them',
    });
  }
}

interface Key {
  readonly text: string;
  readonly place: Place;
  readonly merge: boolean;
}

function keyOf(parsing: Parsing, map: YAMLMap, node: Node | null): Key | undefined {
  const scalar = isScalar(node) ? node : undefined;
  const text = typeof scalar?.value === 'string' ? scalar.value : (scalar?.source ?? '');
  if (scalar === undefined || (scalar.value === null && text === '')) {
    problem(parsing, 'TSB1003', node ?? map, isAlias(node) ? 'an alias cannot be a key' : 'a key must be text', {
      expected: 'a name before the colon',
    });
    return undefined;
  }
  const anchor = (scalar as { anchor?: string }).anchor;
  if (anchor !== undefined) {
    parsing.anchors.set(anchor, scalar);
    parsing.trees.set(scalar, scalarTree(placeOfNode(parsing.file, scalar), text));
  }
  if (FORBIDDEN_KEYS.has(text)) {
    problem(parsing, 'TSB1003', scalar, `'${text}' cannot be a key`, {
      expected: `any other name: ${[...FORBIDDEN_KEYS].join(', ')} are refused everywhere`,
    });
    return undefined;
  }
  if (UNSAFE_IN_NAMES.test(text) || LONE_SURROGATE.test(text)) {
    problem(parsing, 'TSB1003', scalar, `the key '${text}' contains a control or formatting character`, {
      expected: 'visible characters',
    });
    return undefined;
  }
  return { text, place: placeOfNode(parsing.file, scalar), merge: text === '<<' && scalar.type === 'PLAIN' };
}
