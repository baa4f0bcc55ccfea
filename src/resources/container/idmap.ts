/** Idmapped mounts of a container: whether its root is shown with the ids of its user namespace. */
import { TsboxError } from '../../errors.ts';
import { fileSystemOf, idmapSupport } from '../../kernel/filesystems.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import type { Stack } from '../../stack/types.ts';
import type { Attribute } from '../attribute.ts';
import type { Problem } from '../kind.ts';
import type { Account } from './accounts.ts';
import type { IdMap, NamespaceSettings } from '../namespace/schema.ts';
import type { ContainerSpec } from './schema.ts';

export const IDMAP_ATTRIBUTES: readonly Attribute[] = [
  {
    name: 'rootfs_idmap',
    change: 'replace',
    reason: 'a mount can be idmapped only before it is attached',
    observed: 'live',
    doc: "container: what belongs to id 0 in the root directory belongs to id 0 inside; none: ids are the host's",
    source: 'mount_setattr(2)',
  },
];

/** Maps of the user namespace that a container lives in, as far as its own stack says; undefined for the host's. */
export function userMaps(
  spec: ContainerSpec,
  stack: Stack,
): Pick<NamespaceSettings, 'uids' | 'gids' | 'setgroups'> | 'unknown' | undefined {
  const use = spec.namespaces.user;
  switch (use.kind) {
    case 'host':
      return undefined;
    case 'new':
      return use.settings;
    case 'declared':
      return stack.namespaces.get(use.name) ?? 'unknown';
    case 'container': {
      const other = use.stack === null ? stack.containers.get(use.name) : undefined;
      return other === undefined ? 'unknown' : userMaps(other, stack);
    }
    case 'pid':
    case 'path':
      return 'unknown';
  }
}

/** Whether a group of the container exists outside; false where the stack does not say. */
export function mapsGroup(spec: ContainerSpec, stack: Stack, gid: number): boolean {
  const maps = userMaps(spec, stack);
  return maps === undefined || (maps !== 'unknown' && covers(maps.gids, gid));
}

function covers(map: readonly IdMap[], id: number): boolean {
  return map.some((m) => id >= m.inside && id < m.inside + m.count);
}

/** Reports ids of the container's process that its user namespace does not map: it could not take them. */
export function checkMapped(
  spec: ContainerSpec,
  account: Account,
  stack: Stack,
  report: (problem: Problem) => void,
): void {
  const maps = userMaps(spec, stack);
  if (maps === undefined || maps === 'unknown' || maps.uids.length === 0) {
    return;
  }
  const address = `container/${spec.name}`;
  const refuse = (what: string, hint: string): void => {
    const at = stack.locate(address, ['user']);
    report({ severity: 'error', error: new TsboxError('TSB1009', `${address}: ${what}`, { at, address, hint }) });
  };
  if (maps.setgroups === 'deny' && account.groups.length > 0) {
    refuse(
      `groups ${account.groups.join(', ')} cannot be taken: its user namespace denies setgroups`,
      'setgroups: allow',
    );
  }
  const missing = [
    ...(covers(maps.uids, account.uid) ? [] : [`user ${account.uid}`]),
    ...[account.gid, ...account.groups].filter((id) => !covers(maps.gids, id)).map((id) => `group ${id}`),
  ];
  if (missing.length > 0) {
    refuse(`${missing.join(', ')} is not mapped in its user namespace`, 'map it, or name one that is');
  }
}

/**
 * Whether the directories that become the root (the lower ones of an overlay) are idmapped. Without a word in the
 * stack they are, where there is a user namespace and the file systems can; directories that were given to the
 * namespace's outer ids already stay as they are.
 */
export function rootIsMapped(
  spec: ContainerSpec,
  directories: readonly string[],
  wanted: boolean | null,
  stack: Stack,
  reader: KernelReader,
  report: (problem: Problem) => void = () => undefined,
): boolean {
  const maps = userMaps(spec, stack);
  if (maps === undefined || wanted === false || directories.length === 0) {
    return false;
  }
  if (wanted === null && maps !== 'unknown' && directories.every((d) => isShifted(d, maps.uids, reader))) {
    return false;
  }
  const mountinfo = String(reader.readFiles(['/proc/self/mountinfo'])[0]);
  for (const directory of directories) {
    const fstype = fileSystemOf(reader.realPath(directory), mountinfo);
    const support = fstype === undefined ? 'yes' : idmapSupport(fstype, reader.release);
    if (support === 'no' || (support === 'perhaps' && wanted === null)) {
      report(unmappable(spec, directory, fstype ?? '', wanted === null, stack, reader));
      return false;
    }
  }
  return true;
}

function isShifted(directory: string, maps: readonly IdMap[], reader: KernelReader): boolean {
  const stat = reader.stats([directory])[0];
  return typeof stat === 'object' && maps.some((m) => stat.uid >= m.outside && stat.uid < m.outside + m.count);
}

function unmappable(
  spec: ContainerSpec,
  directory: string,
  fstype: string,
  byDefault: boolean,
  stack: Stack,
  reader: KernelReader,
): Problem {
  const address = `container/${spec.name}`;
  const message = `${address}: ${directory} is on ${fstype}, whose mounts ${reader.release} does not idmap`;
  return byDefault
    ? {
        severity: 'warning',
        error: new TsboxError('TSB1009', `${message}: what belongs to the host's root in it shows as nobody's`, {
          address,
        }),
      }
    : {
        severity: 'error',
        error: new TsboxError('TSB1009', message, {
          at: stack.locate(address, ['rootfs', 'idmap']),
          address,
          hint: 'put the directory on another file system, or give its files to the ids of the user namespace',
        }),
      };
}
