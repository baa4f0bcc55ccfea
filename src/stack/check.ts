/** What no single item shows: references to nothing, wrong kinds, things in each other's place, limits above limits. */
import { TsboxError } from '../errors.ts';
import { NAMESPACE_TYPES } from '../kernel/init-spec.ts';
import type { NamespaceType } from '../kernel/init-spec.ts';
import { leafPath } from '../resources/container/declare.ts';
import { containerOf, parseReplica, replicaName } from '../resources/container/replica-names.ts';
import type { ContainerSpec } from '../resources/container/schema.ts';
import type { DeviceUse } from '../resources/devices/schema.ts';
import { suggest } from '../resources/suggest.ts';
import { meant } from '../resources/values.ts';
import { placeOf } from './positions.ts';
import type { Items, Path } from './build.ts';
import { checkBlocks } from './check-blocks.ts';
import { checkCircles } from './check-circles.ts';
import { checkLifecycles, checkOrders } from './check-lifecycle.ts';
import { checkLimits } from './check-limits.ts';
import { checkUppers } from './check-uppers.ts';
import { checkSysctls } from './check-sysctls.ts';
import { checkOwners } from './check-owners.ts';
import { checkMounts, checkVolumes } from './check-mounts.ts';
import { REFERENCES, referencesIn } from './outputs.ts';
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

