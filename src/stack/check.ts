/** What no single item shows: references to nothing, wrong kinds, things in each other's place, limits above limits. */
import { TsboxError } from '../errors.ts';
import { NAMESPACE_TYPES } from '../kernel/init-spec.ts';
import type { NamespaceType } from '../kernel/init-spec.ts';
import type { ContainerSpec } from '../resources/container/schema.ts';
import type { DeviceUse } from '../resources/devices/schema.ts';
import { suggest } from '../resources/suggest.ts';
import { placeOf } from './positions.ts';
import type { Items, Path } from './build.ts';
import { checkCircles } from './check-circles.ts';
import { checkLimits } from './check-limits.ts';
import { located, spanOf } from './source.ts';
import type { MapTree } from './tree.ts';
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
  for (const container of checking.items.containers.values()) {
    containerReferences(checking, container);
  }
  for (const cgroup of checking.items.cgroups.values()) {
    deviceReference(checking, `cgroup/${cgroup.path}`, cgroup.devices);
  }
  collisions(checking);
  outputReferences(checking);
  checkCircles(checking);
  checkLimits(checking);
}

/** 'stack.yaml:12' of a value of an item. */
export function lineOf(checking: Checking, address: string, path: Path): string {
  const place = placeOf(checking.root, [...(checking.items.paths.get(address) ?? []), ...path]);
  const at = place === undefined ? undefined : spanOf(place);
  return at === undefined ? '' : `${at.file}:${at.line}`;
}

export function report(checking: Checking, code: TsboxError['code'], address: string, path: Path, message: string, expected?: string, hint?: string): void {
  const full = [...(checking.items.paths.get(address) ?? []), ...path];
  checking.problems.push(new TsboxError(code, message, { ...located(placeOf(checking.root, full)), address, expected, hint }));
}

/** Names declared of a kind, with errors of their own or not. */
function declared(checking: Checking, kind: string): string[] {
  return [...checking.items.paths.keys()].filter((a) => a.startsWith(`${kind}/`)).map((a) => a.slice(kind.length + 1));
}

/** Reports a name that nothing has; true when it exists. */
function exists(checking: Checking, kind: string, name: string, address: string, path: Path, section: string): boolean {
  if (checking.items.paths.has(`${kind}/${name}`)) {
    return true;
  }
  if (!checking.partial) {
    const names = declared(checking, kind);
    const near = (checking.problems.length > GUESSES ? undefined : suggest(name, names)) ?? names.find((other) => other.split('/').at(-1) === name);
    const what = kind === 'devices' ? 'device set' : kind;
    const shown = names.slice(0, 12).join(', ') + (names.length > 12 ? ', …' : '');
    const expected = names.length === 0 ? `a ${what} declared under ${section}, which declares none` : `a ${what} declared under ${section}: ${shown}`;
    report(checking, 'TSB1004', address, path, `no ${what} '${name}' is declared`, expected, near === undefined ? undefined : `did you mean "${near}"?`);
  }
  return false;
}

function containerReferences(checking: Checking, container: ContainerSpec): void {
  const address = `container/${container.name}`;
  if (container.cgroup !== null) {
    exists(checking, 'cgroup', container.cgroup, address, ['cgroup'], 'cgroups');
  }
  deviceReference(checking, address, container.devices);
  Object.keys(container.dependsOn).forEach((name, index) => {
    exists(checking, 'container', name, address, dependencyPath(checking, address, name, index), 'containers');
  });
  for (const type of NAMESPACE_TYPES) {
    namespaceReference(checking, container, type);
  }
}

/** depends_on is a map or a list. */
export function dependencyPath(checking: Checking, address: string, name: string, index: number): Path {
  const place = placeOf(checking.root, [...(checking.items.paths.get(address) ?? []), 'depends_on', name], 'key');
  const whole = placeOf(checking.root, [...(checking.items.paths.get(address) ?? []), 'depends_on'], 'key');
  return place?.start === whole?.start ? ['depends_on', index] : ['depends_on', name];
}

