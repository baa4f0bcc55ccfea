/**
 * Finding the maps of `auto` and `keep-id`: an allocation that the stack's record has stays; a new one is the lowest
 * range of the pool that nothing on the machine has. What is found is written into the stack, so that everything after
 * sees numbers only.
 */
import { TsboxError } from '../../errors.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import type { Stack } from '../../stack/types.ts';
import type { Problem } from '../kind.ts';
import { mapText, type IdAllocation, type IdMap } from '../namespace/id-maps.ts';
import type { NamespaceSettings } from '../namespace/schema.ts';
import { readScope } from '../scope.ts';
import { idsInUse, readAllocations, type Allocation, type Allocations } from './in-use.ts';
import { readPool, type IdPool } from './pool.ts';
import { firstFit, keepingMap, outerRanges, plainMap, rowStart, without, type IdRange } from './ranges.ts';

interface Request {
  readonly address: string;
  readonly ids: IdAllocation;
  /** Where the stack asks for it. */
  readonly path: readonly string[];
}

/** Containers and declared namespaces whose maps are to be found, in the stack's order. */
function requestsOf(stack: Stack): Request[] {
  const namespaces = [...stack.namespaces.values()].flatMap(({ name, ids }): Request[] =>
    ids === null ? [] : [{ address: `namespace/${name}`, ids, path: [ids.kind] }],
  );
  const containers = [...stack.containers.values()].flatMap(({ name, namespaces: uses }): Request[] => {
    const use = uses.user;
    return use.kind === 'new' && use.settings.ids !== null
      ? [{ address: `container/${name}`, ids: use.settings.ids, path: ['namespaces', 'user'] }]
      : [];
  });
  return [...namespaces, ...containers];
}

/** True when applying the stack takes ids from the pool, which needs the lock of the pool. */
export function takesIds(stack: Stack): boolean {
  return requestsOf(stack).length > 0;
}

export interface Found {
  /** The stack with every map written out; where one could not be found it is the default, and a problem says why. */
  readonly stack: Stack;
  readonly allocations: Allocations;
}

/** Finds the maps of a stack. Reads only: two calls without a change in between give the same. */
export function findIds(reader: KernelReader, stack: Stack, report: (problem: Problem) => void): Found {
  const requests = requestsOf(stack);
  if (requests.length === 0) {
    return { stack, allocations: new Map() };
  }
  const refuse = ({ address, path }: Request, message: string, hint: string): void =>
    report({
      severity: 'error',
      error: new TsboxError('TSB1009', `${address}: ${message}`, { at: stack.locate(address, path), address, hint }),
    });
  const recorded = readAllocations(reader, stack.name);
  const allocations = new Map<string, Allocation>();
  for (const { address, ids } of requests) {
    const before = recorded.get(address) ?? recovered(reader, stack.name, address, ids.size);
    if (before !== undefined && before.count === ids.size) {
      allocations.set(address, before);
    }
  }
  const fresh = requests.filter((r) => !allocations.has(r.address));
  if (fresh.length > 0) {
    const pool = readPool(reader);
    if (pool === undefined) {
      for (const request of fresh) {
        refuse(
          request,
          `${request.ids.kind} takes ids from a pool, and none is set aside`,
          'add a line containers:START:COUNT to /etc/subuid and to /etc/subgid, or set TSBOX_SUBIDS=START:COUNT',
        );
      }
    } else {
      allocate(reader, stack, pool, fresh, allocations, refuse);
    }
  }
  const maps = new Map<string, Maps>();
  for (const request of requests) {
    const allocation = allocations.get(request.address);
    const found = allocation === undefined ? undefined : mapsOf(reader, stack, request, allocation, refuse);
    maps.set(request.address, found ?? NONE);
  }
  return { stack: withMaps(stack, maps), allocations };
}

/** The allocation as the label of the resource tells it, when the stack's record is gone: both name the same ids. */
function recovered(reader: KernelReader, stack: string, address: string, size: number): Allocation | undefined {
  const scope = readScope(reader, stack);
  const label = address.startsWith('namespace/')
    ? scope.namespaces.get(address.slice('namespace/'.length))
    : scope.byAddress.get(address)?.label;
  const start = (name: string): number | undefined => {
    const text = label?.applied?.[name];
    return typeof text === 'string' ? rowStart(text, size) : undefined;
  };
  const uid = start('uid_map');
  const gid = start('gid_map');
  return uid === undefined || gid === undefined ? undefined : { uid, gid, count: size };
}

