/** Declared namespaces: made once, pinned by a bind mount, joined by containers, outliving their members. */
import type { NamespaceType } from '../../kernel/init-spec.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import { attributeTable, type Value } from '../attribute.ts';
import type { Declared, Observed, ResourceKind } from '../kind.ts';
import type { Label } from '../label.ts';
import { lifecycleRecord, recordedLifecycle } from '../lifecycle.ts';
import { isAlive, readStats } from '../processes.ts';
import type { StackScope } from '../scope.ts';
import type { NamespaceSettings as StepSettings } from '../step.ts';
import { NAMESPACE_ROW, NAMESPACE_ROWS } from './registry.ts';
import type { NamespaceSettings } from './schema.ts';
import { mapText } from './id-maps.ts';
import { readSysctls, startSysctls, sysctlKeys, sysctlSteps, SYSCTL_TYPES, SYSCTLS_ATTRIBUTE } from './sysctls.ts';

const PREFIX = 'namespace/';

export function namespaceAddress(name: string): string {
  return PREFIX + name;
}

/** The pin of a declared namespace. */
export function pinPath(runDir: string, stack: string, name: string): string {
  return `${runDir}/${stack}/ns/${name}`;
}

/** Settings in the form that native/init takes. */
export function initSettings(settings: NamespaceSettings, fallbackHostname: string | null): StepSettings {
  const offsets = [
    ['monotonic', settings.monotonic],
    ['boottime', settings.boottime],
  ] as const;
  return {
    uidMap: mapText(settings.uids),
    gidMap: mapText(settings.gids),
    setgroups: settings.setgroups,
    timeOffsets: offsets.map(([clock, o]) => (o === null ? '' : `${clock} ${o.sec} ${o.nsec}\n`)).join(''),
    hostname: settings.hostname ?? fallbackHostname ?? '',
    domainname: settings.domainname ?? '',
    sysctls: startSysctls(settings.sysctls),
  };
}

/** A process that lives in the namespace, found through the containers' labels: proof of it when the pin is gone. */
function memberPath(reader: KernelReader, scope: StackScope, type: NamespaceType, inode: number): string | undefined {
  const members = [...scope.entries.values()].filter(
    (e) => e.run !== undefined && e.run.pid > 0 && e.label?.namespaces?.[type] === String(inode),
  );
  const stats = readStats(
    reader,
    members.map((e) => e.run?.pid ?? 0),
  );
  const index = members.findIndex((e, i) => isAlive(stats[i], e.run?.startTime ?? ''));
  return index < 0 ? undefined : `/proc/${members[index]?.run?.pid}/ns/${type}`;
}

interface Found {
  /** A file that stands for the namespace: the pin, or a member's. */
  readonly path: string | undefined;
  readonly pinned: boolean;
}

function find(reader: KernelReader, scope: StackScope, name: string, label: Label): Found {
  const type = (label.namespace?.type ?? 'mnt') as NamespaceType;
  const pinned = scope.moves?.get(namespaceAddress(name))?.slice(PREFIX.length) ?? name;
  const pin = pinPath(reader.settings.runDir, scope.stack, pinned);
  const stat = reader.stats([pin])[0];
  const id = label.namespace?.id ?? '';
  if (typeof stat === 'object' && stat.ino === label.ino && reader.namespaceTypes([pin])[0] === type) {
    if (id === '' || reader.namespaceIds([pin])[0] === id) {
      return { path: pin, pinned: true };
    }
  }
  return { path: memberPath(reader, scope, type, label.ino), pinned: false };
}

