/**
 * `for_each:` written out: an item with a list or a map becomes one for each of its keys, NAME.KEY, with `${each.key}` and
 * `${each.value}` filled in and every value still at its place in the file.
 */
import { TsboxError } from '../errors.ts';
import { interpolate, withVariables } from './interpolate.ts';
import type { Interpolation } from './interpolate.ts';
import { located } from './source.ts';
import { child, mapTree } from './tree.ts';
import type { Entry, ScalarTree, Tree } from './tree.ts';
import type { Variable } from './variables.ts';

/** Members of one item. */
const MEMBER_LIMIT = 1000;

const KEY = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,30}$/;

/** Names that stand for several: each with its members. */
export type Groups = Map<string, readonly string[]>;

interface Each {
  readonly key: string;
  readonly variables: ReadonlyMap<string, Variable>;
}

function variableOf({ value, sensitive }: ScalarTree): Variable {
  const type = typeof value === 'number' ? 'number' : typeof value === 'boolean' ? 'boolean' : 'string';
  return { type, value: value ?? '', sensitive };
}

/** The keys with what `each` means for them; errors are told at the value. */
export function eachOf(state: Interpolation, given: Tree): Each[] {
  const tree = interpolate(state, given);
  const expected = 'a list of names, or a map from names to values';
  const tell = (at: Tree, message: string, what = expected): void =>
    void state.problems.push(new TsboxError('TSB1003', message, { ...located(at.place), expected: what }));
  if (tree.kind === 'scalar') {
    if (!tree.broken) {
      tell(tree, 'for_each has no members to be made for');
    }
    return [];
  }
  const members: Each[] = [];
  const seen = new Set<string>();
  const add = (at: Tree, key: string, value: Tree): void => {
    if (!KEY.test(key) || seen.has(key) || members.length >= MEMBER_LIMIT) {
      const why = seen.has(key)
        ? 'is there twice'
        : members.length >= MEMBER_LIMIT
          ? 'is one too many'
          : 'cannot be a key';
      tell(
        at,
        `'${key}' ${why}`,
        `at most ${MEMBER_LIMIT} different keys of A-Z a-z 0-9 '_' '-', 31 characters at most`,
      );
      return;
    }
    seen.add(key);
    const variables = new Map<string, Variable>([['each.key', { type: 'string', value: key, sensitive: false }]]);
    if (value.kind === 'scalar') {
      variables.set('each.value', variableOf(value));
    } else if (value.kind === 'map') {
      for (const [field, entry] of value.entries) {
        if (entry.tree.kind === 'scalar') {
          variables.set(`each.value.${field}`, variableOf(entry.tree));
        }
      }
    } else {
      tell(value, `the value of '${key}' is a list`, 'text, a number, true, false, or a map of those');
    }
    members.push({ key, variables });
  };
  if (tree.kind === 'list') {
    tree.items.forEach((item) => {
      if (item.kind === 'scalar' && !item.broken) {
        add(item, item.written ?? String(item.value ?? ''), item);
      } else if (item.kind !== 'scalar') {
        tell(item, 'an item of for_each is no name');
      }
    });
  } else {
    tree.entries.forEach((entry, key) => add(entry.tree, key, entry.tree));
  }
  return members;
}

function without(tree: Tree, key: string): Tree {
  return tree.kind === 'map' ? mapTree(tree.place, new Map([...tree.entries].filter(([k]) => k !== key))) : tree;
}

/** A section with its members written out, those filled in; `nested` names the key of further items below. */
export function expandEach(state: Interpolation, section: Tree, groups: Groups, nested?: string, prefix = ''): Tree {
  if (section.kind !== 'map') {
    return section;
  }
  let same = true;
  const entries = new Map<string, Entry>();
  const put = (name: string, entry: Entry): void => {
    if (entries.has(name)) {
      const message = `'${name}' is there twice: by name and by for_each`;
      state.problems.push(new TsboxError('TSB1003', message, { ...located(entry.key), expected: 'another name' }));
    }
    entries.set(name, entry);
  };
  for (const [name, entry] of section.entries) {
    const below = nested === undefined ? undefined : child(entry.tree, nested);
    const expanded =
      below === undefined || nested === undefined
        ? entry.tree
        : withEntry(entry.tree, nested, expandEach(state, below, groups, nested, `${prefix}${name}/`));
    const given = child(expanded, 'for_each');
    if (given === undefined) {
      same &&= expanded === entry.tree;
      put(name, expanded === entry.tree ? entry : { key: entry.key, tree: expanded });
      continue;
    }
    same = false;
    if (child(expanded, 'replicas') !== undefined) {
      const info = { ...located(given.place), expected: 'one of the two' };
      state.problems.push(new TsboxError('TSB1003', `'${name}' has for_each and replicas`, info));
    }
    const plain = without(without(expanded, 'for_each'), 'replicas');
    const members = eachOf(state, given);
    for (const { key, variables } of members) {
      const own = withVariables(state, variables);
      const tree = interpolate(own, plain);
      // What is filled in is not looked at again.
      state.done.set(tree, tree);
      put(`${name}.${key}`, { key: entry.key, tree });
    }
    groups.set(
      prefix + name,
      members.map(({ key }) => `${name}.${key}`),
    );
  }
  return same ? section : mapTree(section.place, entries);
}

export function withEntry(tree: Tree, key: string, value: Tree): Tree {
  const entry = tree.kind === 'map' ? tree.entries.get(key) : undefined;
  if (tree.kind !== 'map' || entry === undefined || entry.tree === value) {
    return tree;
  }
  return mapTree(tree.place, new Map([...tree.entries, [key, { key: entry.key, tree: value }]]));
}
