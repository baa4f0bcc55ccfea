/** From a container's spec to the description that native/init executes: every mount and privilege in kernel order. */
import type {
  JoinNamespace,
  MountFlags,
  NamespaceSetup,
  NamespaceType,
  ProcessSpec,
  RootOp,
} from '../../kernel/init-spec.ts';
import { NAMESPACE_TYPES } from '../../kernel/init-spec.ts';
import type { Scheduling } from '../../kernel/reader.ts';
import { parseMountInfo } from '../../kernel/proc.ts';
import { DEFAULT_DEVICE_NODES } from '../devices/defaults.ts';
import type { DeviceRule } from '../devices/schema.ts';
import { initSettings } from '../namespace/index.ts';
import { startSysctls } from '../namespace/sysctls.ts';
import { declaredOps } from './mounts/index.ts';
import { withMounts } from './mounts/ops.ts';
import type { HostMounts, Places } from './mounts/host.ts';
import { maskedPaths, readonlyPaths } from './declare.ts';
import type { Account } from './accounts.ts';
import { mountedOnInitramfs } from './initramfs.ts';
import { rootfsOp } from './rootfs.ts';
import type { ContainerSpec } from './schema.ts';
import { givenSets } from './process/sets.ts';
import { confinementOf } from './process/confine.ts';
import { personalityNumber } from './process/start.ts';
import { settingsText } from './process/settings.ts';
import type { SeccompArch } from './seccomp/compile.ts';
import { filterOf, type Filter } from './seccomp/use.ts';

/** What only the live system can say. */
export interface LaunchFacts {
  /** Scheduling and oom score of tsbox itself, which a process inherits. */
  readonly own: { readonly scheduling: Scheduling | undefined; readonly score: string };
  /** Version of Landlock's interface, asked only where it is used. */
  readonly landlockAbi: () => number;
  readonly account: Account;
  /** Namespaces to join, already resolved. A type that is neither here nor 'host' is made anew. */
  readonly join: readonly JoinNamespace[];
  readonly create: readonly NamespaceType[];
  /** Text of /proc/self/mountinfo, of what is mounted on the host's root. */
  readonly mountinfo: string;
  /** Whether group 5 (tty, by which programs know a terminal that others may write to) is mapped in the container. */
  readonly ttyGroup: boolean;
  /** Whether the root is idmapped, see rootIsMapped. */
  readonly rootMapped: boolean;
  /** Device rules with numbers. */
  readonly rules: readonly DeviceRule[];
  /** Device nodes that allow rules name by path. */
  readonly nodes: ReadonlyArray<{
    readonly path: string;
    readonly type: 'b' | 'c';
    readonly major: number;
    readonly minor: number;
  }>;
  /** Whether a cgroup2 hierarchy is mounted. */
  readonly cgroup2: boolean;
  readonly arch: SeccompArch;
  /** Sources of the declared mounts, and the contents of secrets and configs as operations. */
  readonly mounts: { readonly table: HostMounts; readonly places: Places };
  readonly files: readonly RootOp[];
}

const SAFE: MountFlags = { nosuid: true, nodev: true };
const SEALED: MountFlags = { nosuid: true, nodev: true, noexec: true };

/** Namespaces to make and join. */
export function namespaceSetup(spec: ContainerSpec, facts: LaunchFacts): NamespaceSetup {
  const setting = (type: NamespaceType) => {
    const use = spec.namespaces[type];
    return use.kind === 'new' && facts.create.includes(type) ? initSettings(use.settings, null) : undefined;
  };
  const user = setting('user');
  return {
    create: facts.create,
    join: facts.join,
    uidMap: user?.uidMap ?? '',
    gidMap: user?.gidMap ?? '',
    setgroups: user?.setgroups ?? 'allow',
    timeOffsets: setting('time')?.timeOffsets ?? '',
    hostname: setting('uts')?.hostname ?? '',
    domainname: setting('uts')?.domainname ?? '',
    sysctls: startSysctls(spec.sysctls),
  };
}

/** Mounts of the host's own file systems that rootfs: host shows: no kernel views, nothing under the private directories. */
export function hostMounts(mountinfo: string): string[] {
  const hidden = ['/proc', '/sys', '/dev', '/run', '/tmp'];
  const mounts = parseMountInfo(mountinfo);
  const targets = new Set<string>();
  for (const m of mounts) {
    const kernelView = KERNEL_FILESYSTEMS.has(m.fstype);
    const covered = hidden.some((h) => m.target === h || m.target.startsWith(`${h}/`));
    if (!kernelView && !covered && m.target !== '/') {
      targets.add(m.target);
    }
  }
  return [...targets].sort();
}