export const namespaceKind: ResourceKind = {
  kind: 'namespace',
  attributes: attributeTable([
    {
      name: 'type',
      change: 'replace',
      reason: 'a namespace keeps its type for life',
      observed: 'live',
      doc: 'mnt, pid, net, ipc, uts, user, cgroup or time',
      source: 'namespaces(7)',
    },
    {
      name: 'pin',
      change: 'in-place',
      observed: 'live',
      doc: 'the bind mount that keeps it alive without a member',
      source: 'namespaces(7)',
    },
    {
      name: 'keeper',
      change: 'replace',
      reason: 'a pid namespace dies with its first process',
      observed: 'live',
      doc: "a pid namespace's first process",
      source: 'pid_namespaces(7)',
    },
    ...NAMESPACE_ROWS.flatMap((row) => row.settings),
    SYSCTLS_ATTRIBUTE,
  ]),

  declare(stack) {
    return [...stack.namespaces.values()].map((spec): Declared => {
      const address = namespaceAddress(spec.name);
      return {
        address,
        kind: 'namespace',
        desired: {
          type: spec.type,
          pin: 'mounted',
          ...(spec.type === 'pid' ? { keeper: 'running' } : {}),
          ...NAMESPACE_ROW[spec.type].desired(spec, null),
          ...(SYSCTL_TYPES.includes(spec.type) ? { sysctls: spec.sysctls } : {}),
        },
        needs: [],
        shares: [],
        waits: [],
        at: stack.locate(address, []),
      };
    });
  },

  async observe(reader, scope, declared) {
    const addresses = new Set([
      ...declared.map((d) => d.address),
      ...[...scope.namespaces.keys()].map(namespaceAddress),
    ]);
    const found = new Map<string, Found>();
    for (const address of addresses) {
      const name = address.slice(PREFIX.length);
      const label = scope.namespaces.get(name);
      if (label !== undefined) {
        found.set(address, find(reader, scope, name, label));
      }
    }
    const utsAddresses = [...found].filter(
      ([a, f]) => f.path !== undefined && scope.namespaces.get(a.slice(PREFIX.length))?.namespace?.type === 'uts',
    );
    const uts = await reader.readUts(utsAddresses.map(([, f]) => f.path ?? ''));
    const wanted = new Map(declared.map((d) => [d.address, d.desired['sysctls']]));
    const tuned = [...found].flatMap(([address, { path }]) => {
      const label = scope.namespaces.get(address.slice(PREFIX.length));
      const keys = sysctlKeys(wanted.get(address), label?.applied?.['sysctls']);
      return path === undefined || keys.length === 0 ? [] : [{ address, keys, file: () => ({ path, startTime: '' }) }];
    });
    const read = await readSysctls(reader, tuned);
    const sysctls = new Map(tuned.map((t, i) => [t.address, read[i]]));
    const names = new Map(utsAddresses.map(([address], i) => [address, uts[i]]));
    return [...addresses].map((address): Observed => {
      const label = scope.namespaces.get(address.slice(PREFIX.length));
      const where = found.get(address);
      if (label === undefined || where?.path === undefined) {
        return {
          address,
          exists: false,
          live: {},
          applied: label?.applied ?? null,
          extras: [],
          unreadable: [],
          facts: {},
        };
      }
      const type = (label.namespace?.type ?? 'mnt') as NamespaceType;
      const live: Record<string, Value | undefined> = { type, pin: where.pinned ? 'mounted' : 'missing' };
      const unreadable: string[] = [];
      if (type === 'pid') {
        const keeper = label.namespace?.keeper;
        const stat = keeper === null || keeper === undefined ? undefined : readStats(reader, [keeper.pid])[0];
        live['keeper'] = isAlive(stat, keeper?.startTime ?? '') ? 'running' : 'gone';
      }
      if (type === 'uts') {
        Object.assign(live, NAMESPACE_ROW.uts.live([], names.get(address)));
        if (names.get(address) === undefined) {
          unreadable.push('hostname', 'domainname');
        }
      } else {
        // Maps and offsets are fixed by the kernel once written and shown only through a member: the label stands in.
        for (const attribute of NAMESPACE_ROW[type].settings) {
          live[attribute.name] = label.applied?.[attribute.name];
        }
      }
      if (SYSCTL_TYPES.includes(type)) {
        live['sysctls'] = sysctls.get(address) ?? {};
        if (sysctls.has(address) && sysctls.get(address) === undefined) {
          unreadable.push('sysctls');
        }
      }
      return {
        address,
        exists: true,
        live,
        applied: label.applied,
        ...recordedLifecycle(label),
        extras: [],
        unreadable,
        facts: { inode: `${type}:[${label.ino}]`, path: where.path },
      };
    });
  },

  create(declared, context) {
    const name = declared.address.slice(PREFIX.length);
    const spec = context.stack?.namespaces.get(name);
    if (spec === undefined) {
      return [];
    }
    return [
      {
        op: 'namespace-make',
        name,
        type: spec.type,
        applied: declared.desired,
        ...lifecycleRecord(declared.lifecycle, context.observed.get(declared.address)?.isProtected),
        settings: initSettings(spec, null),
      },
    ];
  },

  update(declared, changes, context) {
    const name = declared.address.slice(PREFIX.length);
    const type = declared.desired['type'] as NamespaceType;
    const observed = context.observed.get(declared.address);
    const after = (attribute: string): string | null => {
      const change = changes.find((c) => c.name === attribute);
      return typeof change?.after === 'string' ? change.after : null;
    };
    const hostname = after('hostname');
    const domainname = after('domainname');
    return [
      ...(after('pin') === null
        ? []
        : [{ op: 'namespace-repin', name, type, from: observed?.facts['path'] ?? '' } as const]),
      ...(hostname === null && domainname === null
        ? []
        : [{ op: 'uts', target: { kind: 'namespace', name }, hostname, domainname } as const]),
      ...sysctlSteps({ kind: 'namespace', name }, changes, declared.desired),
      {
        op: 'namespace-label',
        name,
        applied: declared.desired,
        ...lifecycleRecord(declared.lifecycle, context.observed.get(declared.address)?.isProtected),
      },
    ];
  },

  remove(observed) {
    return [{ op: 'namespace-remove', name: observed.address.slice(PREFIX.length) }];
  },
};
