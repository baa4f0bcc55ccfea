/** The mounts of a running process below its root, compared with those of the machine and of any container. */
import type { MountInfo } from '../../../kernel/proc.ts';
import { DEFAULT_DEVICE_NODES } from '../../devices/defaults.ts';
import { DEFAULT_SHM } from '../mounts/schema.ts';
import { option, sizeOf, stackAt } from '../mounts/text.ts';
import { MASKED_PATHS, READONLY_PATHS } from '../paths.ts';
import { insideId, type ProcessFacts, type Tell } from './facts.ts';
import { hostPath } from './root.ts';

const FLAGS = ['nosuid', 'nodev', 'noexec'] as const;
type Flag = (typeof FLAGS)[number];

/** Mounts that every container has: by target, the file systems that do for it. */
const DEFAULTS: Readonly<Record<string, readonly string[]>> = {
  '/proc': ['proc'],
  '/sys': ['sysfs'],
  '/sys/fs/cgroup': ['cgroup2'],
  '/dev': ['tmpfs'],
  '/dev/pts': ['devpts'],
  '/dev/shm': ['tmpfs'],
  '/dev/mqueue': ['mqueue'],
};
const NODES = new Set(['console', 'ptmx', ...DEFAULT_DEVICE_NODES.map((n) => n.name)].map((n) => `/dev/${n}`));

const readonlyMount = (m: MountInfo): boolean => m.options.includes('ro');

/** @param host whether its root is the machine's own */
export function describeMounts(facts: ProcessFacts, host: boolean, tell: Tell): Record<string, unknown> {
  const tops = [...new Set(facts.mounts.map((m) => m.target))]
    .filter((target) => target !== '/')
    .map((target) => stackAt(facts.mounts, target).at(-1))
    .filter((m) => m !== undefined);
  const fields: Record<string, unknown> = {};
  const masked: string[] = [];
  const readonly: string[] = [];
  const mounts: Array<Record<string, unknown>> = [];
  for (const mount of tops) {
    const { target } = mount;
    if ((host && isHosts(facts, mount)) || NODES.has(target)) {
      continue;
    }
    if (isMask(mount)) {
      masked.push(target);
      continue;
    }
    if (isProtected(mount)) {
      readonly.push(target);
      continue;
    }
    // cgroup2 shows the cgroup that the view begins at.
    if (DEFAULTS[target]?.includes(mount.fstype) === true && (mount.root === '/' || mount.fstype === 'cgroup2')) {
      differsFromDefault(mount, fields, mounts, tell);
      continue;
    }
    const described = describeMount(facts, mount, tell);
    if (described !== undefined) {
      mounts.push(described);
    }
  }
  if (mounts.length > 0) {
    fields['mounts'] = mounts;
  }
  // Where nothing is covered the process sees all of /proc.
  const views = tops.some((m) => m.target === '/proc' && m.fstype === 'proc');
  if (views || masked.length > 0 || readonly.length > 0) {
    putPaths(fields, 'masked_paths', masked, MASKED_PATHS);
    putPaths(fields, 'readonly_paths', readonly, READONLY_PATHS);
  }
  return fields;
}

/** A list, unless it has of the default list what there may be of it on this machine, and no more. */
function putPaths(
  fields: Record<string, unknown>,
  key: string,
  found: readonly string[],
  usual: readonly string[],
): void {
  if (found.length === 0 || found.some((p) => !usual.includes(p)) || found.length < usual.length / 3) {
    fields[key] = [...found].sort();
  }
}

/** The same thing at the same place on the machine. */
function isHosts(facts: ProcessFacts, mount: MountInfo): boolean {
  return facts.hostMounts.some((h) => h.target === mount.target && h.device === mount.device && h.root === mount.root);
}

/** What covers a path: the null device over a file, an empty read-only tmpfs over a directory. */
function isMask(mount: MountInfo): boolean {
  if (!/^\/(proc|sys)\//.test(mount.target)) {
    return false;
  }
  const device = mount.root === '/null' && (mount.fstype === 'devtmpfs' || mount.fstype === 'tmpfs');
  return device || (mount.fstype === 'tmpfs' && readonlyMount(mount));
}

