/**
 * `${name}`, `${name:-default}`, `${name:?message}` and `$$` in values, never in keys. A `$` before anything else stands
 * for itself. What a variable gives is not looked at again, so a value cannot smuggle a reference in.
 */
import { TsboxError } from '../errors.ts';
import { suggest } from '../resources/suggest.ts';
import { located } from './source.ts';
import type { Place } from './source.ts';
import { brokenTree, listTree, mapTree, scalarTree } from './tree.ts';
import type { ScalarTree, Tree } from './tree.ts';
import { fillOutput, literalOutput, referencesIn } from './outputs.ts';
import type { Variable, VariableType, VariableValue } from './variables.ts';
import { VARIABLE_NAME } from './variables.ts';

/** Characters in one value, and in all values of a stack, after interpolation. */
const VALUE_LENGTH = 1_000_000;
const TOTAL_LENGTH = 16_000_000;
/** Levels of `${a:-${b:-…}}`. */
const NESTING = 8;

/** Errors after which no did-you-mean is looked for. */
const GUESSES = 100;

export interface Interpolation {
  readonly variables: ReadonlyMap<string, Variable>;
  readonly problems: TsboxError[];
  /** Results by tree: parts shared through aliases are done, and told about, once. */
  readonly done: Map<Tree, Tree>;
  /** In outputs: references to resources stay as they stand, and any other `$` is written twice (see outputs.ts). */
  readonly keepReferences: boolean;
  /** Outputs of modules, by MODULE.OUTPUT, in the form of outputs. */
  readonly modules?: ReadonlyMap<string, string>;
  /** Characters left of TOTAL_LENGTH. */
  budget: number;
}

export function interpolation(
  variables: ReadonlyMap<string, Variable>,
  problems: TsboxError[],
  keepReferences: boolean,
): Interpolation {
  return { variables, problems, done: new Map(), keepReferences, budget: TOTAL_LENGTH };
}

/** The number of a replica, in the values of a container that has replicas. */
export const INDEX = 'index';

/** Outside of replicas: a default given with it stands in. */
const NO_INDEX: Variable = { type: 'integer', value: undefined, sensitive: false };

/** The same for one replica, in whose values `${index}` is its number. */
export function forReplica(state: Interpolation, index: number): Interpolation {
  return withVariables(state, new Map([[INDEX, { type: 'integer', value: index, sensitive: false }]]));
}

/** The same with more variables. */
export function withVariables(state: Interpolation, more: ReadonlyMap<string, Variable>): Interpolation {
  const own = { ...state, variables: new Map([...state.variables, ...more]), done: new Map<Tree, Tree>() };
  // What the replicas are filled with counts together.
  return Object.defineProperty(own, 'budget', {
    get: () => state.budget,
    set: (left: number) => {
      state.budget = left;
    },
  });
}

/** The tree with variables filled in. */
export function interpolate(state: Interpolation, tree: Tree): Tree {
  const before = state.done.get(tree);
  if (before !== undefined) {
    return before;
  }
  const after = filled(state, tree);
  state.done.set(tree, after);
  return after;
}

function filled(state: Interpolation, tree: Tree): Tree {
  switch (tree.kind) {
    case 'scalar':
      return typeof tree.value === 'string' && tree.value.includes('$') ? filledScalar(state, tree, tree.value) : tree;
    case 'list': {
      const items = tree.items.map((item) => interpolate(state, item));
      return items.every((item, index) => item === tree.items[index]) ? tree : listTree(tree.place, items);
    }
    case 'map': {
      let same = true;
      const entries = new Map<string, { key: Place; tree: Tree }>();
      for (const [key, entry] of tree.entries) {
        const value = interpolate(state, entry.tree);
        same &&= value === entry.tree;
        entries.set(key, { key: entry.key, tree: value });
      }
      return same ? tree : mapTree(tree.place, entries);
    }
  }
}

