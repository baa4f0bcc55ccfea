/** The language: from files to a Stack. */
import { TsboxError, TsboxErrors } from '../errors.ts';
import type { Origins } from '../resources/origins.ts';
import { buildItems } from './build.ts';
import type { Items } from './build.ts';
import { checkItems } from './check.ts';
import { loadFiles, type Loaded } from './files.ts';
import { filledIn } from './fill.ts';
import { moduleLoading } from './modules.ts';
import { placeOf } from './positions.ts';
import { expandDependencies } from './replicas.ts';
import { spanOf } from './source.ts';
import { child } from './tree.ts';
import type { MapTree } from './tree.ts';
import type { Stack, Warning } from './types.ts';
import { resolveVariables } from './variables.ts';
import type { Variable, VariableSources } from './variables.ts';

export { renderError, renderErrors, renderWarning, escapeText } from './diagnostics.ts';
export { fillOutput, referencesIn } from './outputs.ts';
export type { Reference } from './outputs.ts';
export type { Stack, Warning } from './types.ts';

export interface LoadOptions {
  /** Values from the command line, as text. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly env: NodeJS.ProcessEnv;
  /** Stacks that are nowhere but in memory, by the name they are given as a file. */
  readonly texts?: ReadonlyMap<string, string>;
}

/**
 * Reads the files, later ones over earlier ones. Throws TsboxErrors with every error of all files, in the order in
 * which the files were given and then by line.
 */
export function loadStack(files: readonly string[], options: LoadOptions): Stack {
  const problems: TsboxError[] = [];
  if (files.length === 0) {
    throw new TsboxErrors([new TsboxError('TSB2001', 'no stack file is given', { expected: '-f FILE' })]);
  }
  const loaded = loadFiles(files, problems, options.texts);
  if (loaded.tree === undefined) {
    throw new TsboxErrors(sorted(problems, loaded.files));
  }
  const sources: VariableSources = { variables: options.variables ?? {}, env: options.env };
  const variables = resolveVariables(loaded.tree, sources, problems);
  const texts = options.texts ?? new Map<string, string>();
  const read = new Map(loaded.sources);
  const loading = moduleLoading(problems, files[0] ?? '', texts, read);
  const { root, replicas } = filledIn(loaded.tree, variables, problems, loading);
  const known = new Map([...variables, ...loading.sensitive]);
  const items = buildItems(root, loaded.partial, problems, replicas, options.env);
  const warnings: Warning[] = [];
  checkItems({ root, items, partial: loaded.partial, problems, warnings });
  if (problems.length > 0) {
    throw new TsboxErrors(
      sorted(
        problems.map((error) => withoutContents(masked(error, known), root)),
        [...new Set([...loaded.files, ...read.keys()])],
      ),
    );
  }
  return stackOf(
    root,
    items,
    variables,
    sensitiveOf(known),
    { ...loaded, sources: read, files: [...new Set([...loaded.files, ...read.keys()])] },
    warnings.map((w) => ({ ...w, message: mask(w.message, known) })),
    Object.fromEntries(loading.origins),
  );
}

function stackOf(
  root: MapTree,
  items: Items,
  variables: ReadonlyMap<string, Variable>,
  sensitive: readonly string[],
  loaded: Pick<Loaded, 'files' | 'directory' | 'sources'>,
  warnings: readonly Warning[],
  origins: Origins,
): Stack {
  const { paths, replicas, ...rest } = items;
  const values = [...variables].flatMap(([name, { value, sensitive }]) =>
    value === undefined || value === null ? [] : [[name, { value, sensitive }] as const],
  );
  return {
    ...rest,
    containers: expandDependencies(items.containers, replicas),
    files: loaded.files,
    directory: loaded.directory,
    sources: loaded.sources,
    variables: Object.fromEntries(values),
    sensitive,
    warnings,
    ...(Object.keys(origins).length === 0 ? {} : { origins }),
    locate: (address, path) => {
      const base = paths.get(address);
      const place = base === undefined ? undefined : placeOf(root, [...base, ...path]);
      return place === undefined ? undefined : spanOf(place);
    },
  };
}

/** Errors in the order of the files and their lines, those without a place first; one per place and message. */
function sorted(problems: readonly TsboxError[], files: readonly string[]): TsboxError[] {
  const seen = new Set<string>();
  const rank = (error: TsboxError): number =>
    error.info.at === undefined ? -1 : files.indexOf(error.info.at.file) + 1 || files.length + 1;
  return problems
    .filter((error) => {
      const { at } = error.info;
      const key = `${at?.file}:${at?.line}:${at?.column}:${error.message}`;
      return !seen.has(key) && seen.add(key) !== undefined;
    })
    .sort(
      (a, b) =>
        rank(a) - rank(b) ||
        (a.info.at?.line ?? 0) - (b.info.at?.line ?? 0) ||
        (a.info.at?.column ?? 0) - (b.info.at?.column ?? 0),
    );
}

/** What a sensitive variable holds does not appear in messages. Short values would take ordinary words with them. */
function mask(text: string, variables: ReadonlyMap<string, Variable>): string {
  let masked = text;
  for (const { value, sensitive } of variables.values()) {
    const secret = sensitive && value !== undefined && value !== null ? String(value) : '';
    if (secret.length > 0) {
      masked =
        secret.length > 3
          ? masked.replaceAll(secret, '(sensitive)')
          : masked.replaceAll(`'${secret}'`, "'(sensitive)'");
    }
  }
  return masked;
}

function masked(error: TsboxError, variables: ReadonlyMap<string, Variable>): TsboxError {
  if (![...variables.values()].some((v) => v.sensitive)) {
    return error;
  }
  const { expected, hint, ...info } = error.info;
  const clean = (text: string | undefined): string | undefined =>
    text === undefined ? undefined : mask(text, variables);
  return new TsboxError(error.code, mask(error.message, variables), {
    ...info,
    expected: clean(expected),
    hint: clean(hint),
  });
}

/** An excerpt of the file does not show what a secret's content is; its length stays, so that marks are in place. */
function withoutContents(error: TsboxError, root: MapTree): TsboxError {
  const line = error.info.sourceLine;
  const secrets = child(root, 'secrets');
  if (line === undefined || secrets?.kind !== 'map') {
    return error;
  }
  let shown = line;
  for (const name of secrets.entries.keys()) {
    const content = child(child(secrets, name), 'content');
    const text = content?.kind === 'scalar' ? String(content.value) : '';
    for (const part of text.split('\n').filter((t) => t.trim().length > 3)) {
      shown = shown.replaceAll(part, '*'.repeat(part.length));
    }
  }
  return shown === line ? error : new TsboxError(error.code, error.message, { ...error.info, sourceLine: shown });
}

function sensitiveOf(variables: ReadonlyMap<string, Variable>): string[] {
  return [...variables.values()].flatMap(({ value, sensitive }) =>
    sensitive && value !== undefined && value !== null && String(value) !== '' ? [String(value)] : [],
  );
}
