/**
 * `modules:`: files with variables of their own, used as often as is wanted. What a module declares is called
 * MODULE.NAME in addresses, cgroups and host names; inside it names are as written there.
 */
import { realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import * as z from 'zod';
import { TsboxError } from '../errors.ts';
import type { Named, Origin } from '../resources/origins.ts';
import { eachOf } from './for-each.ts';
import type { Filled } from './fill.ts';
import { loadFiles, type Loaded } from './files.ts';
import { interpolate, withVariables } from './interpolate.ts';
import type { Interpolation } from './interpolate.ts';
import { translateIssues } from './issues.ts';
import { nameProblem } from './names.ts';
import { referencesIn } from './outputs.ts';
import { entriesOf, KIND_OF, renameIn, type Renamed } from './references.ts';
import { located, spanOf } from './source.ts';
import type { Place } from './source.ts';
import { child, mapTree, toData } from './tree.ts';
import type { Entry, MapTree, Tree } from './tree.ts';
import { resolveVariables, type Variable } from './variables.ts';

/** Modules in modules. */
const DEPTH = 8;
/** Modules in all. */
const COUNT = 1000;

export const moduleSchema = z.strictObject({
  source: z.string().min(1),
  variables: z.record(z.string(), z.unknown()).optional(),
  for_each: z.unknown().optional(),
});

/** What loading a module takes, and leaves. */
export interface ModuleLoading {
  readonly problems: TsboxError[];
  readonly texts: ReadonlyMap<string, string>;
  /** Directory of the stack: modules stay inside it. */
  readonly boundary: string;
  /** Display name and text of every file that was read. */
  readonly sources: Map<string, string>;
  /** Files that the one being read is used by, with the place where. */
  readonly chain: ReadonlyArray<{ readonly path: string; readonly name: string; readonly at: Place | undefined }>;
  readonly count: { left: number };
  /** Files of modules that were read: each instance has the same tree. */
  readonly loaded: Map<string, Loaded>;
  /** What modules call sensitive, by instance and name. */
  readonly sensitive: Map<string, Variable>;
  /** The modules around the file that is read, the outermost first. */
  readonly within: readonly Named[];
  /** Where the items of all files come from. */
  readonly origins: Map<string, Origin>;
}

export interface Expanded {
  readonly sections: ReadonlyMap<string, ReadonlyMap<string, Entry>>;
  readonly replicas: ReadonlyMap<string, number>;
  /** MODULE.OUTPUT, in the form of outputs. */
  readonly outputs: ReadonlyMap<string, string>;
}

type Fill = (
  root: MapTree,
  variables: ReadonlyMap<string, Variable>,
  problems: TsboxError[],
  loading: ModuleLoading,
) => Filled;

export function moduleLoading(
  problems: TsboxError[],
  first: string,
  texts: ReadonlyMap<string, string>,
  sources: Map<string, string>,
): ModuleLoading {
  const path = texts.has(first) ? resolve(first) : real(first);
  const chain = [{ path, name: first, at: undefined }];
  return {
    problems,
    texts,
    boundary: dirname(path),
    sources,
    chain,
    count: { left: COUNT },
    loaded: new Map(),
    sensitive: new Map(),
    within: [],
    origins: new Map(),
  };
}

function real(name: string): string {
  try {
    return realpathSync(resolve(name));
  } catch {
    return resolve(name);
  }
}

export function expandModules(section: Tree, state: Interpolation, loading: ModuleLoading, fill: Fill): Expanded {
  const sections = new Map<string, Map<string, Entry>>();
  const replicas = new Map<string, number>();
  const outputs = new Map<string, string>();
  const { problems } = loading;
  if (section.kind !== 'map') {
    problems.push(
      new TsboxError('TSB1003', "'modules' is not a map", {
        ...located(section.place),
        expected: 'a map from names to modules',
      }),
    );
    return { sections, replicas, outputs };
  }
  for (const [name, entry] of section.entries) {
    const wrong = nameProblem('module', name);
    if (wrong !== undefined || name.includes('.')) {
      const message = wrong?.message ?? `'${name}' cannot name a module`;
      problems.push(new TsboxError('TSB1003', message, { ...located(entry.key), expected: "a name without '.'" }));
      continue;
    }
    const parsed = moduleSchema.safeParse(toData(entry.tree));
    if (!parsed.success) {
      const root = mapTree(entry.tree.place, new Map([[name, entry]]));
      translateIssues(parsed.error.issues, moduleSchema, root, [name]).forEach(
        (f) => f.error && problems.push(f.error),
      );
      continue;
    }
    const given = child(entry.tree, 'for_each');
    const members =
      given === undefined ? [{ key: undefined, variables: new Map<string, Variable>() }] : eachOf(state, given);
    for (const { key, variables } of members) {
      const prefix = key === undefined ? name : `${name}.${key}`;
      const within = [...loading.within, key === undefined ? { name } : { name, key }];
      const inside = { ...loading, within };
      instance(prefix, entry, withVariables(state, variables), inside, fill, { sections, replicas, outputs });
    }
  }
  return { sections, replicas, outputs };
}

function instance(
  prefix: string,
  entry: Entry,
  state: Interpolation,
  loading: ModuleLoading,
  fill: Fill,
  out: { sections: Map<string, Map<string, Entry>>; replicas: Map<string, number>; outputs: Map<string, string> },
): void {
  const { problems } = loading;
  const source = child(entry.tree, 'source') as Tree;
  const path = locate(loading, source);
  if (path === undefined) {
    return;
  }
  const loaded = loading.loaded.get(path.name) ?? loadFiles([path.name], problems, loading.texts);
  loading.loaded.set(path.name, loaded);
  loaded.sources.forEach((text, file) => loading.sources.set(file, text));
  if (loaded.tree === undefined) {
    return;
  }
  const variables = given(loaded.tree, entry, state, problems);
  for (const [name, variable] of variables) {
    if (variable.sensitive) {
      loading.sensitive.set(`${prefix}.${name}`, variable);
    }
  }
  const chain = [...loading.chain, { ...path, at: source.place }];
  const { root, replicas } = fill(loaded.tree, variables, problems, { ...loading, chain });
  const rename: Renamed = (kind, item) => {
    const sectionName = Object.keys(KIND_OF).find((s) => KIND_OF[s] === kind);
    const items = entriesOf(root.entries.get(sectionName ?? '')?.tree);
    const base = /^(.+?)(\[\d+\])?$/.exec(item);
    const isThere = items.has(item) || (base !== null && replicas.has(base[1] ?? ''));
    return isThere ? [`${prefix}.${item}`] : undefined;
  };
  for (const [section, { tree }] of root.entries) {
    if (section === 'outputs') {
      for (const [name, output] of entriesOf(tree)) {
        const value = child(output.tree, 'value') ?? output.tree;
        out.outputs.set(`${prefix}.${name}`, renamedOutput(String(value.kind === 'scalar' ? value.value : ''), rename));
      }
    } else if (KIND_OF[section] !== undefined) {
      const items = out.sections.get(section) ?? new Map<string, Entry>();
      for (const [name, item] of entriesOf(tree)) {
        items.set(`${prefix}.${name}`, { key: item.key, tree: renameIn(section, item.tree, rename) });
      }
      out.sections.set(section, items);
    } else if (!['tsbox', 'name', 'variables', 'include', 'modules'].includes(section) && !section.startsWith('x-')) {
      const at = root.entries.get(section)?.key;
      const message = `'${section}' has no place in a module`;
      problems.push(
        new TsboxError('TSB1003', message, {
          ...located(at),
          expected: `variables, modules, ${Object.keys(KIND_OF).join(', ')}`,
        }),
      );
    }
  }
  replicas.forEach((count, name) => out.replicas.set(`${prefix}.${name}`, count));
}

function renamedOutput(value: string, rename: Renamed): string {
  let text = value;
  for (const { kind, name, attribute, text: whole } of referencesIn(value)) {
    const next = rename(kind, name)?.[0];
    if (next !== undefined) {
      text = text.replace(whole, () => `\${${kind}.${next}.${attribute}}`);
    }
  }
  return text;
}

/** The file that a module is in, and how messages call it; errors are told at the source. */
function locate(loading: ModuleLoading, source: Tree): { readonly path: string; readonly name: string } | undefined {
  const { problems, chain, boundary, count } = loading;
  const text = source.kind === 'scalar' ? String(source.value) : '';
  const refuse = (message: string, expected?: string): undefined => {
    problems.push(new TsboxError('TSB1008', message, { ...located(source.place), expected }));
    return undefined;
  };
  const { file } = source.place;
  if (isAbsolute(text) || text.includes('${')) {
    return refuse(`'${text}' cannot be the source of a module`, 'a path without variables, relative to this file');
  }
  const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  const folder = resolve(dirname(file.path), text);
  const inside =
    loading.texts.size > 0 && !loading.texts.has(join(dirname(file.name), text)) ? `${text}/tsbox.yaml` : text;
  const named = isFolder(folder) ? `${text}/tsbox.yaml` : inside;
  const name = join(dirname(file.name), named);
  const wanted = resolve(dirname(file.path), named);
  const isKnown = loading.texts.has(name);
  if (!isKnown && statSync(wanted, { throwIfNoEntry: false })?.isFile() !== true) {
    return refuse(`there is no module '${text}'`, 'a file, or a directory with a tsbox.yaml');
  }
  const path = isKnown ? wanted : realpathSync(wanted);
  const way = relative(boundary, path);
  if (!isKnown && (way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way))) {
    return refuse(
      `'${text}' lies outside the directory of the stack`,
      'a file below the directory of the file given with -f',
    );
  }
  const at = chain.findIndex((link) => link.path === path);
  if (at >= 0) {
    const steps = [...chain.slice(at + 1).map((link) => link.at), source.place];
    const where = steps.map((p) => (p === undefined ? '' : `${spanOf(p).file}:${spanOf(p).line}`));
    return refuse(
      `modules use each other in a circle: ${[...chain.slice(at).map((l) => l.name), name].join(' → ')} (${where.join(', ')})`,
    );
  }
  if (chain.length > DEPTH) {
    return refuse(`modules are more than ${DEPTH} levels deep here`, `at most ${DEPTH} levels`);
  }
  if (count.left-- <= 0) {
    return refuse(`the stack has more than ${COUNT} modules`, `at most ${COUNT}`);
  }
  return { path, name };
}

