/** From the merged tree to typed items, each checked by its own schema; an item with an error is left out. */
import { resolve } from 'node:path';
import type * as z from 'zod';
import { TsboxError } from '../errors.ts';
import { collectKnobs } from '../resources/cgroup/schema.ts';
import type { CgroupSpec } from '../resources/cgroup/schema.ts';
import { containerOf, replicaName } from '../resources/container/replica-names.ts';
import { containerSchema, containerSpec } from '../resources/container/schema.ts';
import type { ContainerSpec } from '../resources/container/schema.ts';
import { deviceRulesSchema } from '../resources/devices/schema.ts';
import { collectNetwork } from '../resources/network/schema.ts';
import type { DeviceRule, DeviceUse } from '../resources/devices/schema.ts';
import type { DriftSettings } from '../resources/drift-settings.ts';
import { namespaceSchema } from '../resources/namespace/schema.ts';
import type { NamespaceSpec } from '../resources/namespace/schema.ts';
import { translateIssues, unknownKey } from './issues.ts';
import type { Fault } from './issues.ts';
import { fileSchema, fileSpec, type FileSpec } from '../resources/files.ts';
import { volumeSchema, volumeSpec, type VolumeSpec } from '../resources/volume/schema.ts';
import { NO_BLOCKS, type Blocks } from './blocks.ts';
import { checkSchema, conditionsOf, policySchema, type Condition } from './conditions.ts';
import { metaOf, type Meta } from './meta.ts';
import { nameProblem } from './names.ts';
import type { NameProblem } from './names.ts';
import { placeOf } from './positions.ts';
import { cgroupSchema, outputSchema, topShape, TOP_KEYS } from './schema.ts';
import type { SECTIONS } from './schema.ts';
import { located } from './source.ts';
import { child, mapTree, toData } from './tree.ts';
import type { MapTree, Tree } from './tree.ts';

export type Path = readonly (string | number)[];

/** Everything of a stack that has no error of its own. References are not checked yet. */
export interface Items {
  readonly name: string;
  readonly cgroups: ReadonlyMap<string, CgroupSpec>;
  readonly namespaces: ReadonlyMap<string, NamespaceSpec>;
  readonly devices: ReadonlyMap<string, readonly DeviceRule[]>;
  readonly containers: ReadonlyMap<string, ContainerSpec>;
  /** How many replicas each replicated container has; its own name stands for all of them. */
  readonly replicas: ReadonlyMap<string, number>;
  readonly volumes: ReadonlyMap<string, VolumeSpec>;
  readonly secrets: ReadonlyMap<string, FileSpec>;
  readonly configs: ReadonlyMap<string, FileSpec>;
  readonly outputs: ReadonlyMap<string, { readonly value: string; readonly sensitive: boolean }>;
  readonly blocks: Blocks;
  readonly conditions: readonly Condition[];
  readonly meta: ReadonlyMap<string, Meta>;
  readonly drift: DriftSettings | undefined;
  /** Where each item stands in the tree, by address: 'cgroup/a/b' is at cgroups, a, children, b. */
  readonly paths: ReadonlyMap<string, Path>;
}

interface Building {
  readonly root: MapTree;
  readonly partial: boolean;
  readonly problems: TsboxError[];
  readonly paths: Map<string, Path>;
  readonly meta: Map<string, Meta>;
}

/** In commands, environments and masks numbers and booleans are passed as written: 0644 is not 644. */
const AS_WRITTEN: readonly string[] = ['command', 'entrypoint', 'env', 'umask'];

function dataOf(tree: Tree): unknown {
  if (tree.kind !== 'map') {
    return toData(tree);
  }
  const data: Record<string, unknown> = {};
  for (const [key, entry] of tree.entries) {
    data[key] = toData(entry.tree, AS_WRITTEN.includes(key));
  }
  return data;
}