/** A part of procfs or sysfs mounted on itself, to be read only. */
function isProtected(mount: MountInfo): boolean {
  const { fstype, root, target } = mount;
  return readonlyMount(mount) && ((fstype === 'proc' && target === `/proc${root}`) || (fstype === 'sysfs' && target === `/sys${root}`)) && root !== '/'; // prettier-ignore
}

function differsFromDefault(
  mount: MountInfo,
  fields: Record<string, unknown>,
  mounts: Array<Record<string, unknown>>,
  tell: Tell,
): void {
  const { target } = mount;
  if (target === '/dev/shm') {
    const size = sizeOf(mount);
    if (size === null) {
      mounts.push({ tmpfs: target, noexec: true });
    } else if (size !== DEFAULT_SHM) {
      fields['shm_size'] = size;
    }
  } else if (target === '/proc') {
    const hidepid = option(mount, 'hidepid');
    const subset = option(mount, 'subset');
    if (hidepid !== undefined || subset !== undefined || readonlyMount(mount)) {
      mounts.push({ proc: target, ...(hidepid === undefined ? {} : { hidepid }), ...(subset === undefined ? {} : { subset }), ...(readonlyMount(mount) ? { readonly: true } : {}) }); // prettier-ignore
    }
  } else if ((target === '/sys' || target === '/sys/fs/cgroup') && !readonlyMount(mount)) {
    mounts.push({ [target === '/sys' ? 'sysfs' : 'cgroup']: target, readonly: false });
  } else if (target === '/dev' && readonlyMount(mount)) {
    tell('mounts', '/dev is read-only; that of a copy is not');
  }
}

function describeMount(facts: ProcessFacts, mount: MountInfo, tell: Tell): Record<string, unknown> | undefined {
  const { target, fstype } = mount;
  const flags = (usual: readonly Flag[]): Record<string, boolean> =>
    Object.fromEntries(
      FLAGS.flatMap((f) => {
        const has = mount.options.includes(f);
        return has === usual.includes(f) ? [] : [[f, has]];
      }),
    );
  const only = readonlyMount(mount) ? { readonly: true } : {};
  if (fstype === 'tmpfs' && mount.root === '/' && hostPath(facts.hostMounts, mount) === undefined) {
    const size = sizeOf(mount);
    const inodes = option(mount, 'nr_inodes');
    const id = (key: 'uid' | 'gid'): Record<string, number> => {
      const inside = insideId(facts.text(`${key}_map`), option(mount, key) ?? '0');
      return inside === undefined || inside === 0 ? {} : { [key]: inside };
    };
    return {
      tmpfs: target,
      ...(size === null ? {} : { size }),
      ...(inodes === undefined ? {} : { inodes: Number(inodes) }),
      mode: (option(mount, 'mode') ?? '1777').padStart(4, '0'),
      ...id('uid'),
      ...id('gid'),
      ...only,
      ...flags(['nosuid', 'nodev']),
    };
  }
  const view = { proc: 'proc', sysfs: 'sysfs', mqueue: 'mqueue', devpts: 'devpts', cgroup2: 'cgroup' }[fstype];
  if (view !== undefined && mount.root === '/') {
    return { [view]: target, ...(view === 'devpts' ? {} : only) };
  }
  const source = hostPath(facts.hostMounts, mount);
  if (source === undefined || fstype === 'nsfs') {
    tell('mounts', `${fstype} ${mount.source} on ${target} is mounted nowhere on the host: it is left out`);
    return undefined;
  }
  if (mount.options.includes('idmapped')) {
    tell('mounts', `${target} is idmapped by maps that the kernel does not show`);
  }
  const propagation = mount.optional.some((o) => o.startsWith('master:')) ? { propagation: 'rslave' } : {};
  return { bind: source, target, recursive: false, ...only, ...propagation, ...flags(['nosuid', 'nodev']) };
}
