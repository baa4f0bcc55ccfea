/**
 * Where things are, as opposed to what they are called. The kernel renames no cgroup, so a container whose address
 * changes keeps its directory, and one that is made before the old one ends has a directory of another generation:
 * NAME~2. The label says which address a directory has.
 */
import { leafPath } from '../resources/container/declare.ts';
import type { ContainerSpec } from '../resources/container/schema.ts';
import type { CgroupSpec } from '../resources/cgroup/schema.ts';
import type { Address, Declared, Extra, Observed } from '../resources/kind.ts';
import type { Label } from '../resources/label.ts';
import type { ScopeEntry, StackScope } from '../resources/scope.ts';
import type { Stack } from '../stack/types.ts';
import type { Draft } from './cascade.ts';

/** Moves that apply: the object is there under the old address, and nothing under the new one. */
export function movesOf(stack: Stack | undefined, scope: StackScope): Map<Address, Address> {
  const has = (address: Address): boolean =>
    address.startsWith('namespace/') ? scope.namespaces.has(address.slice(10)) : scope.byAddress.has(address);
  const all = new Map((stack?.blocks.moved ?? []).map((m) => [m.to, m.from]));
  const moves = new Map<Address, Address>();
  for (const [to, first] of all) {
    let from: Address | undefined = first;
    // a -> b -> c in turn: whichever of them is there.
    for (let n = 0; from !== undefined && !has(from) && n < all.size; n++) {
      from = all.get(from);
    }
    const movable = to.startsWith('container/') || to.startsWith('namespace/');
    if (movable && from !== undefined && has(from) && !has(to) && stack?.locate(to, []) !== undefined) {
      moves.set(to, from);
    }
  }
  return moves;
}