/** The module's variables with what its user gives; nothing comes from the environment. */
function given(root: MapTree, entry: Entry, state: Interpolation, problems: TsboxError[]): Map<string, Variable> {
  const values: Record<string, string> = {};
  const secret = new Set<string>();
  const declared = entriesOf(root.entries.get('variables')?.tree);
  for (const [name, { key, tree }] of entriesOf(child(entry.tree, 'variables'))) {
    const value = interpolate(state, tree);
    if (!declared.has(name)) {
      const expected = declared.size === 0 ? 'no variables' : `one of ${[...declared.keys()].join(', ')}`;
      problems.push(
        new TsboxError('TSB1006', `the module declares no variable '${name}'`, { ...located(key), expected }),
      );
    } else if (value.kind !== 'scalar' || (value.value === null && !value.broken)) {
      const info = { ...located(value.place), expected: 'text, a number, true or false' };
      problems.push(new TsboxError('TSB1006', `the variable '${name}' has no single value here`, info));
    } else if (!value.broken) {
      values[name] = String(value.value);
      if (value.sensitive) {
        secret.add(name);
      }
    }
  }
  const variables = resolveVariables(root, { variables: values, env: {}, from: 'where the module is used' }, problems);
  for (const name of secret) {
    const own = variables.get(name);
    if (own !== undefined) {
      variables.set(name, { ...own, sensitive: true });
    }
  }
  return variables;
}