/** A failed value; what is wrong was told. */
const FAILED = Symbol('failed');
type Result = { readonly value: VariableValue; readonly sensitive: boolean } | typeof FAILED;

function filledScalar(state: Interpolation, tree: ScalarTree, text: string): Tree {
  const result = fill(state, tree, text, 0);
  return result === FAILED ? brokenTree(tree.place) : scalarTree(tree.place, result.value, undefined, result.sensitive);
}

function fill(state: Interpolation, tree: ScalarTree, text: string, level: number): Result {
  let out = '';
  let sensitive = false;
  let at = 0;
  for (let dollar = text.indexOf('$'); dollar >= 0; dollar = text.indexOf('$', at)) {
    out += text.slice(at, dollar);
    if (text[dollar + 1] === '$') {
      out += state.keepReferences ? '$$' : '$';
      at = dollar + 2;
      continue;
    }
    if (text[dollar + 1] !== '{') {
      out += state.keepReferences ? '$$' : '$';
      at = dollar + 1;
      continue;
    }
    const end = closing(text, dollar + 2);
    if (end < 0) {
      return fail(state, tree, text.slice(dollar), "a '${' is not closed", {
        expected: '${NAME}',
        hint: 'for the two characters themselves write $${',
      });
    }
    const whole = text.slice(dollar, end + 1);
    const part = expression(state, tree, whole, level);
    if (part === FAILED) {
      return FAILED;
    }
    sensitive ||= part.sensitive;
    if (whole.length === text.length) {
      return part;
    }
    const added = String(part.value);
    state.budget -= added.length;
    if (out.length + added.length > VALUE_LENGTH || state.budget < 0) {
      return fail(state, tree, whole, 'the variables make this value too long', {
        expected: `at most ${VALUE_LENGTH} characters in a value and ${TOTAL_LENGTH} in all`,
        code: 'TSB1007',
      });
    }
    out += added;
    at = end + 1;
  }
  return { value: out + text.slice(at), sensitive };
}

/** Offset of the brace that closes what is open at `from`; -1 when none does. */
export function closing(text: string, from: number): number {
  let open = 1;
  for (let i = from; i < text.length; i++) {
    if (text[i] === '$' && text[i + 1] === '{') {
      open++;
      i++;
    } else if (text[i] === '}' && --open === 0) {
      return i;
    }
  }
  return -1;
}