/** `partial`: a file could not be used, so nothing is said to be missing at the top. */
export function buildItems(
  root: MapTree,
  partial: boolean,
  problems: TsboxError[],
  replicas: ReadonlyMap<string, number>,
  env: NodeJS.ProcessEnv = {},
): Items {
  const building: Building = { root, partial, problems, paths: new Map(), meta: new Map() };
  const { name, drift, blocks } = topLevel(building);
  const cgroups = new Map<string, CgroupSpec>();
  cgroupsBelow(building, ['cgroups'], '', cgroups);
  const containers = section(building, 'containers', 'container', (id, tree, path) =>
    container(building, id, tree, path),
  );
  for (const [base, count] of replicas) {
    building.paths.set(`container/${base}`, ['containers', replicaName(base, 0)]);
    if (count === 0) {
      containers.delete(replicaName(base, 0));
      building.paths.delete(`container/${replicaName(base, 0)}`);
      building.meta.delete(`container/${replicaName(base, 0)}`);
    }
  }
  section(building, 'checks', 'check', (_, tree, path) => parsed(building, checkSchema, tree, path));
  section(building, 'policies', 'policy', (_, tree, path) => parsed(building, policySchema, tree, path));
  return {
    name,
    drift,
    cgroups,
    namespaces: section(building, 'namespaces', 'namespace', (id, tree, path) => {
      const spec = parsed(building, namespaceSchema, tree, path);
      return spec === undefined ? undefined : { name: id, ...spec };
    }),
    devices: section(building, 'devices', 'device set', (_, tree, path) =>
      parsed(building, deviceRulesSchema, tree, path),
    ),
    containers,
    replicas,
    volumes: section(building, 'volumes', 'volume', (id, tree, path) => {
      const input = parsed(building, volumeSchema, tree, path);
      return input && volumeSpec(id, input, (relative) => resolve(directoryAt(building, [...path, 'path']), relative));
    }),
    secrets: section(building, 'secrets', 'secret', (id, tree, path) => file(building, id, tree, path, env)),
    configs: section(building, 'configs', 'config', (id, tree, path) => file(building, id, tree, path, env)),
    outputs: section(building, 'outputs', 'output', (_, tree, path) => {
      const output = parsed(building, outputSchema, tree, path);
      const value = child(tree, 'value') ?? tree;
      return output === undefined
        ? undefined
        : { ...output, sensitive: output.sensitive || (value.kind === 'scalar' && value.sensitive) };
    }),
    blocks,
    conditions: conditionsOf(root, building.paths),
    meta: building.meta,
    paths: building.paths,
  };
}

function report(building: Building, path: Path, part: 'key' | 'value', { message, expected }: NameProblem): void {
  building.problems.push(
    new TsboxError('TSB1003', message, { ...located(placeOf(building.root, path, part)), expected }),
  );
}

/**
 * The value of a tree. Where it has errors they are told, and what is left without the fields that have them is
 * returned, so that references in the others are still checked; `required` stands in for fields that must be there.
 */
function parsed<T>(
  building: Building,
  schema: z.ZodType<T>,
  tree: Tree,
  path: Path,
  required: Readonly<Record<string, unknown>> = {},
): T | undefined {
  if (tree.kind === 'scalar' && tree.broken) {
    return undefined;
  }
  const data = dataOf(tree);
  const result = schema.safeParse(data);
  if (result.success) {
    return result.data;
  }
  const faults = translateIssues(result.error.issues, schema, building.root, path);
  for (const { error } of faults) {
    if (error !== undefined) {
      building.problems.push(error);
    }
  }
  return isRecord(data) ? schema.safeParse({ ...required, ...withoutFaults(data, faults) }).data : undefined;
}

function isRecord(data: unknown): data is Record<string, unknown> {
  return typeof data === 'object' && data !== null && !Array.isArray(data);
}

/** The data less what the faults are about, to two levels. */
function withoutFaults(data: Record<string, unknown>, faults: readonly Fault[]): Record<string, unknown> {
  const rest = { ...data };
  const copied = new Set<string>();
  for (const { path } of faults) {
    const [first, second] = path.map(String);
    if (first === undefined) {
      continue;
    }
    const inner = rest[first];
    if (second === undefined || !isRecord(inner)) {
      delete rest[first];
      continue;
    }
    if (!copied.has(first)) {
      copied.add(first);
      rest[first] = { ...inner };
    }
    delete (rest[first] as Record<string, unknown>)[second];
  }
  return rest;
}

/** Version, name, blocks and unknown keys; the name is '' when there is none. */
function topLevel(building: Building): { name: string; drift: DriftSettings | undefined; blocks: Blocks } {
  const { root, problems } = building;
  for (const key of root.entries.keys()) {
    if (!TOP_KEYS.includes(key) && !key.startsWith('x-')) {
      const { path, message, hint } = unknownKey(key, TOP_KEYS, []);
      const expected = `one of ${TOP_KEYS.join(', ')}, or a key beginning with x-`;
      problems.push(new TsboxError('TSB1003', message, { ...located(placeOf(root, path, 'key')), expected, hint }));
    }
  }
  let name = '';
  let drift: DriftSettings | undefined;
  let blocks = NO_BLOCKS;
  for (const [key, schema] of Object.entries(topShape)) {
    const tree = root.entries.get(key)?.tree;
    if (tree === undefined) {
      const expected = { tsbox: 'tsbox: 1, the version of the language', name: "name: NAME, the stack's name" }[key];
      if (expected !== undefined && !building.partial) {
        problems.push(
          new TsboxError('TSB1003', `'${key}' is missing`, {
            ...located({ ...root.place, end: root.place.start }),
            expected,
          }),
        );
      }
      continue;
    }
    const value = parsed(building, schema as z.ZodType, tree, [key]);
    if (key === 'drift') {
      drift = value as DriftSettings | undefined;
    }
    if (key in NO_BLOCKS && value !== undefined) {
      blocks = { ...blocks, [key]: value };
    }
    if (key === 'name' && typeof value === 'string') {
      name = value;
      const wrong = nameProblem('stack', name);
      if (wrong !== undefined) {
        report(building, ['name'], 'value', wrong);
      }
    }
  }
  return { name, drift, blocks };
}

