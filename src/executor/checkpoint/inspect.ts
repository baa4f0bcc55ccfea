/**
 * What of a running container CRIU can write down itself, and what it has to be given again: mounts of the host's
 * files, namespaces of others, and the ends of our own pipes. Pure; the texts are those of /proc.
 */
import { TsboxError } from '../../errors.ts';
import type { NamespaceType } from '../../kernel/init-spec.ts';
import { parseMountInfo, type MountInfo } from '../../kernel/proc.ts';

/** File systems that CRIU makes and fills by itself. */
const NATIVE = new Set(['proc', 'sysfs', 'tmpfs', 'devpts', 'mqueue', 'cgroup', 'cgroup2', 'devtmpfs']);

export interface ExternalMount {
  /** Where it is mounted in the container. */
  readonly target: string;
  /** Where the host has it. */
  readonly source: string;
}

export interface MountSplit {
  readonly root: MountInfo;
  readonly external: readonly ExternalMount[];
  /** Targets on the root file system, with whether they are directories to CRIU's eyes unknown: the caller looks. */
  readonly targets: readonly string[];
}

/** Paths at which the host shows the same file system, for a mount of `mount.root`. */
function hostPaths(mount: MountInfo, host: readonly MountInfo[]): string[] {
  return host
    .filter(
      (h) =>
        h.device === mount.device &&
        (mount.root === h.root || mount.root.startsWith(h.root === '/' ? '/' : `${h.root}/`)),
    )
    .map((h) => {
      const rest = h.root === '/' ? mount.root : mount.root.slice(h.root.length);
      return `${h.target === '/' ? '' : h.target}${rest === '/' ? '' : rest}` || '/';
    });
}

/**
 * Splits a container's mount table.
 * @param isSame whether a host path is what the container has at `target`
 * @throws TsboxError TSB3020 for a mount that could not be given again
 */
export function splitMounts(
  mountinfo: string,
  hostMountinfo: string,
  isSame: (hostPath: string, target: string) => boolean,
): MountSplit {
  const mounts = parseMountInfo(mountinfo);
  const host = parseMountInfo(hostMountinfo);
  // The last one on a path is the one that is seen; CRIU wants every one that is external by its path.
  const root = mounts.filter((m) => m.target === '/').at(-1);
  if (root === undefined) {
    throw new TsboxError('TSB3020', 'the container has no root mount that could be looked at');
  }
  const mapped = mounts.find((m) => m.options.includes('idmapped'));
  if (mapped !== undefined) {
    throw new TsboxError('TSB3020', `the mount on ${mapped.target} maps ids, which CRIU cannot make again`, {
      hint: mapped.target === '/' ? 'rootfs: { dir: …, idmap: false } does without' : undefined,
    });
  }
  const hostDevices = new Set(host.map((m) => m.device));
  const kernelView = (m: MountInfo): boolean => m.fstype === 'cgroup' || m.fstype === 'cgroup2';
  const external: ExternalMount[] = [];
  for (const m of mounts.filter((x) => x.target !== '/')) {
    if (NATIVE.has(m.fstype) && (kernelView(m) || !hostDevices.has(m.device))) {
      continue;
    }
    const source = hostPaths(m, host).find((path) => isSame(path, m.target));
    if (source === undefined) {
      throw new TsboxError(
        'TSB3020',
        `the mount on ${m.target} (${m.fstype}) is of nothing the host shows at any path`,
        {
          hint: 'it could not be mounted again at the restore',
        },
      );
    }
    external.push({ target: m.target, source });
  }
  return { root, external, targets: mounts.map((m) => m.target).filter((t) => t !== '/') };
}

/** How a namespace that is not the container's own comes back: given to criu as a descriptor, or entered by it. */
export type NamespaceWay = 'external' | 'join';

const WAYS: Partial<Record<NamespaceType, NamespaceWay>> = {
  net: 'external',
  pid: 'external',
  ipc: 'join',
  uts: 'join',
};

/**
 * The namespaces that others have made.
 * @param uses what was applied, by type: 'new', 'host' or an address
 * @throws TsboxError TSB3020 for a kind that CRIU cannot restore into
 */
export function joinedNamespaces(
  uses: Readonly<Partial<Record<NamespaceType, string>>>,
): Map<NamespaceType, NamespaceWay> {
  const joined = new Map<NamespaceType, NamespaceWay>();
  for (const [type, use] of Object.entries(uses) as Array<[NamespaceType, string]>) {
    if (use === 'new' || use === 'host') {
      continue;
    }
    const way = WAYS[type];
    if (way === undefined) {
      throw new TsboxError(
        'TSB3020',
        `its ${type} namespace is that of ${use}: CRIU would make a copy of it instead of joining`,
        {
          hint: 'net, pid, ipc and uts namespaces may be shared by what is checkpointed',
        },
      );
    }
    joined.set(type, way);
  }
  return joined;
}

/** The key of a file for --external and --inherit-fd: criu(8), 'file[MNT_ID:INODE]', both hexadecimal. */
export function fileKey(fdinfo: string): string | undefined {
  const mount = /^mnt_id:\s*(\d+)/m.exec(fdinfo)?.[1];
  const inode = /^ino:\s*(\d+)/m.exec(fdinfo)?.[1];
  return mount === undefined || inode === undefined
    ? undefined
    : `file[${Number(mount).toString(16)}:${Number(inode).toString(16)}]`;
}