function deviceReference(checking: Checking, address: string, devices: DeviceUse | null): void {
  if (typeof devices === 'string') {
    exists(checking, 'devices', devices, address, ['devices'], 'devices');
  }
}

function namespaceReference(checking: Checking, container: ContainerSpec, type: NamespaceType): void {
  const use = container.namespaces[type];
  const address = `container/${container.name}`;
  const path = ['namespaces', type];
  if (use.kind === 'container' && (use.stack === null || use.stack === checking.items.name)) {
    if (use.name === container.name) {
      report(checking, 'TSB1005', address, path, `container '${use.name}' cannot share its own ${type} namespace`, 'new, or another container');
    } else {
      exists(checking, 'container', use.name, address, path, 'containers');
    }
  }
  if (use.kind !== 'declared') {
    return;
  }
  const spec = checking.items.namespaces.get(use.name);
  if (spec !== undefined && spec.type !== type) {
    const others = [...checking.items.namespaces.values()].filter((n) => n.type === type).map((n) => n.name);
    const expected = others.length === 0 ? `a ${type} namespace; none is declared` : `a ${type} namespace: ${others.join(', ')}`;
    const where = lineOf(checking, `namespace/${use.name}`, ['type']);
    report(checking, 'TSB1004', address, path, `'${use.name}' is a namespace of type ${spec.type} (${where}), not ${type}`, expected);
  } else if (spec === undefined && !checking.items.paths.has(`namespace/${use.name}`)) {
    const sameName = checking.items.paths.has(`container/${use.name}`);
    if (sameName && !checking.partial) {
      report(checking, 'TSB1004', address, path, `no namespace '${use.name}' is declared`, 'a declared namespace', `for that of the container write container/${use.name}`);
    } else {
      exists(checking, 'namespace', use.name, address, path, 'namespaces');
    }
  }
}

/** A container's own cgroup is a child of the one it names; a declared cgroup may not stand in the same place. */
function collisions(checking: Checking): void {
  for (const { name, cgroup } of checking.items.containers.values()) {
    const path = cgroup === null ? name : `${cgroup}/${name}`;
    if (checking.items.paths.has(`cgroup/${path}`)) {
      const where = lineOf(checking, `cgroup/${path}`, []);
      report(checking, 'TSB1003', `container/${name}`, [], `container '${name}' would have the cgroup '${path}', which is declared too (${where})`, 'another name for one of the two', `to run it inside that cgroup write cgroup: ${path} and give the container another name`);
    }
  }
}

/** What an output may ask of a resource; the last part of ${container.NAME.pid}. */
const REFERENCES: Readonly<Record<string, readonly string[]>> = {
  container: ['pid', 'state', 'hostname', 'cgroup'],
  cgroup: ['path'],
  namespace: ['inode', 'path'],
};

function outputReferences(checking: Checking): void {
  for (const [name, output] of checking.items.outputs) {
    for (const match of output.value.matchAll(/\$\{([^}]*)\}/g)) {
      const [, kind = '', target = '', attribute = ''] = /^([a-z]+)\.(.+)\.([a-z_]+)$/.exec(match[1] ?? '') ?? [];
      const known = Object.hasOwn(REFERENCES, kind) ? REFERENCES[kind] : undefined;
      if (known === undefined || !known.includes(attribute)) {
        const near = known === undefined ? suggest(kind, Object.keys(REFERENCES)) : suggest(attribute, known);
        const expected = Object.entries(REFERENCES).map(([k, names]) => `\${${k}.NAME.${names.join('|')}}`).join(', ');
        report(checking, 'TSB1004', `output/${name}`, [], `'${match[0]}' is nothing an output can show`, expected, near === undefined ? undefined : `did you mean "${near}"?`);
      } else {
        exists(checking, kind, target, `output/${name}`, [], `${kind}s`);
      }
    }
  }
}