function expression(state: Interpolation, tree: ScalarTree, whole: string, level: number): Result {
  const match = /^([^:}]*)(?::([-?])([\s\S]*))?$/.exec(whole.slice(2, -1));
  const name = match?.[1]?.trim() ?? '';
  if (name.startsWith('module.')) {
    return moduleOutput(state, tree, whole, name.slice('module.'.length));
  }
  const each = name.startsWith('each.') ? state.variables.get(name) : undefined;
  if (each?.value !== undefined && each.value !== null) {
    const value = state.keepReferences ? literalOutput(String(each.value)) : each.value;
    return { value, sensitive: each.sensitive };
  }
  if (name === 'each' || name.startsWith('each.')) {
    const there = [...state.variables.keys()].filter((n) => n.startsWith('each.'));
    const expected = there.length === 0 ? 'a value of an item with for_each' : there.join(', ');
    return fail(state, tree, whole, `'${whole}' means nothing here`, { expected });
  }
  if (match !== null && match[2] === undefined && /^[a-z]+\..+\.[a-z_]+$/.test(name)) {
    if (state.keepReferences) {
      return { value: whole, sensitive: false };
    }
    return fail(state, tree, whole, `'${whole}' is known only after apply`, {
      expected: 'a variable; only outputs can refer to what runs',
    });
  }
  if (match === null || !VARIABLE_NAME.test(name)) {
    return fail(state, tree, whole, `'${whole}' is not a variable`, {
      expected: '${NAME}, ${NAME:-DEFAULT} or ${NAME:?MESSAGE}',
      hint: `for the text itself write $${whole}`,
    });
  }
  const variable = state.variables.get(name) ?? (name === INDEX && match[2] === '-' ? NO_INDEX : undefined);
  if (variable === undefined && name === INDEX) {
    return fail(state, tree, whole, `'${whole}' is the number of a replica, and this is in none`, {
      expected: 'a value of a container that has replicas',
    });
  }
  if (variable === undefined) {
    const near = state.problems.length > GUESSES ? undefined : suggest(name, state.variables.keys());
    const hint =
      near === undefined
        ? `declare it under variables; for the text itself write $${whole}`
        : `did you mean "${near}"?`;
    return fail(state, tree, whole, `no variable '${name}' is declared`, { hint });
  }
  if (variable.value === null) {
    return FAILED;
  }
  if (variable.value !== undefined && !(match[2] !== undefined && variable.value === '')) {
    const value = state.keepReferences ? literalOutput(String(variable.value)) : variable.value;
    return { value, sensitive: variable.sensitive };
  }
  if (match[2] === '-') {
    if (level >= NESTING) {
      return fail(state, tree, whole, `defaults are more than ${NESTING} levels deep here`, {
        expected: `at most ${NESTING} levels`,
        code: 'TSB1007',
      });
    }
    const fallback = fill(state, tree, match[3] ?? '', level + 1);
    return fallback === FAILED
      ? FAILED
      : { value: typedDefault(fallback.value, variable.type), sensitive: fallback.sensitive || variable.sensitive };
  }
  const message =
    match[2] === '?' && match[3] !== ''
      ? `the variable '${name}' has no value: ${match[3]}`
      : `the variable '${name}' has no value`;
  return fail(state, tree, whole, message, {
    hint: `give it with --var ${name}=VALUE, or a default where it is declared`,
  });
}

/** What a module puts out; what it says of things that run is for outputs alone. */
function moduleOutput(state: Interpolation, tree: ScalarTree, whole: string, name: string): Result {
  const value = state.modules?.get(name);
  if (value === undefined) {
    const known = [...(state.modules?.keys() ?? [])];
    const expected =
      known.length === 0 ? 'an output of a module; there are none' : `one of ${known.slice(0, 12).join(', ')}`;
    return fail(state, tree, whole, `no module has the output '${name}'`, { expected });
  }
  if (state.keepReferences) {
    return { value, sensitive: false };
  }
  if (referencesIn(value).length > 0) {
    const expected = 'an output without references to what runs; outputs can have them';
    return fail(state, tree, whole, `'${whole}' is known only after apply`, { expected });
  }
  return { value: fillOutput(value, () => ''), sensitive: false };
}

/** A default is text in the file: made a number or a boolean where the variable is one. */
function typedDefault(value: VariableValue, type: VariableType): VariableValue {
  if (typeof value === 'string' && type === 'boolean' && (value === 'true' || value === 'false')) {
    return value === 'true';
  }
  const numeric =
    (type === 'integer' || type === 'number') && typeof value === 'string' && /^-?\d{1,15}(\.\d{1,9})?$/.test(value);
  return numeric ? Number(value) : value;
}

function fail(
  state: Interpolation,
  tree: ScalarTree,
  part: string,
  message: string,
  info: { readonly expected?: string; readonly hint?: string; readonly code?: 'TSB1007' },
): typeof FAILED {
  const { code = 'TSB1006', ...rest } = info;
  state.problems.push(new TsboxError(code, message, { ...located(within(tree.place, part)), ...rest }));
  return FAILED;
}

/** Where the part stands in the value as written; the whole value when escapes or folding changed it. */
function within(place: Place, part: string): Place {
  const written = place.file.text.slice(place.start, place.end);
  const at = written.indexOf(part);
  return at < 0 ? place : { file: place.file, start: place.start + at, end: place.start + at + part.length };
}
