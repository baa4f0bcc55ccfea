/** zod's issues in our words, at their place in the files. */
import type { z } from 'zod';
import { TsboxError } from '../errors.ts';
import { suggest } from '../resources/suggest.ts';
import { show } from '../resources/values.ts';
import { placeOf } from './positions.ts';
import { knownKeys, schemasAt, shapeOf, shapesOf, shapeWords } from './schema-walk.ts';
import type { Shape } from './schema-walk.ts';
import { located } from './source.ts';
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
}

/**
 * Errors for the issues of a value that stands at `base` in the tree. What was told about already (a broken value) is
 * left out, and a value made of a sensitive variable is not shown.
 */
export function translateIssues(issues: readonly Issue[], schema: z.ZodType, root: Tree, base: readonly PropertyKey[]): TsboxError[] {
  const errors: TsboxError[] = [];
  for (const issue of issues) {
    for (const finding of findings(issue, schema, at(root, base), [])) {
      const path = [...base, ...finding.path];
      const value = at(root, path);
      if (value?.kind === 'scalar' && value.broken) {
        continue;
      }
      const secret = value?.kind === 'scalar' && value.sensitive;
      const message = secret ? `the value of '${nameOf(path)}', made of a sensitive variable, does not fit` : finding.message;
      const { expected, hint } = finding;
      errors.push(new TsboxError('TSB1003', message, { ...located(placeOf(root, path, finding.at)), expected, hint: secret ? undefined : hint }));
    }
  }
  return errors;
}

function at(tree: Tree | undefined, path: readonly PropertyKey[]): Tree | undefined {
  return path.reduce<Tree | undefined>(child, tree);
}

function nameOf(path: readonly PropertyKey[]): string {
  const last = path.at(-1);
  const parent = path.at(-2);
  return typeof last === 'number' && parent !== undefined ? `${String(parent)}[${last}]` : String(last ?? 'the stack');
}

/** `tree` is where the schema starts; `prefix` leads from there to the issue's own start (inside unions). */
function findings(issue: Issue, schema: z.ZodType, tree: Tree | undefined, prefix: readonly PropertyKey[]): Finding[] {
  const path = [...prefix, ...issue.path];
  const value = at(tree, path);
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(key, knownKeys(schema, path), path));
    case 'invalid_union':
      return unionFindings(issue, schema, tree, path);
    case 'invalid_key':
      return issue.issues.flatMap((inner) => findings(inner, schema, tree, path)).map((finding) => ({ ...finding, path, at: 'key' as const }));
    case 'custom': {
      const { expected, hint, at: part } = (issue.params ?? {}) as { expected?: string; hint?: string; at?: 'key' };
      if (value === undefined && issue.path.length > 0 && part !== 'key') {
        return [missing(path, expected)];
      }
      return [{ path, at: part ?? 'value', message: issue.message, expected, hint }];
    }
    case 'invalid_type':
      return [wrongShape(path, value, shapesAt(schema, path))];
    case 'invalid_value':
      return [value === undefined ? missing(path, issue.values.join(', ')) : wrongWord(path, value, issue.values.map(String))];
    case 'too_small':
    case 'too_big':
      return [sized(issue, path, value)];
    default:
      return [{ path, at: 'value', message: issue.message.charAt(0).toLowerCase() + issue.message.slice(1) }];
  }
}

function shapesAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly Shape[] {
  return schemasAt(schema, path).flatMap(shapesOf);
}

function missing(path: readonly PropertyKey[], expected?: string): Finding {
  return { path, at: 'value', message: `'${nameOf(path)}' is missing`, expected };
}

export function unknownKey(key: string, known: readonly string[], path: readonly PropertyKey[]): Finding {
  const near = suggest(key, known);
  const owner = path.length === 0 ? '' : ` in '${nameOf(path)}'`;
  const expected = known.length === 0 ? undefined : `one of ${[...known].sort().join(', ')}`;
  return { path: [...path, key], at: 'key', message: `unknown key '${key}'${owner}`, expected, hint: near === undefined ? undefined : `did you mean "${near}"?` };
}

function wrongShape(path: readonly PropertyKey[], value: Tree | undefined, shapes: readonly Shape[]): Finding {
  const expected = shapeWords(shapes) || undefined;
  if (value === undefined) {
    return missing(path, expected);
  }
  const found = value.kind === 'scalar' ? value.value : value.kind === 'list' ? [] : {};
  if (found === null) {
    return { path, at: 'value', message: `'${nameOf(path)}' is empty`, expected, hint: 'give it a value, or remove the key' };
  }
  const shown = value.kind === 'scalar' ? show(found) : `a ${value.kind}`;
  return { path, at: 'value', message: `'${nameOf(path)}' cannot be ${shown}`, expected, hint: shapeHint(found, shapes) };
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
    return { path, at: 'value', message: `'${nameOf(path)}' is empty`, expected: words.join(', '), hint: 'give it a value, or remove the key' };
  }
  const near = typeof found === 'string' ? suggest(found, words) : undefined;
  const shown = value.kind === 'scalar' ? show(found) : `a ${value.kind}`;
  return { path, at: 'value', message: `'${nameOf(path)}' cannot be ${shown}`, expected: words.join(', '), hint: near === undefined ? undefined : `did you mean "${near}"?` };
}

function sized(issue: Issue & { readonly code: 'too_small' | 'too_big' }, path: readonly PropertyKey[], value: Tree | undefined): Finding {
  const bound = issue.code === 'too_small' ? issue.minimum : issue.maximum;
  const words = issue.code === 'too_small' ? 'at least' : 'at most';
  const unit = issue.origin === 'array' ? ' items' : issue.origin === 'string' ? ' characters' : '';
  const empty = issue.code === 'too_small' && (unit === ' items' || unit === ' characters') && Number(bound) === 1;
  const size = value?.kind === 'list' ? ` has ${value.items.length} items` : value?.kind === 'scalar' && unit === '' ? ` cannot be ${show(value.value)}` : ` is too ${issue.code === 'too_small' ? 'short' : 'long'}`;
  const message = empty ? `'${nameOf(path)}' is empty` : `'${nameOf(path)}'${size}`;
  return { path, at: 'value', message, expected: `${words} ${bound}${Number(bound) === 1 ? unit.replace(/s$/, '') : unit}` };
}

/** The issues of the branch that was meant: the one for this shape of value, and of several the one that got furthest. */
function unionFindings(issue: Issue & { readonly code: 'invalid_union' }, schema: z.ZodType, tree: Tree | undefined, path: readonly PropertyKey[]): Finding[] {
  const value = at(tree, path);
  if (value === undefined) {
    return [missing(path, shapeWords(shapesAt(schema, path)) || undefined)];
  }
  const options = schemasAt(schema, path);
  const shape = shapeOf(value.kind === 'scalar' ? value.value : value.kind === 'list' ? [] : {});
  const fitting = issue.errors.filter((_, index) => {
    const option = options[index];
    const shapes = option === undefined ? [] : shapesOf(option);
    return shapes.length === 0 || shapes.includes(shape);
  });
  const depth = (issues: readonly Issue[]): number => Math.max(0, ...issues.map((inner) => inner.path.length));
  const best = fitting.sort((a, b) => depth(b) - depth(a) || a.length - b.length)[0];
  if (best !== undefined) {
    return best.flatMap((inner) => findings(inner, schema, tree, path));
  }
  const custom = issue.errors.flat().find((inner) => inner.code === 'custom' && inner.path.length === 0);
  return custom === undefined || shape === 'empty' ? [wrongShape(path, value, shapesAt(schema, path))] : findings(custom, schema, tree, path);
}
