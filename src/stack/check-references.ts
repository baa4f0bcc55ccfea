/** References to nothing, to the wrong kind, to oneself. */
import { NAMESPACE_TYPES } from '../kernel/init-spec.ts';
import type { NamespaceType } from '../kernel/init-spec.ts';
import type { ContainerSpec } from '../resources/container/schema.ts';
import type { DeviceUse } from '../resources/devices/schema.ts';
import { meant } from '../resources/values.ts';
import type { Path } from './build.ts';
import { checkOwners } from './check-owners.ts';
import { checkSysctls } from './check-sysctls.ts';
import {
  containerExists,
  dependencyPath,
  exists,
  lineOf,
  report,
  reportAt,
  treeOf,
  usePath,
  type Checking,
} from './checking.ts';
import { REFERENCES, referencesIn } from './outputs.ts';
import { child } from './tree.ts';

export function containerReferences(checking: Checking, container: ContainerSpec): void {
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

export function deviceReference(checking: Checking, address: string, devices: DeviceUse | null): void {
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

export function outputReferences(checking: Checking): void {
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
