/** The namespaces of a running process as a stack says them: the host's, new ones with their settings, or joined ones. */
import { NAMESPACE_TYPES, type NamespaceType } from '../../../kernel/init-spec.ts';
import { normaliseIdMap } from '../../../kernel/proc.ts';
import type { KernelReader } from '../../../kernel/reader.ts';
import { deviceNames } from '../netdevs.ts';
import { defaultUse } from '../../namespace/schema.ts';
import { time } from '../../namespace/types/time.ts';
import { isHosts, type ProcessFacts, type Tell } from './facts.ts';

/** A container of tsbox's own. */
export interface Owner {
  /** STACK:NAME. */
  readonly name: string;
  /** Its rootfs as applied. */
  readonly rootfs: string | undefined;
}

type OwnerOf = (cgroup: string) => Owner | undefined;

export interface DescribedNamespaces {
  /** Uses as written, only those that are not the default. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Types that a copy has anew. */
  readonly own: ReadonlySet<NamespaceType>;
}

export async function describeNamespaces(
  reader: KernelReader,
  facts: ProcessFacts,
  ownerOf: OwnerOf,
  remark: Tell,
): Promise<DescribedNamespaces> {
  const fields: Record<string, unknown> = {};
  const own = new Set<NamespaceType>();
  for (const type of NAMESPACE_TYPES) {
    const inode = facts.namespaces[type];
    if (inode === undefined) {
      remark(`namespaces.${type}`, 'cannot be read');
      continue;
    }
    if (isHosts(facts, type)) {
      put(fields, type, 'host');
      continue;
    }
    const joined = joinedFrom(facts, type, inode, ownerOf);
    if (joined !== undefined) {
      fields[type] = joined.use;
      if (joined.note !== undefined) {
        remark(`namespaces.${type}`, joined.note);
      }
      continue;
    }
    const settings = await settingsOf(reader, facts, type, remark);
    if (settings === 'pid') {
      fields[type] = `pid:${facts.pid}`;
      continue;
    }
    own.add(type);
    put(fields, type, Object.keys(settings).length === 0 ? 'new' : settings);
  }
  return { fields, own };
}

/** Leaves out what a container has anyway. */
function put(fields: Record<string, unknown>, type: NamespaceType, use: unknown): void {
  if (use !== defaultUse(type).kind) {
    fields[type] = use;
  }
}

/** Where a namespace comes from that somebody else made; undefined for one of the process's own. */
function joinedFrom(
  facts: ProcessFacts,
  type: NamespaceType,
  inode: string,
  ownerOf: OwnerOf,
): { use: string; note?: string } | undefined {
  // What is pinned was meant to be joined.
  const pin = facts.hostMounts.find((m) => m.fstype === 'nsfs' && m.root === `${type}:[${inode}]`);
  if (pin !== undefined) {
    return { use: `path:${pin.target}` };
  }
  const family = kin(facts);
  const others = facts.members.filter((m) => m.namespaces[type] === inode);
  const eldest = others.sort((a, b) => Number(a.startTime) - Number(b.startTime) || a.pid - b.pid)[0];
  if (eldest === undefined || family.has(eldest.pid)) {
    return undefined;
  }
  const self = others.find((m) => m.pid === facts.pid);
  const container = ownerOf(eldest.cgroup)?.name;
  if (self !== undefined && container !== undefined && ownerOf(self.cgroup)?.name === container) {
    return undefined;
  }
  if (container !== undefined) {
    return { use: `container/${container}` };
  }
  return {
    use: `pid:${eldest.pid}`,
    note: `is that of process ${eldest.pid} (${eldest.comm}), which was there first: it has to be running`,
  };
}

/** The process, those it descends from, and those that descend from it. */
function kin(facts: ProcessFacts): Set<number> {
  const parents = new Map(facts.members.map((m) => [m.pid, m.ppid]));
  const above = (pid: number): Set<number> => {
    const line = new Set<number>();
    for (let at = pid; at > 1 && !line.has(at); at = parents.get(at) ?? 0) {
      line.add(at);
    }
    return line;
  };
  const below = facts.members.map((m) => m.pid).filter((pid) => above(pid).has(facts.pid));
  return new Set([...above(facts.pid), ...below]);
}

/** Settings of a new one, as written; 'pid' where a copy cannot have one like it. */
async function settingsOf(
  reader: KernelReader,
  facts: ProcessFacts,
  type: NamespaceType,
  remark: Tell,
): Promise<Record<string, unknown> | 'pid'> {
  switch (type) {
    case 'uts': {
      const [names] = await reader.readUts([`/proc/${facts.pid}/ns/uts`]);
      if (names === undefined) {
        remark('namespaces.uts', 'its names cannot be read without CAP_SYS_ADMIN');
        return {};
      }
      return { hostname: names.hostname, ...(names.domainname === '' ? {} : { domainname: names.domainname }) };
    }
    case 'user':
      return userSettings(facts, remark);
    case 'time': {
      const live = time.live([facts.text('timens_offsets')], undefined);
      return Object.fromEntries(
        (['monotonic', 'boottime'] as const).flatMap((clock) => {
          const text = live[`time.${clock}`];
          return typeof text === 'string' && text !== '0 0' ? [[clock, seconds(text)]] : [];
        }),
      );
    }
    case 'net': {
      const names = deviceNames(facts.text('net/dev') ?? '').filter((name) => name !== 'lo');
      const has = names.length === 0 ? '' : ` It has ${names.slice(0, 8).join(', ')}.`;
      remark('namespaces.net', `interfaces, addresses, routes and kernel parameters are not described.${has}`);
      return {};
    }
    case 'ipc':
      remark('namespaces.ipc', 'kernel parameters and what lies in it are not described');
      return {};
    default:
      return {};
  }
}

/** 'seconds nanoseconds' as a number of seconds. */
function seconds(text: string): string | number {
  const [whole = '0', nanos = '0'] = text.split(' ');
  const ns = BigInt(whole) * 1_000_000_000n + BigInt(nanos);
  return ns % 1_000_000_000n === 0n ? Number(whole) : `${ns}ns`;
}

interface IdRange {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

function ranges(text: string | undefined): IdRange[] {
  return normaliseIdMap(text ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [inside = 0, outside = 0, count = 0] = line.split(' ').map(Number);
      return { inside, outside, count };
    });
}

function userSettings(facts: ProcessFacts, remark: Tell): Record<string, unknown> | 'pid' {
  const uids = ranges(facts.text('uid_map'));
  const gids = ranges(facts.text('gid_map'));
  if (![uids, gids].every((maps) => maps.some((m) => m.inside === 0))) {
    remark('namespaces.user', 'it has no id 0 inside, which a new one needs: a copy joins that of the process');
    return 'pid';
  }
  const root = [...uids, ...gids].some((m) => m.outside === 0);
  if (root) {
    remark('namespaces.user', "the host's root is root inside, which allow_host_root says is meant");
  }
  const same = JSON.stringify(uids) === JSON.stringify(gids);
  return {
    uids,
    ...(same ? {} : { gids }),
    ...(facts.text('setgroups')?.trim() === 'deny' ? { setgroups: 'deny' } : {}),
    ...(root ? { allow_host_root: true } : {}),
  };
}
