/** `linux.namespaces` of a bundle, with what is set in new ones: maps, offsets, names. */
import { NAMESPACE_TYPES, type NamespaceType } from '../../kernel/init-spec.ts';
import type { Fields } from './fields.ts';

const NAMES: Readonly<Record<string, NamespaceType>> = {
  mount: 'mnt',
  pid: 'pid',
  network: 'net',
  ipc: 'ipc',
  uts: 'uts',
  user: 'user',
  cgroup: 'cgroup',
  time: 'time',
};

/** What the language has without being told: all new, except users and clocks. */
const DEFAULT_NEW = new Set<NamespaceType>(['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup']);

export type IdMap = Readonly<Record<'inside' | 'outside' | 'count', number>>;

export function idMaps(owner: Fields, key: string): IdMap[] {
  return owner.objects(key).map((m) => {
    const map = {
      inside: m.number('containerID') ?? 0,
      outside: m.number('hostID') ?? 0,
      count: m.number('size') ?? 0,
    };
    m.finish();
    return map;
  });
}

export function convertNamespaces(config: Fields, linux: Fields, out: Record<string, unknown>): void {
  const uses: Partial<Record<NamespaceType, unknown>> = Object.fromEntries(NAMESPACE_TYPES.map((t) => [t, 'host']));
  const seen = new Set<NamespaceType>();
  for (const item of linux.objects('namespaces')) {
    const type = NAMES[item.string('type') ?? ''];
    const path = item.string('path');
    if (type === undefined) {
      item.note('type', 'is no type of namespace that tsbox knows');
    } else if (seen.has(type)) {
      item.note('type', 'is there before, and a process has one of each: the first one is taken');
    } else {
      seen.add(type);
      uses[type] = path === undefined || path === '' ? 'new' : joined(path);
    }
    item.finish();
  }
  setNames(config, uses);
  setMaps(linux, uses);
  setOffsets(linux, uses);
  if (uses.mnt === 'host') {
    linux.note(
      'namespaces',
      'has no mount: the root file system and the mounts need a mount namespace, and are left out',
    );
  }
  const written = Object.fromEntries(
    NAMESPACE_TYPES.filter((t) => uses[t] !== (DEFAULT_NEW.has(t) ? 'new' : 'host')).map((t) => [t, uses[t]]),
  );
  if (Object.keys(written).length > 0) {
    out['namespaces'] = written;
  }
}

/** /proc/PID/ns/x is that of a process, which the language calls by its number. */
function joined(path: string): string {
  const pid = /^\/proc\/([1-9]\d*)\/ns\/[a-z_]+$/.exec(path)?.[1];
  return pid === undefined ? `path:${path}` : `pid:${pid}`;
}

function setNames(config: Fields, uses: Partial<Record<NamespaceType, unknown>>): void {
  const hostname = config.string('hostname');
  const domainname = config.string('domainname');
  const names = {
    ...(hostname === undefined || hostname === '' ? {} : { hostname }),
    ...(domainname === undefined || domainname === '' ? {} : { domainname }),
  };
  if (uses.uts === 'new') {
    if (Object.keys(names).length > 0) {
      uses.uts = names;
    }
    if (names.hostname === undefined) {
      config.note('hostname', "is not given: the container is called by its name in the stack, not by the host's");
    }
  } else if (Object.keys(names).length > 0) {
    config.note(
      'hostname',
      'is given without a uts namespace of its own, and would change the name of others: left out',
    );
  }
}

function setMaps(linux: Fields, uses: Partial<Record<NamespaceType, unknown>>): void {
  const uids = idMaps(linux, 'uidMappings');
  const gids = idMaps(linux, 'gidMappings');
  if (uids.length + gids.length === 0) {
    if (uses.user === 'new') {
      linux.note('uidMappings', 'is missing for a new user namespace: 65536 ids from 100000 are taken');
    }
  } else if (uses.user === 'new') {
    uses.user = { uids, gids };
  } else {
    linux.note('uidMappings', 'maps ids without a new user namespace, which changes nothing');
  }
}

function setOffsets(linux: Fields, uses: Partial<Record<NamespaceType, unknown>>): void {
  const offsets = linux.object('timeOffsets');
  if (offsets === undefined) {
    return;
  }
  const settings: Record<string, string> = {};
  for (const clock of ['monotonic', 'boottime'] as const) {
    const offset = offsets.object(clock);
    if (offset !== undefined) {
      settings[clock] = offsetText(offset.integer('secs') ?? 0n, offset.integer('nanosecs') ?? 0n);
      offset.finish();
    }
  }
  offsets.finish();
  if (uses.time === 'new') {
    uses.time = settings;
  } else {
    linux.note('timeOffsets', 'is given without a new time namespace: left out');
  }
}

/** A signed duration; the seconds are whole and the nanoseconds count up from them. */
function offsetText(seconds: bigint, nanoseconds: bigint): string {
  const total = seconds * 1_000_000_000n + nanoseconds;
  const magnitude = total < 0n ? -total : total;
  const text = `${magnitude / 1_000_000_000n}s${magnitude % 1_000_000_000n === 0n ? '' : `${magnitude % 1_000_000_000n}ns`}`;
  return total < 0n ? `-${text}` : text;
}