/** Adds errors and warnings about the items together. */
export function checkItems(checking: Checking): void {
  const faulty = new Set<string>();
  for (const container of checking.items.containers.values()) {
    const base = containerOf(container.name);
    const told = checking.problems.length;
    if (!faulty.has(base)) {
      containerReferences(checking, container);
      checkMounts(checking, container);
    }
    if (checking.problems.length > told) {
      // Replicas are alike, and so are their errors.
      faulty.add(base);
    }
  }
  for (const cgroup of checking.items.cgroups.values()) {
    deviceReference(checking, `cgroup/${cgroup.path}`, cgroup.devices);
  }
  checkVolumes(checking);
  checkUppers(checking);
  collisions(checking);
  adoptions(checking);
  outputReferences(checking);
  checkLifecycles(checking);
  checkOrders(checking);
  checkBlocks(checking);
  checkCircles(checking);
  checkLimits(checking);
}

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
function containerExists(
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

function containerReferences(checking: Checking, container: ContainerSpec): void {
  const address = `container/${container.name}`;
  if (container.cgroup !== null) {
    exists(checking, 'cgroup', container.cgroup, address, ['cgroup'], 'cgroups');
    if (typeof checking.items.cgroups.get(container.cgroup)?.location === 'string') {
      report(
        checking,
        'TSB1003',
        address,
        ['cgroup'],
        `'${container.cgroup}' is an adopted cgroup: it is given back as it was, so nothing of ours lives in it`,
        'a cgroup of the stack itself',
      );
    }
  }
  deviceReference(checking, address, container.devices);
  if (container.namespaces.mnt.kind !== 'new' && child(treeOf(checking, address), 'rootfs') !== undefined) {
    const message = `container '${container.name}' has a rootfs, but sees the files of the mnt namespace it shares`;
    const expected = 'no rootfs, or namespaces: { mnt: new }';
    reportAt(checking, 'key', 'TSB1003', address, ['rootfs'], message, expected);
  }
  Object.keys(container.dependsOn).forEach((name, index) => {
    const path = dependencyPath(checking, address, name, index);
    if (container.optional.has(name) && !isDeclared(checking, name)) {
      return;
    }
    containerExists(checking, name, address, path, 'all');
    healthToWaitFor(checking, container, name, address, path);
  });
  for (const type of NAMESPACE_TYPES) {
    namespaceReference(checking, container, type);
  }
  checkSysctls(checking, container);
  checkOwners(checking, container);
}

function isDeclared(checking: Checking, name: string): boolean {
  return checking.items.containers.has(name) || checking.items.replicas.has(name);
}

/** Nobody becomes healthy without being looked at. */
function healthToWaitFor(
  checking: Checking,
  container: ContainerSpec,
  name: string,
  address: string,
  path: Path,
): void {
  const others = [...checking.items.containers.values()].filter(
    (c) => c.name === name || c.name.startsWith(`${name}[`),
  );
  if (container.dependsOn[name] === 'healthy' && others.some((other) => other.healthcheck === null)) {
    const message = `container '${name}' has no health check, so it never becomes healthy`;
    reportAt(checking, 'value', 'TSB1003', address, path, message, 'a container with a healthcheck');
  }
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

function deviceReference(checking: Checking, address: string, devices: DeviceUse | null): void {
  if (typeof devices === 'string') {
    exists(checking, 'devices', devices, address, ['devices'], 'devices');
  }
}

function namespaceReference(checking: Checking, container: ContainerSpec, type: NamespaceType): void {
  const use = container.namespaces[type];
  if (use.kind !== 'container' && use.kind !== 'declared') {
    return;
  }
  const address = `container/${container.name}`;
  const path = usePath(checking, container.name, type);
  if (use.kind === 'container' && (use.stack === null || use.stack === checking.items.name)) {
    if (use.name === container.name) {
      report(
        checking,
        'TSB1005',
        address,
        path,
        `container '${use.name}' cannot share its own ${path[0] === 'share' ? 'namespaces' : `${type} namespace`}`,
        'new, or another container',
      );
    } else {
      containerExists(checking, use.name, address, path);
    }
  }
  if (use.kind !== 'declared') {
    return;
  }
  const spec = checking.items.namespaces.get(use.name);
  if (spec !== undefined && spec.type !== type) {
    const others = [...checking.items.namespaces.values()].filter((n) => n.type === type).map((n) => n.name);
    const expected =
      others.length === 0 ? `a ${type} namespace; none is declared` : `a ${type} namespace: ${others.join(', ')}`;
    const where = lineOf(checking, `namespace/${use.name}`, ['type']);
    report(
      checking,
      'TSB1004',
      address,
      path,
      `'${use.name}' is a namespace of type ${spec.type} (${where}), not ${type}`,
      expected,
    );
  } else if (spec === undefined && !checking.items.paths.has(`namespace/${use.name}`)) {
    const sameName = checking.items.paths.has(`container/${use.name}`);
    if (sameName && !checking.partial) {
      report(
        checking,
        'TSB1004',
        address,
        path,
        `no namespace '${use.name}' is declared`,
        'a declared namespace',
        `for that of the container write container/${use.name}`,
      );
    } else {
      exists(checking, 'namespace', use.name, address, path, 'namespaces');
    }
  }
}

/** A container's own cgroup is a child of the one it names; a declared cgroup may not stand in the same place. */
function collisions(checking: Checking): void {
  for (const { name, cgroup, update, healthcheck } of checking.items.containers.values()) {
    const path = leafPath({ name, cgroup });
    const replica = parseReplica(name);
    const [, base = '', number = ''] = /^(.+)\.(0|[1-9]\d*)$/.exec(name) ?? [];
    if (number !== '' && Number(number) < (checking.items.replicas.get(base) ?? 0)) {
      const message = `container '${name}' has the name that '${replicaName(base, Number(number))}' has in the file system`;
      report(checking, 'TSB1003', `container/${name}`, [], message, 'another name for one of the two');
    }
    if (replica !== undefined && update?.wait === 'healthy' && healthcheck === null) {
      const message = `container '${replica.container}' has no health check, so its replicas never become healthy`;
      reportAt(
        checking,
        'value',
        'TSB1003',
        `container/${name}`,
        ['update', 'wait'],
        message,
        'started, or a healthcheck',
      );
    }
    if (replica === undefined && update !== null) {
      const message = `container '${name}' has an update, but no replicas to roll over`;
      reportAt(checking, 'key', 'TSB1003', `container/${name}`, ['update'], message, 'replicas: N beside it');
    }
    if (checking.items.paths.has(`cgroup/${path}`)) {
      const where = lineOf(checking, `cgroup/${path}`, []);
      report(
        checking,
        'TSB1003',
        `container/${name}`,
        [],
        `container '${name}' would have the cgroup '${path}', which is declared too (${where})`,
        'another name for one of the two',
        `to run it inside that cgroup write cgroup: ${path} and give the container another name`,
      );
    }
  }
}

/** What an adopted cgroup cannot have, and two that adopt the same. */
function adoptions(checking: Checking): void {
  const by = new Map<string, string>();
  for (const { path, location, devices } of checking.items.cgroups.values()) {
    if (location === null) {
      continue;
    }
    const address = `cgroup/${path}`;
    const other = by.get(location);
    if (other !== undefined) {
      const where = lineOf(checking, other, ['adopt']);
      report(checking, 'TSB1003', address, ['adopt'], `${location} is adopted by ${other} already (${where})`);
    }
    by.set(location, address);
    if (devices !== null) {
      reportAt(
        checking,
        'key',
        'TSB1003',
        address,
        ['devices'],
        'an adopted cgroup keeps its device rules: what its owner attached could not be given back',
        'no devices here',
        'tsbox show --devices shows what applies',
      );
    }
  }
}

function outputReferences(checking: Checking): void {
  for (const [name, output] of checking.items.outputs) {
    const path = child(treeOf(checking, `output/${name}`), 'value') === undefined ? [] : ['value'];
    for (const { kind, name: target, attribute, text } of referencesIn(output.value)) {
      const known = Object.hasOwn(REFERENCES, kind) ? REFERENCES[kind] : undefined;
      if (known === undefined || !known.includes(attribute)) {
        const expected = Object.entries(REFERENCES).map(([k, names]) => `\${${k}.NAME.${names.join('|')}}`);
        const hint = known === undefined ? meant(kind, Object.keys(REFERENCES)) : meant(attribute, known);
        report(
          checking,
          'TSB1004',
          `output/${name}`,
          path,
          `'${text}' is nothing an output can show`,
          expected.join(', '),
          hint,
        );
      } else if (kind === 'container') {
        containerExists(checking, target, `output/${name}`, path);
      } else {
        exists(checking, kind, target, `output/${name}`, path, `${kind}s`);
      }
    }
  }
}