/** The map of a section; anything else is an error. */
function sectionMap(building: Building, path: Path, what: string): MapTree | undefined {
  const tree = path.reduce<Tree | undefined>(child, building.root);
  if (tree === undefined || tree.kind === 'map' || (tree.kind === 'scalar' && (tree.broken || tree.value === null))) {
    return tree?.kind === 'map' ? tree : undefined;
  }
  report(building, path, 'key', {
    message: `'${String(path.at(-1))}' is not a map`,
    expected: `a map from names to ${what}`,
  });
  return undefined;
}

/** Where an item stands, and what it says besides its own keys. */
function note(building: Building, address: string, tree: Tree, path: Path): void {
  building.paths.set(address, path);
  const meta = metaOf(tree);
  if (meta !== undefined) {
    building.meta.set(address, meta);
  }
}

type Kind = 'check' | 'policy' | 'namespace' | 'device set' | 'container' | 'volume' | 'secret' | 'config' | 'output';

function section<T>(
  building: Building,
  key: keyof typeof SECTIONS,
  kind: Kind,
  make: (name: string, tree: Tree, path: Path) => T | undefined,
): Map<string, T> {
  const items = new Map<string, T>();
  const faulty = new Set<string>();
  for (const [name, { tree }] of sectionMap(building, [key], `${kind}s`)?.entries ?? []) {
    const path = [key, name];
    note(building, `${kind === 'device set' ? 'devices' : kind}/${name}`, tree, path);
    const wrong = nameProblem(kind, kind === 'container' ? containerOf(name) : name);
    if (wrong !== undefined) {
      report(building, path, 'key', wrong);
    }
    // Replicas are alike, and so are their errors: those of one are told.
    const told = building.problems.length;
    const item = faulty.has(containerOf(name)) ? undefined : make(name, tree, path);
    if (kind === 'container' && building.problems.length > told) {
      faulty.add(containerOf(name));
    }
    if (item !== undefined) {
      items.set(name, item);
    }
  }
  return items;
}

/** Cgroups of a map of children, parents first. */
function cgroupsBelow(
  building: Building,
  path: Path,
  parent: string,
  out: Map<string, CgroupSpec>,
  above: string | null = null,
): void {
  for (const [name, { tree }] of sectionMap(building, path, 'cgroups')?.entries ?? []) {
    const here = [...path, name];
    const address = parent === '' ? name : `${parent}/${name}`;
    note(building, `cgroup/${address}`, tree, here);
    const wrong = nameProblem('cgroup', name);
    if (wrong !== undefined) {
      report(building, here, 'key', wrong);
    }
    const fields =
      tree.kind === 'scalar' && tree.value === null && !tree.broken ? mapTree(tree.place, new Map()) : tree;
    const input = parsed(building, cgroupSchema, withoutChildren(fields), here) as
      ({ devices?: DeviceUse; optional?: boolean; adopt?: string } & Record<string, unknown>) | undefined;
    const inherited = above === null ? null : `${above}/${name}`;
    const location = input?.adopt ?? inherited;
    if (input?.adopt !== undefined && parent !== '') {
      report(building, [...here, 'adopt'], 'key', {
        message: 'adopt belongs to a cgroup at the top',
        expected: 'children of an adopted cgroup are adopted with it',
      });
    }
    if (input !== undefined) {
      out.set(address, {
        path: address,
        name,
        location,
        knobs: collectKnobs(input),
        devices: input.devices ?? null,
        network: collectNetwork(input),
        optional: input.optional ?? false,
      });
    }
    cgroupsBelow(building, [...here, 'children'], address, out, location);
  }
}

function withoutChildren(tree: Tree): Tree {
  if (tree.kind !== 'map' || !tree.entries.has('children')) {
    return tree;
  }
  return mapTree(tree.place, new Map([...tree.entries].filter(([key]) => key !== 'children')));
}

/** The directory of the file in which a value stands. */
function directoryAt(building: Building, path: Path): string {
  return placeOf(building.root, path, 'key')?.file.directory ?? '/';
}

function file(building: Building, name: string, tree: Tree, path: Path, env: NodeJS.ProcessEnv): FileSpec | undefined {
  const input = parsed(building, fileSchema, tree, path);
  return input && fileSpec(name, input, (to) => resolve(directoryAt(building, [...path, 'file']), to), env);
}

function container(building: Building, name: string, tree: Tree, path: Path): ContainerSpec | undefined {
  const input = parsed(building, containerSchema, tree, path, { command: ['-'] });
  if (input === undefined) {
    return undefined;
  }
  return containerSpec(name, input, (relative, ...at) => resolve(directoryAt(building, [...path, ...at]), relative));
}
