/** Reads the files of a stack and what they include, each once, in merge order. */
import { realpathSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { TsboxError, whyOf } from '../errors.ts';
import { mergeTrees } from './merge.ts';
import { parseFile } from './parse.ts';
import { decode, located, readBytes, sourceFile } from './source.ts';
import type { Place, SourceFile } from './source.ts';
import type { MapTree, Tree } from './tree.ts';

/** Files in one stack. */
const COUNT_LIMIT = 256;

export interface Loaded {
  /** Everything merged; undefined when no file has content that can be used. */
  readonly tree: MapTree | undefined;
  /** Display names in merge order. */
  readonly files: readonly string[];
  /** Directory of the first file. */
  readonly directory: string;
  /** Texts by name. */
  readonly sources: ReadonlyMap<string, string>;
  /** A file could not be used at all, so what refers to it would be told wrongly as missing. */
  readonly partial: boolean;
}

interface Loading {
  /** Files that are nowhere but in memory, by name. */
  readonly texts: ReadonlyMap<string, string>;
  readonly problems: TsboxError[];
  readonly files: string[];
  readonly sources: Map<string, string>;
  /** Real paths that were read; a file is merged once, where it is first named. */
  readonly seen: Set<string>;
  /** Real directory of the root file: includes stay inside it. */
  boundary: string;
  tree: MapTree | undefined;
  partial: boolean;
}

/** A file being read, and who includes it. */
interface Link {
  readonly name: string;
  readonly path: string;
  readonly includedAt: Place | undefined;
  readonly parent: Link | undefined;
}

/** Loads the files in order, later ones over earlier ones, an including file over what it includes. */
export function loadFiles(
  names: readonly string[],
  problems: TsboxError[],
  texts: ReadonlyMap<string, string> = new Map(),
): Loaded {
  const loading: Loading = {
    texts,
    problems,
    files: [],
    sources: new Map(),
    seen: new Set(),
    boundary: '',
    tree: undefined,
    partial: false,
  };
  for (const name of names) {
    const path = texts.has(name) ? resolve(name) : realPath(resolve(name), name, loading, undefined);
    if (path !== undefined) {
      loading.boundary = dirname(path);
      loadOne(loading, { name, path, includedAt: undefined, parent: undefined });
    }
  }
  return {
    tree: loading.tree,
    files: loading.files,
    directory: dirname(resolve(names[0] ?? '.')),
    sources: loading.sources,
    partial: loading.partial,
  };
}

function realPath(path: string, name: string, loading: Loading, at: Place | undefined): string | undefined {
  try {
    return realpathSync(path);
  } catch (error) {
    const code = whyOf(error);
    const reason = code === 'ENOENT' ? 'there is no such file' : code;
    const hint =
      name === 'tsbox.yaml' && at === undefined ? '-f says which file; without it tsbox.yaml is read' : undefined;
    const info = { errnoCode: code, subject: name, hint, ...located(at) };
    loading.problems.push(
      new TsboxError(at === undefined ? 'TSB1001' : 'TSB1008', `cannot read '${name}': ${reason}`, info),
    );
    loading.partial = true;
    return undefined;
  }
}

function loadOne(loading: Loading, link: Link): void {
  if (loading.seen.has(link.path)) {
    return;
  }
  loading.seen.add(link.path);
  if (loading.seen.size > COUNT_LIMIT) {
    if (loading.seen.size === COUNT_LIMIT + 1) {
      loading.problems.push(
        new TsboxError('TSB1007', `the stack has more than ${COUNT_LIMIT} files`, {
          ...located(link.includedAt),
          expected: `at most ${COUNT_LIMIT}`,
        }),
      );
    }
    return;
  }
  const file = readSource(loading, link);
  const tree = file === undefined ? undefined : parseFile(file, loading.problems);
  if (tree === undefined) {
    loading.partial = true;
    return;
  }
  for (const item of includesOf(tree)) {
    include(loading, link, item);
  }
  loading.files.push(link.name);
  loading.tree = loading.tree === undefined ? tree : mergeTrees(loading.tree, tree);
}

function readSource(loading: Loading, link: Link): SourceFile | undefined {
  try {
    const text = loading.texts.get(link.name) ?? decode(readBytes(link.path, link.name), link.name);
    loading.sources.set(link.name, text);
    const directory = dirname(link.includedAt === undefined ? resolve(link.name) : link.path);
    return sourceFile(link.name, link.path, directory, text);
  } catch (error) {
    if (!(error instanceof TsboxError)) {
      throw error;
    }
    loading.problems.push(error);
    return undefined;
  }
}

/** The items of `include:`; anything but text is left to the schema. */
function includesOf(tree: MapTree): { readonly text: string; readonly place: Place }[] {
  const value = tree.entries.get('include')?.tree;
  const items: readonly Tree[] = value?.kind === 'list' ? value.items : value === undefined ? [] : [value];
  return items.flatMap((item) =>
    item.kind === 'scalar' && typeof item.value === 'string' ? [{ text: item.value, place: item.place }] : [],
  );
}

function include(loading: Loading, from: Link, item: { readonly text: string; readonly place: Place }): void {
  const refuse = (message: string, expected?: string, hint?: string): void => {
    loading.problems.push(new TsboxError('TSB1008', message, { ...located(item.place), expected, hint }));
    loading.partial = true;
  };
  if (item.text === '' || isAbsolute(item.text)) {
    refuse(`'${item.text}' cannot be included`, 'a path relative to the including file');
    return;
  }
  if (item.text.includes('${')) {
    refuse(
      `'${item.text}' cannot be included`,
      'a path without variables: files are read before variables have values',
    );
    return;
  }
  const name = join(dirname(from.name), item.text);
  const path = loading.texts.has(name)
    ? resolve(name)
    : realPath(join(dirname(from.path), item.text), name, loading, item.place);
  if (path === undefined) {
    return;
  }
  const inside = relative(loading.boundary, path);
  if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
    refuse(
      `'${item.text}' lies outside the directory of the stack`,
      'a file below the directory of the file given with -f',
      'give it with a -f of its own',
    );
    return;
  }
  const chain: string[] = [];
  for (let link: Link | undefined = from; link !== undefined; link = link.parent) {
    chain.unshift(link.name);
    if (link.path === path) {
      refuse(
        `files include each other in a circle: ${[...chain, name].join(' → ')}`,
        'a file that does not include itself',
      );
      return;
    }
  }
  loadOne(loading, { name, path, includedAt: item.place, parent: from });
}