/** File systems that show or steer the kernel, and nsfs pins. */
const KERNEL_FILESYSTEMS = new Set([
  'autofs',
  'binfmt_misc',
  'bpf',
  'cgroup',
  'cgroup2',
  'configfs',
  'debugfs',
  'devpts',
  'devtmpfs',
  'efivarfs',
  'fusectl',
  'hugetlbfs',
  'mqueue',
  'nsfs',
  'proc',
  'pstore',
  'rpc_pipefs',
  'securityfs',
  'selinuxfs',
  'sysfs',
  'tracefs',
]);

/** The root file system, op by op. */
export function rootOps(spec: ContainerSpec, facts: LaunchFacts): RootOp[] {
  if (spec.namespaces.mnt.kind !== 'new') {
    return [{ op: 'none' }];
  }
  return [
    ...withMounts(
      [
        ...baseOps(spec, facts),
        ...kernelViews(spec, facts),
        ...devOps(spec, facts),
        ...imageVolumes(spec),
        ...(spec.rootfs.kind === 'host' ? privateDirectories() : []),
      ],
      [
        ...maskedPaths(spec).map((target): RootOp => ({ op: 'mask', target })),
        ...readonlyPaths(spec).map((target): RootOp => ({ op: 'readonly', target })),
      ],
      [...declaredOps(spec, facts.mounts), ...facts.files.map((op) => [op])],
    ),
    ...(spec.rootfs.kind === 'host' || spec.rootfs.readonly ? [{ op: 'root-readonly' } as const] : []),
  ];
}

/**
 * What an image declares as volumes is writable even where the root is not; elsewhere the root's own layer of writes
 * does for it.
 */
function imageVolumes(spec: ContainerSpec): RootOp[] {
  const readonly = spec.rootfs.kind === 'image' && spec.rootfs.readonly;
  return (readonly ? spec.imageVolumes : []).map((target): RootOp => ({
    op: 'mount',
    fstype: 'tmpfs',
    target,
    options: ['mode=0755'],
    create: 'dir',
    ...SAFE,
  }));
}

function baseOps(spec: ContainerSpec, facts: LaunchFacts): RootOp[] {
  if (spec.rootfs.kind === 'host') {
    return [
      // From the start: what is made for the target of a mount must not be made on the host.
      { op: 'root-bind', source: '/', recursive: false, ro: true, ...SAFE },
      ...chrootOps(spec, facts),
      ...hostMounts(facts.mountinfo).map((path): RootOp => ({
        op: 'bind',
        source: path,
        target: path,
        recursive: false,
        create: 'none',
        ro: true,
        ...SAFE,
      })),
    ];
  }
  return [rootfsOp(spec.rootfs, facts.rootMapped), ...chrootOps(spec, facts)];
}

/**
 * The root is entered by pivot_root but for an initramfs, which cannot be moved away from, and where the stack says so.
 * What shows the old root whole is taken away then.
 */
function chrootOps(spec: ContainerSpec, facts: LaunchFacts): RootOp[] {
  const initramfs = mountedOnInitramfs(facts.mountinfo);
  if (initramfs !== undefined) {
    return [{ op: 'chroot', detach: initramfs }];
  }
  return spec.rootfs.kind === 'host' || spec.rootfs.pivot ? [] : [{ op: 'chroot', detach: ['/proc', '/sys'] }];
}

/** /proc of its pid namespace, /sys of its network namespace, and its own view of the cgroup tree. */
function kernelViews(spec: ContainerSpec, facts: LaunchFacts): RootOp[] {
  const create = 'dir';
  const ops: RootOp[] =
    spec.namespaces.pid.kind === 'host' && spec.namespaces.user.kind !== 'host'
      ? // procfs may only be mounted by the owner of the pid namespace it shows.
        [{ op: 'bind', source: '/proc', target: '/proc', recursive: false, create, ...SEALED }]
      : [{ op: 'mount', fstype: 'proc', target: '/proc', options: [], create, ...SEALED }];
  if (ownsType(spec, 'net')) {
    ops.push({ op: 'mount', fstype: 'sysfs', target: '/sys', options: [], create, ro: true, ...SEALED });
  } else {
    // sysfs shows the network of whoever mounts it, and may only be mounted by that network's owner.
    ops.push({ op: 'bind', source: '/sys', target: '/sys', recursive: false, create, ro: true, ...SEALED });
  }
  if (facts.cgroup2 && ownsType(spec, 'cgroup') && ownsType(spec, 'net')) {
    ops.push({
      op: 'mount',
      fstype: 'cgroup2',
      target: '/sys/fs/cgroup',
      options: [],
      create: 'none',
      ro: true,
      ...SEALED,
    });
  }
  return ops;
}

function ownsType(spec: ContainerSpec, type: NamespaceType): boolean {
  return spec.namespaces[type].kind === 'new';
}

