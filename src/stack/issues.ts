/** zod's issues in our words, at their place in the files. */
import type * as z from 'zod';
import { TsboxError } from '../errors.ts';
import { suggest } from '../resources/suggest.ts';
import { show } from '../resources/values.ts';
import { placeOf } from './positions.ts';
import { knownKeys, schemasAt, shapeOf, shapesOf, shapeWords } from './schema-walk.ts';
import type { Shape } from './schema-walk.ts';
import { located } from './source.ts';
import { laterKey, synonym } from './synonyms.ts';
import { child } from './tree.ts';
import type { Tree } from './tree.ts';

type Issue = z.core.$ZodIssue;

/** An issue as we tell it. */
interface Finding {
  readonly path: readonly PropertyKey[];
  readonly at: 'key' | 'value';
  readonly message: string;
  readonly expected?: string | undefined;
  readonly hint?: string | undefined;
  /** For an unknown key: the joined path of the key it was probably meant to be. */
  readonly meant?: string;
  readonly missing?: true;
}

/** An error, undefined when it was told already, and the path of what it is about from where the schema starts. */
export interface Fault {
  readonly path: readonly PropertyKey[];
  readonly error: TsboxError | undefined;
}

/** Where a schema is applied: to the value at `base` of the tree. */
interface Ground {
  readonly schema: z.ZodType;
  readonly root: Tree;
  readonly base: readonly PropertyKey[];
}

/**
 * Errors for the issues of a value that stands at `base` in the tree. What was told about already (a broken value) has
 * none, and a value made of a sensitive variable is not shown.
 */
export function translateIssues(
  issues: readonly Issue[],
  schema: z.ZodType,
  root: Tree,
  base: readonly PropertyKey[],
): Fault[] {
  const ground = { schema, root, base };
  const found = issues.flatMap((issue) => findings(issue, ground, []));
  // A misspelt key is one mistake, not an unknown key and a missing one.
  const meant = new Set(found.flatMap((finding) => (finding.meant === undefined ? [] : [finding.meant])));
  return found
    .filter((finding) => !(finding.missing === true && meant.has(finding.path.map(String).join('\0'))))
    .map((finding) => ({ path: finding.path, error: errorOf(finding, ground) }));
}

function errorOf(finding: Finding, { root, base }: Ground): TsboxError | undefined {
  const path = [...base, ...finding.path];
  const value = at(root, path);
  if (value?.kind === 'scalar' && value.broken) {
    return undefined;
  }
  const secret = value?.kind === 'scalar' && value.sensitive;
  const message = secret
    ? `the value of '${nameOf(path)}', made of a sensitive variable, does not fit`
    : finding.message;
  const { expected, hint } = finding;
  return new TsboxError('TSB1003', message, {
    ...located(placeOf(root, path, finding.at)),
    expected,
    hint: secret ? undefined : hint,
  });
}

function at(tree: Tree | undefined, path: readonly PropertyKey[]): Tree | undefined {
  return path.reduce<Tree | undefined>(child, tree);
}

function nameOf(path: readonly PropertyKey[]): string {
  const last = path.at(-1);
  const parent = path.at(-2);
  return typeof last === 'number' && parent !== undefined ? `${String(parent)}[${last}]` : String(last ?? 'the stack');
}

/** `prefix` leads from where the schema starts to the issue's own start (inside unions). */
function findings(issue: Issue, ground: Ground, prefix: readonly PropertyKey[]): Finding[] {
  const path = [...prefix, ...issue.path];
  const full = [...ground.base, ...path];
  const value = at(ground.root, full);
  const { schema } = ground;
  const rebased = (finding: Finding): Finding => ({ ...finding, path: finding.path.slice(ground.base.length) });
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => rebased(unknownKey(key, knownKeys(schema, path), full, path)));
    case 'invalid_union':
      return unionFindings(issue, ground, path);
    case 'invalid_key':
      return issue.issues
        .flatMap((inner) => findings(inner, ground, path))
        .map((finding) => ({ ...finding, path, at: 'key' as const }));
    case 'custom': {
      const { expected, hint, at: part } = (issue.params ?? {}) as { expected?: string; hint?: string; at?: 'key' };
      if (value === undefined && issue.path.length > 0 && part !== 'key') {
        return [rebased(missing(full, expected))];
      }
      return [{ path, at: part ?? 'value', message: issue.message, expected, hint }];
    }
    case 'invalid_type':
      return [rebased(wrongShape(full, value, shapesAt(schema, path)))];
    case 'invalid_value':
      return [
        rebased(
          value === undefined
            ? missing(full, issue.values.join(', '))
            : wrongWord(full, value, issue.values.map(String)),
        ),
      ];
    case 'too_small':
    case 'too_big':
      return [rebased(sized(issue, full, value))];
    default:
      return [{ path, at: 'value', message: issue.message.charAt(0).toLowerCase() + issue.message.slice(1) }];
  }
}

function shapesAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly Shape[] {
  return schemasAt(schema, path).flatMap(shapesOf);
}

function missing(path: readonly PropertyKey[], expected?: string): Finding {
  return { path, at: 'value', message: `'${nameOf(path)}' is missing`, expected, missing: true };
}

/** More keys than this are not listed beside a hint that names the right one. */
const LISTED = 12;