/** The scope with what is moved under its new address, in every label that names it. */
export function movedScope(scope: StackScope, moves: ReadonlyMap<Address, Address>): StackScope {
  if (moves.size === 0) {
    return scope;
  }
  const renamed = new Map([...moves].map(([to, from]) => [from, to]));
  const rewritten = new Set<Address>();
  const rename = (label: Label): Label => {
    const address = renamed.get(label.address) ?? label.address;
    const needs = label.needs?.map((n) => renamed.get(n) ?? n);
    const applied =
      label.applied === null
        ? null
        : Object.fromEntries(
            Object.entries(label.applied).map(([name, value]) => [
              name,
              name.startsWith('namespace.') && typeof value === 'string' ? (renamed.get(value) ?? value) : value,
            ]),
          );
    const changed =
      address !== label.address || JSON.stringify([needs, applied]) !== JSON.stringify([label.needs, label.applied]);
    if (!changed) {
      return label;
    }
    rewritten.add(address);
    return { ...label, address, applied, ...(needs === undefined ? {} : { needs }) };
  };
  const entries = new Map<string, ScopeEntry>();
  const byAddress = new Map<string, ScopeEntry>();
  for (const [path, entry] of scope.entries) {
    const label = entry.label === undefined ? undefined : rename(entry.label);
    const own = label === entry.label ? entry : { ...entry, label };
    entries.set(path, own);
    if (label !== undefined) {
      byAddress.set(label.address, own);
    }
  }
  const namespaces = new Map(
    [...scope.namespaces].map(([name, label]) => {
      const next = rename(label);
      return [next.address === label.address ? name : next.address.slice('namespace/'.length), next];
    }),
  );
  return { ...scope, entries, byAddress, namespaces, moves, rewritten };
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** The directory of the next generation beside those that are there. */
export function nextGeneration(path: string, scope: StackScope): string {
  const base = path.replace(/~\d+$/, '');
  let generation = 2;
  while (scope.entries.has(`${base}~${generation}`)) {
    generation++;
  }
  return `${base}~${generation}`;
}

/** The stack with everything where its label says it is. */
export function placed(stack: Stack, scope: StackScope): Stack {
  const containers = new Map<string, ContainerSpec>(stack.containers);
  const taken = new Set<string>();
  let same = true;
  for (const [name, spec] of stack.containers) {
    const path = scope.byAddress.get(`container/${name}`)?.path;
    const usual = leafPath(spec);
    if (path !== undefined && path !== usual && parentOf(path) === parentOf(usual)) {
      containers.set(name, { ...spec, leaf: path });
      taken.add(path.slice(path.lastIndexOf('/') + 1));
      same = false;
    }
  }
  for (const [name, spec] of taken.size === 0 ? [] : stack.containers) {
    const usual = leafPath(spec);
    const isKept = containers.get(name)?.leaf !== undefined;
    if (!isKept && !scope.byAddress.has(`container/${name}`) && taken.has(usual.slice(usual.lastIndexOf('/') + 1))) {
      containers.set(name, { ...spec, leaf: nextGeneration(usual, scope) });
    }
  }
  const cgroups = placedCgroups(stack, scope);
  return same && cgroups === undefined
    ? stack
    : { ...stack, containers, ...(cgroups === undefined ? {} : { cgroups }) };
}

/** Cgroups that are imported, or were: they stand elsewhere. */
function placedCgroups(stack: Stack, scope: StackScope): ReadonlyMap<string, CgroupSpec> | undefined {
  const imports = new Map(stack.blocks.import.map((i) => [i.to, i.id]));
  const elsewhere = [...scope.byAddress].filter(([a, e]) => a.startsWith('cgroup/') && e.path.startsWith('/'));
  if (imports.size === 0 && elsewhere.length === 0) {
    return undefined;
  }
  const cgroups = new Map<string, CgroupSpec>();
  for (const [path, spec] of stack.cgroups) {
    const above = path.includes('/') ? cgroups.get(parentOf(path))?.location : undefined;
    const own = scope.byAddress.get(`cgroup/${path}`);
    const found = own === undefined ? imports.get(`cgroup/${path}`) : own.path.startsWith('/') ? own.path : undefined;
    const inherited = typeof above === 'string' ? `${above}/${spec.name}` : null;
    cgroups.set(path, { ...spec, location: spec.location ?? found ?? inherited });
  }
  return cgroups;
}

/** create_before_destroy and order: start-first: a replaced container gets a directory of the next generation, beside the one it still has. */
export function withGenerations(
  drafts: Map<Address, Draft>,
  declared: Map<Address, Declared>,
  stack: Stack | undefined,
  scope: StackScope,
): Stack | undefined {
  const containers = new Map(stack?.containers);
  let same = true;
  for (const draft of drafts.values()) {
    const wanted = declared.get(draft.address);
    const spec = containers.get(draft.address.slice('container/'.length));
    const first = wanted?.lifecycle?.createBeforeDestroy === true || spec?.update?.order === 'start-first';
    const asked = first && draft.action === 'replace';
    if (!asked || draft.blocked !== undefined || wanted === undefined || spec === undefined) {
      continue;
    }
    const leaf = nextGeneration(leafPath(spec), scope);
    const plain = spec.plain === undefined ? {} : { plain: { ...spec.plain, leaf } };
    containers.set(spec.name, { ...spec, ...plain, leaf });
    declared.set(draft.address, { ...wanted, desired: { ...wanted.desired, cgroup: leaf } });
    const reasons = [...draft.reasons, 'the new one starts before the old one ends'];
    drafts.set(draft.address, { ...draft, createFirst: true, reasons });
    same = false;
  }
  return same || stack === undefined ? stack : { ...stack, containers };
}

/** Generations that an interrupted apply left beside the one that counts. */
export function withDeposed(observed: Observed, scope: StackScope): Observed {
  const paths = scope.deposed?.get(observed.address) ?? [];
  const extras = paths.map((path): Extra => ({
    what: 'cgroup',
    text: `another generation of ${observed.address} in ${path}`,
    steps: [
      { op: 'stop', path },
      { op: 'cgroup-remove', path, kill: true },
    ],
  }));
  return extras.length === 0 ? observed : { ...observed, extras: [...observed.extras, ...extras] };
}