/** /dev: a small tmpfs with the usual nodes, a private pts, shared memory and message queues. */
function devOps(spec: ContainerSpec, facts: LaunchFacts): RootOp[] {
  const ops: RootOp[] = [
    {
      op: 'mount',
      fstype: 'tmpfs',
      target: '/dev',
      options: ['mode=0755', 'size=65536k'],
      create: 'dir',
      nosuid: true,
      noexec: true,
    },
  ];
  const named = facts.rules.filter(
    (r) => r.allow && r.type !== 'a' && typeof r.major === 'number' && typeof r.minor === 'number',
  );
  // mknod passes the container's own filter only with the m bit, and never inside a user namespace: then the host's
  // node is bound instead.
  const mayMake = (major: number, minor: number): boolean =>
    spec.namespaces.user.kind === 'host' &&
    named.some((r) => r.type === 'c' && r.major === major && r.minor === minor && r.access.includes('m')) &&
    !facts.rules.some((r) => !r.allow);
  for (const node of DEFAULT_DEVICE_NODES) {
    const { type, major, minor, mode } = node;
    const target = `/dev/${node.name}`;
    ops.push(
      mayMake(major, minor)
        ? { op: 'mknod', target, type, major, minor, mode }
        : { op: 'bind-device', source: `/dev/${node.name}`, target, type, major, minor },
    );
  }
  const fixed = new Set(DEFAULT_DEVICE_NODES.map((n) => `/dev/${n.name}`));
  for (const { path, type, major, minor } of facts.nodes) {
    if (path.startsWith('/dev/') && !fixed.has(path)) {
      ops.push({ op: 'bind-device', source: path, target: path, type, major, minor });
    }
  }
  for (const [name, to] of DEV_LINKS) {
    ops.push({ op: 'symlink', target: `/dev/${name}`, to });
  }
  ops.push(
    {
      op: 'mount',
      fstype: 'devpts',
      target: '/dev/pts',
      options: ['newinstance', 'ptmxmode=0666', 'mode=0620', ...(facts.ttyGroup ? ['gid=5'] : [])],
      create: 'dir',
      nosuid: true,
      noexec: true,
    },
    {
      op: 'mount',
      fstype: 'tmpfs',
      target: '/dev/shm',
      options: ['mode=1777', `size=${spec.shmSize}`],
      create: 'dir',
      ...SEALED,
    },
  );
  if (ownsType(spec, 'ipc')) {
    ops.push({ op: 'mount', fstype: 'mqueue', target: '/dev/mqueue', options: [], create: 'dir', ...SEALED });
  }
  return ops;
}

const DEV_LINKS = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
  ['ptmx', 'pts/ptmx'],
] as const;

/** What the host's root must not show or share: its runtime state and its temporary files. */
function privateDirectories(): RootOp[] {
  return [
    { op: 'mount', fstype: 'tmpfs', target: '/tmp', options: ['mode=1777'], create: 'none', ...SAFE },
    { op: 'mount', fstype: 'tmpfs', target: '/run', options: ['mode=0755'], create: 'none', ...SAFE },
  ];
}

/** The process: command, account, privileges. */
export function processSpec(
  spec: ContainerSpec,
  facts: Pick<LaunchFacts, 'account' | 'arch' | 'own' | 'landlockAbi'>,
): ProcessSpec {
  const filter = filterFor(spec, facts.arch);
  const env = new Map<string, string>([['PATH', DEFAULT_PATH], ...Object.entries(spec.env)]);
  return {
    argv: spec.command,
    env: [...env].map(([key, value]) => `${key}=${value}`),
    cwd: spec.workingDir,
    uid: facts.account.uid,
    gid: facts.account.gid,
    groups: facts.account.groups,
    umask: parseInt(spec.start.umask, 8),
    capabilities: givenSets(spec.capabilitySets, facts.account.uid),
    noNewPrivs: spec.noNewPrivs,
    seccomp: filter.code,
    seccompFlags: filter.flags,
    personality: personalityNumber(spec.start.personality),
    keyring: spec.start.keyring === 'own',
    settings: settingsText(spec.settings, facts.own.scheduling, facts.own.score),
    confinement: confinementOf({ ...spec.confine }, facts.landlockAbi, 'own'),
  };
}

const filters = new Map<string, Filter>();

/** Few stacks have more than one combination of a built-in filter and capabilities. */
export function filterFor(spec: ContainerSpec, arch: SeccompArch): Filter {
  const { kind } = spec.seccomp;
  const key = kind === 'default' || kind === 'unconfined' ? [kind, arch, ...spec.capabilities].join(' ') : '';
  const known = filters.get(key);
  if (known !== undefined) {
    return known;
  }
  const filter = filterOf(spec.seccomp, arch, new Set<string>(spec.capabilities));
  if (key !== '') {
    filters.set(key, filter);
  }
  return filter;
}

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The types a spec makes anew, before any that surviving members still hold are taken out. */
export function newTypes(spec: ContainerSpec): NamespaceType[] {
  return NAMESPACE_TYPES.filter((type) => spec.namespaces[type].kind === 'new');
}