/** `path` leads to the map from the root, `within` from where the schema starts. */
export function unknownKey(
  key: string,
  known: readonly string[],
  path: readonly PropertyKey[],
  within = path,
): Finding {
  const near = suggest(key, known) ?? synonym(key, known);
  const owner = path.length === 0 ? '' : ` in '${nameOf(path)}'`;
  const listed = known.length > 0 && (near === undefined || known.length <= LISTED);
  return {
    path: [...path, key],
    at: 'key',
    message: `unknown key '${key}'${owner}`,
    expected: listed ? `one of ${[...known].sort().join(', ')}` : undefined,
    hint: near === undefined ? laterKey(key) : `did you mean "${near}"?`,
    ...(near === undefined ? {} : { meant: [...within, near].map(String).join('\0') }),
  };
}

function wrongShape(path: readonly PropertyKey[], value: Tree | undefined, shapes: readonly Shape[]): Finding {
  const expected = shapeWords(shapes) || undefined;
  if (value === undefined) {
    return missing(path, expected);
  }
  const found = value.kind === 'scalar' ? value.value : value.kind === 'list' ? [] : {};
  if (found === null) {
    return {
      path,
      at: 'value',
      message: `'${nameOf(path)}' is empty`,
      expected,
      hint: 'give it a value, or remove the key',
    };
  }
  const shown = value.kind === 'scalar' ? show(found) : `a ${value.kind}`;
  return {
    path,
    at: 'value',
    message: `'${nameOf(path)}' cannot be ${shown}`,
    expected,
    hint: shapeHint(found, shapes),
  };
}

function shapeHint(found: unknown, shapes: readonly Shape[]): string | undefined {
  if (shapes.includes('boolean') && typeof found === 'string' && /^(yes|no|on|off|y|n)$/i.test(found)) {
    return `YAML 1.2 has only true and false: write ${/^(yes|on|y)$/i.test(found) ? 'true' : 'false'}`;
  }
  if (shapes.includes('text') && (typeof found === 'number' || typeof found === 'boolean')) {
    return `put it in quotes: "${found}"`;
  }
  return shapes.includes('list') && typeof found === 'string' ? `a list of one is [ ${found} ]` : undefined;
}

function wrongWord(path: readonly PropertyKey[], value: Tree, words: readonly string[]): Finding {
  const found = value.kind === 'scalar' ? value.value : undefined;
  if (found === null) {
    return {
      path,
      at: 'value',
      message: `'${nameOf(path)}' is empty`,
      expected: words.join(', '),
      hint: 'give it a value, or remove the key',
    };
  }
  const near = typeof found === 'string' ? (suggest(found, words) ?? synonym(found, words)) : undefined;
  const shown = value.kind === 'scalar' ? show(found) : `a ${value.kind}`;
  return {
    path,
    at: 'value',
    message: `'${nameOf(path)}' cannot be ${shown}`,
    expected: words.join(', '),
    hint: near === undefined ? undefined : `did you mean "${near}"?`,
  };
}

function sized(
  issue: Issue & { readonly code: 'too_small' | 'too_big' },
  path: readonly PropertyKey[],
  value: Tree | undefined,
): Finding {
  const bound = issue.code === 'too_small' ? issue.minimum : issue.maximum;
  const words = issue.code === 'too_small' ? 'at least' : 'at most';
  const unit = issue.origin === 'array' ? ' items' : issue.origin === 'string' ? ' characters' : '';
  const empty = issue.code === 'too_small' && (unit === ' items' || unit === ' characters') && Number(bound) === 1;
  const size =
    value?.kind === 'list'
      ? ` has ${value.items.length} items`
      : value?.kind === 'scalar' && unit === ''
        ? ` cannot be ${show(value.value)}`
        : ` is too ${issue.code === 'too_small' ? 'short' : 'long'}`;
  const message = empty ? `'${nameOf(path)}' is empty` : `'${nameOf(path)}'${size}`;
  return {
    path,
    at: 'value',
    message,
    expected: `${words} ${bound}${Number(bound) === 1 ? unit.replace(/s$/, '') : unit}`,
  };
}

/** The issues of the branch that was meant: the one for this shape of value, and of several the one that got furthest. */
function unionFindings(
  issue: Issue & { readonly code: 'invalid_union' },
  ground: Ground,
  path: readonly PropertyKey[],
): Finding[] {
  const { schema, root, base } = ground;
  const full = [...base, ...path];
  const value = at(root, full);
  const shapes = shapesAt(schema, path);
  const rebased = (finding: Finding): Finding => ({ ...finding, path });
  if (value === undefined) {
    return [rebased(missing(full, shapeWords(shapes) || undefined))];
  }
  const options = schemasAt(schema, path);
  const shape = shapeOf(value.kind === 'scalar' ? value.value : value.kind === 'list' ? [] : {});
  const fitting = issue.errors.filter((_, index) => {
    const option = options[index];
    const taken = option === undefined ? [] : shapesOf(option);
    return taken.length === 0 || taken.includes(shape);
  });
  const depth = (issues: readonly Issue[]): number => Math.max(0, ...issues.map((inner) => inner.path.length));
  const best = fitting.sort((a, b) => depth(b) - depth(a) || a.length - b.length)[0];
  if (best !== undefined) {
    return best.flatMap((inner) => findings(inner, ground, path));
  }
  const custom = issue.errors.flat().find((inner) => inner.code === 'custom' && inner.path.length === 0);
  return custom === undefined || shape === 'empty'
    ? [rebased(wrongShape(full, value, shapes))]
    : findings(custom, ground, path);
}