type Refuse = (request: Request, message: string, hint: string) => void;

function allocate(
  reader: KernelReader,
  stack: Stack,
  pool: IdPool,
  requests: readonly Request[],
  allocations: Map<string, Allocation>,
  refuse: Refuse,
): void {
  // What the stack itself had before counts as used: it may still be running when the first of the new ones starts.
  const used = idsInUse(reader);
  const written = writtenMaps(stack);
  let uids = without(pool.uids, [...used.uids, ...written.uids]);
  let gids = without(pool.gids, [...used.gids, ...written.gids]);
  for (const request of requests) {
    const count = request.ids.size;
    const uid = firstFit(uids, count);
    const gid = firstFit(gids, count);
    if (uid === undefined || gid === undefined) {
      const free = Math.max(0, ...(uid === undefined ? uids : gids).map((r) => r.count));
      refuse(
        request,
        `the pool has no ${count} ${uid === undefined ? 'user' : 'group'} ids in a row left, only ${free}`,
        'give it more ids, or ask for fewer by size',
      );
      continue;
    }
    allocations.set(request.address, { uid, gid, count });
    uids = without(uids, [{ start: uid, count }]);
    gids = without(gids, [{ start: gid, count }]);
  }
}

/** Outer ids of the maps that the stack itself writes out. */
function writtenMaps(stack: Stack): { uids: IdRange[]; gids: IdRange[] } {
  const all = [
    ...stack.namespaces.values(),
    ...[...stack.containers.values()].flatMap(({ namespaces: { user } }) =>
      user.kind === 'new' ? [user.settings] : [],
    ),
  ];
  return {
    uids: all.flatMap((s) => outerRanges(mapText(s.uids))),
    gids: all.flatMap((s) => outerRanges(mapText(s.gids))),
  };
}

interface Maps {
  readonly uids: readonly IdMap[];
  readonly gids: readonly IdMap[];
}
const NONE: Maps = { uids: [], gids: [] };

function mapsOf(
  reader: KernelReader,
  stack: Stack,
  request: Request,
  { uid, gid, count }: Allocation,
  refuse: Refuse,
): Maps | undefined {
  const { ids } = request;
  if (ids.kind === 'auto') {
    return { uids: plainMap(uid, count), gids: plainMap(gid, count) };
  }
  const file = stack.files[0] ?? '';
  const owner = reader.stats([file])[0];
  const kept =
    ids.uid !== null
      ? { uid: ids.uid, gid: ids.gid ?? ids.uid }
      : typeof owner === 'object'
        ? { uid: owner.uid, gid: ids.gid ?? owner.gid }
        : undefined;
  if (kept === undefined || (ids.uid === null && kept.uid === 0)) {
    const whose = kept === undefined ? 'cannot be looked at' : 'belongs to root';
    refuse(request, `keep-id keeps the owner of the stack file, and ${file} ${whose}`, 'write keep-id: { uid, gid }');
    return undefined;
  }
  return { uids: keepingMap(uid, count, kept.uid), gids: keepingMap(gid, count, kept.gid) };
}

function withMaps(stack: Stack, maps: ReadonlyMap<string, Maps>): Stack {
  const filled = <T extends NamespaceSettings>(settings: T, address: string): T => {
    const found = maps.get(address);
    return found === undefined ? settings : { ...settings, ...found };
  };
  return {
    ...stack,
    namespaces: new Map([...stack.namespaces].map(([name, spec]) => [name, filled(spec, `namespace/${name}`)])),
    containers: new Map(
      [...stack.containers].map(([name, spec]) => {
        const { user } = spec.namespaces;
        if (user.kind !== 'new' || user.settings.ids === null) {
          return [name, spec];
        }
        const settings = filled(user.settings, `container/${name}`);
        return [name, { ...spec, namespaces: { ...spec.namespaces, user: { kind: 'new', settings } } }];
      }),
    ),
  };
}
