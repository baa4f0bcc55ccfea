/** What the checks of a stack as a whole share: where an item stands, how it is reported, whether a name is declared. */
import { TsboxError } from '../errors.ts';
import type { NamespaceType } from '../kernel/init-spec.ts';
import { parseReplica, replicaName } from '../resources/container/replica-names.ts';
import { suggest } from '../resources/suggest.ts';
import type { Items, Path } from './build.ts';
import { placeOf } from './positions.ts';
import { located, spanOf } from './source.ts';
import { child } from './tree.ts';
import type { MapTree, Tree } from './tree.ts';
import type { Warning } from './types.ts';

export interface Checking {
  readonly root: MapTree;
  readonly items: Items;
  /** A file is missing: nothing is said to be undeclared. */
  readonly partial: boolean;
  readonly problems: TsboxError[];
  readonly warnings: Warning[];
}

/** Errors after which no did-you-mean is looked for: it costs a comparison with every name. */
const GUESSES = 100;

/** 'stack.yaml:12' of a value of an item. */
export function lineOf(checking: Checking, address: string, path: Path): string {
  const place = placeOf(checking.root, [...(checking.items.paths.get(address) ?? []), ...path]);
  const at = place === undefined ? undefined : spanOf(place);
  return at === undefined ? '' : `${at.file}:${at.line}`;
}

type Told = [code: TsboxError['code'], address: string, path: Path, message: string, expected?: string, hint?: string];

/** Adds an error at a value of an item. */
export function report(checking: Checking, ...told: Told): void {
  // A dependency is named by its key, or by an item of a list, which has none; a kernel parameter by its key too.
  const byKey = told[2][0] === 'depends_on' || told[2][0] === 'sysctls';
  reportAt(checking, byKey ? 'key' : 'value', ...told);
}

export function reportAt(
  checking: Checking,
  part: 'key' | 'value',
  ...[code, address, path, message, expected, hint]: Told
): void {
  const full = [...(checking.items.paths.get(address) ?? []), ...path];
  checking.problems.push(
    new TsboxError(code, message, { ...located(placeOf(checking.root, full, part)), address, expected, hint }),
  );
}

/** The item's tree. */
export function treeOf(checking: Checking, address: string): Tree | undefined {
  return (checking.items.paths.get(address) ?? []).reduce<Tree | undefined>(child, checking.root);
}

/** Names declared of a kind, with errors of their own or not. */
function declared(checking: Checking, kind: string): string[] {
  return [...checking.items.paths.keys()]
    .filter((a) => a.startsWith(`${kind}/`) && (kind !== 'container' || parseReplica(a) === undefined))
    .map((a) => a.slice(kind.length + 1));
}

/** Reports the name of a container that is none, or of several where one is meant; true when it is good. */
export function containerExists(
  checking: Checking,
  name: string,
  address: string,
  path: Path,
  several: 'one' | 'all' = 'one',
): boolean {
  const { replicas, paths } = checking.items;
  const replica = parseReplica(name);
  const base = replica?.container ?? name;
  const count = replicas.get(base);
  const told = (message: string, expected: string): boolean => {
    report(checking, 'TSB1004', address, path, message, expected);
    return false;
  };
  const members = (of: number): string =>
    of === 1 ? replicaName(base, 0) : `${replicaName(base, 0)} to ${replicaName(base, of - 1)}`;
  const beyond = count !== undefined && replica !== undefined && replica.index >= count;
  if (count === 0 && (beyond || several === 'one')) {
    return told(`container '${base}' has 0 replicas: there is nothing to refer to`, 'another container');
  }
  if (count !== undefined && replica === undefined && several === 'one') {
    return told(`container '${base}' has replicas: say which is meant`, members(count));
  }
  if (count !== undefined && beyond) {
    return told(`container '${base}' has no replica '${name}'`, members(count));
  }
  if (count === undefined && replica !== undefined && paths.has(`container/${base}`)) {
    return told(`container '${base}' has no replicas`, base);
  }
  return exists(checking, 'container', name, address, path, 'containers');
}

/** Reports a name that nothing has; true when it exists. */
export function exists(
  checking: Checking,
  kind: string,
  name: string,
  address: string,
  path: Path,
  section: string,
): boolean {
  if (checking.items.paths.has(`${kind}/${name}`)) {
    return true;
  }
  if (!checking.partial && checking.problems.length > GUESSES) {
    report(checking, 'TSB1004', address, path, `no ${kind === 'devices' ? 'device set' : kind} '${name}' is declared`);
  } else if (!checking.partial) {
    const names = declared(checking, kind);
    const near = suggest(name, names) ?? names.find((other) => other.split('/').at(-1) === name);
    const what = kind === 'devices' ? 'device set' : kind;
    const shown = names.slice(0, 12).join(', ') + (names.length > 12 ? ', …' : '');
    const expected =
      names.length === 0
        ? `a ${what} declared under ${section}, which declares none`
        : `a ${what} declared under ${section}: ${shown}`;
    report(
      checking,
      'TSB1004',
      address,
      path,
      `no ${what} '${name}' is declared`,
      expected,
      near === undefined ? undefined : `did you mean "${near}"?`,
    );
  }
  return false;
}

/** depends_on is a map or a list. */
export function dependencyPath(checking: Checking, address: string, name: string, index: number): Path {
  return child(treeOf(checking, address), 'depends_on')?.kind === 'list' ? ['depends_on', index] : ['depends_on', name];
}

/** Where a container says which namespace of a type it uses: in namespaces or, for several types at once, in share. */
export function usePath(checking: Checking, container: string, type: NamespaceType): Path {
  const tree = treeOf(checking, `container/${container}`);
  const long = tree === undefined ? undefined : child(tree, 'namespaces');
  const share = tree === undefined ? undefined : child(tree, 'share');
  if (share === undefined || (long !== undefined && child(long, type) !== undefined)) {
    return ['namespaces', type];
  }
  return share.kind === 'map' ? ['share', 'container'] : ['share'];
}
