/**
 * Reading the live system. KernelReader has no method that writes: a planner that could write does not compile.
 */
import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import type {
  BpfProgram,
  CgroupProgram,
  DirEntry,
  Errno,
  FileInRoot,
  Native,
  Scheduler,
  Scheduling,
  Stat,
} from '../../native/index.d.ts';
import { TsboxError } from '../errors.ts';
import { encodeInitSpec, type SysctlGroup } from './init-spec.ts';
import { installationOf, MACHINE_ID } from './installation.ts';
import { cgroupLayout, type CgroupLayout } from './layout.ts';
import { errnoName, initPath, loadNative } from './native.ts';
import { settingsFrom, type Settings } from './settings.ts';

export type { BpfProgram, CgroupProgram, Errno, Scheduler, Scheduling };

export interface UtsNames {
  readonly hostname: string;
  readonly domainname: string;
}

export interface KernelReader {
  readonly settings: Settings;
  readonly layout: CgroupLayout;
  readonly bootId: string;
  /** The name of this installation of tsbox, as its labels have it. */
  readonly installation: string;
  /** Kernel release, '6.1.0-56-cloud-amd64'. */
  readonly release: string;
  /** Effective capabilities of this process, bit n for capability n. */
  readonly capabilities: bigint;
  readFiles(paths: readonly string[]): Array<string | Errno>;
  /** Files beneath a root that is not to be trusted. */
  readInRoot(root: string, paths: readonly string[], limit: number): Array<FileInRoot | Errno>;
  readLinks(paths: readonly string[]): Array<string | Errno>;
  stats(paths: readonly string[]): Array<Stat | Errno>;
  walkDirs(root: string, maxEntries: number): DirEntry[] | Errno;
  /** Names in a directory; none when it is not there. */
  list(path: string): string[];
  getXattrs(paths: readonly string[], name: string): Array<string | Errno>;
  listXattrs(path: string): string[] | Errno;
  namespaceIds(paths: readonly string[]): Array<string | Errno>;
  namespaceTypes(paths: readonly string[]): Array<string | Errno>;
  /** User namespaces that own each namespace, nearest first, up to ours: inodes with blanks between. */
  namespaceOwners(paths: readonly string[]): Array<string | Errno>;
  /** Device programs attached directly on each v2 directory. */
  devicePrograms(cgroups: readonly string[]): Array<BpfProgram[] | Errno>;
  /** Device programs that run for processes of each v2 directory, inherited ones included. */
  effectiveDevicePrograms(cgroups: readonly string[]): Array<BpfProgram[] | Errno>;
  /** Programs attached to each cgroup itself at one hook (enum bpf_attach_type). */
  cgroupPrograms(cgroups: readonly string[], hook: number): Array<BpfProgram[] | Errno>;
  /** How each thread is scheduled; a pid stands for its first thread. */
  scheduling(tids: readonly number[]): Array<Scheduling | Errno>;
  /** Version of Landlock's interface; a negative errno where the kernel has none. */
  landlockAbi(): number;
  /** Names held by uts namespaces, by a short-lived child that joins each in turn; undefined for one it cannot join. */
  readUts(paths: readonly string[]): Promise<Array<UtsNames | undefined>>;
  /** Text of each kernel parameter of each group, by a short-lived child inside; a negative errno for one it cannot read. */
  readSysctls(groups: readonly SysctlGroup[]): Promise<Array<Array<string | Errno>>>;
}

/** True when the process holds the capability with this number. */
export function hasCapability(reader: Pick<KernelReader, 'capabilities'>, bit: number): boolean {
  return ((reader.capabilities >> BigInt(bit)) & 1n) === 1n;
}

export const CAP_SYS_ADMIN = 21;
export const CAP_SYS_NICE = 23;
export const CAP_SYS_RESOURCE = 24;

/** The reader of this machine. Loads the addon. */
export function openReader(env: NodeJS.ProcessEnv): KernelReader {
  return new LinuxReader(loadNative(), settingsFrom(env));
}

export class LinuxReader implements KernelReader {
  readonly settings: Settings;
  readonly layout: CgroupLayout;
  readonly bootId: string;
  readonly installation: string;
  readonly release: string;
  readonly capabilities: bigint;
  protected readonly native: Native;

  constructor(native: Native, settings: Settings) {
    this.native = native;
    this.settings = settings;
    const [mountinfo, status, boot, release, machineId] = native.readFiles([
      '/proc/self/mountinfo',
      '/proc/self/status',
      '/proc/sys/kernel/random/boot_id',
      '/proc/sys/kernel/osrelease',
      MACHINE_ID,
    ]);
    if (typeof mountinfo !== 'string' || typeof status !== 'string') {
      throw new TsboxError('TSB3001', 'cannot read /proc/self: is /proc mounted?');
    }
    this.layout = cgroupLayout(mountinfo, (mount) => {
      const text = native.readFiles([`${mount}/cgroup.controllers`])[0];
      return typeof text === 'string' ? text : '';
    });
    this.installation = installationOf(settings, typeof machineId === 'string' ? machineId : undefined);
    this.bootId = typeof boot === 'string' ? boot.trim() : '';
    this.release = typeof release === 'string' ? release.trim() : '';
    this.capabilities = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  }

  readFiles(paths: readonly string[]): Array<string | Errno> {
    return this.native.readFiles(paths);
  }
  readInRoot(root: string, paths: readonly string[], limit: number): Array<FileInRoot | Errno> {
    return this.native.readInRoot(root, paths, limit);
  }
  readLinks(paths: readonly string[]): Array<string | Errno> {
    return this.native.readLinks(paths);
  }
  stats(paths: readonly string[]): Array<Stat | Errno> {
    return this.native.stats(paths);
  }
  walkDirs(root: string, maxEntries: number): DirEntry[] | Errno {
    return this.native.walkDirs(root, maxEntries);
  }
  list(path: string): string[] {
    try {
      return readdirSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        return [];
      }
      throw error;
    }
  }
  getXattrs(paths: readonly string[], name: string): Array<string | Errno> {
    return this.native.getXattrs(paths, name);
  }
  listXattrs(path: string): string[] | Errno {
    return this.native.listXattrs(path);
  }
  namespaceIds(paths: readonly string[]): Array<string | Errno> {
    return this.native.namespaceIds(paths);
  }
  namespaceTypes(paths: readonly string[]): Array<string | Errno> {
    return this.native.namespaceTypes(paths);
  }
  namespaceOwners(paths: readonly string[]): Array<string | Errno> {
    return this.native.namespaceOwners(paths);
  }
  devicePrograms(cgroups: readonly string[]): Array<BpfProgram[] | Errno> {
    return this.native.devicePrograms(cgroups);
  }
  effectiveDevicePrograms(cgroups: readonly string[]): Array<BpfProgram[] | Errno> {
    return this.native.effectiveDevicePrograms(cgroups);
  }
  cgroupPrograms(cgroups: readonly string[], hook: number): Array<BpfProgram[] | Errno> {
    return this.native.cgroupPrograms(cgroups, hook);
  }
  scheduling(tids: readonly number[]): Array<Scheduling | Errno> {
    return this.native.getScheduling(tids);
  }
  landlockAbi(): number {
    return this.native.landlockAbi();
  }

  async readUts(paths: readonly string[]): Promise<Array<UtsNames | undefined>> {
    if (paths.length === 0) {
      return [];
    }
    if (!hasCapability(this, CAP_SYS_ADMIN)) {
      return paths.map(() => undefined);
    }
    const { report } = await this.native.spawn({
      init: initPath(),
      spec: encodeInitSpec({ mode: 'uts-read', paths }),
      cgroup: '',
      stdio: 'null',
      timeoutMs: 10_000,
      wait: true,
    });
    const lines = report.split('\n');
    return paths.map((_, i) => {
      const line = lines[i];
      if (line === undefined || line.startsWith('!') || !line.includes('\t')) {
        return undefined;
      }
      const [hostname = '', domainname = ''] = line.split('\t');
      return { hostname, domainname: domainname === '(none)' ? '' : domainname };
    });
  }

  async readSysctls(groups: readonly SysctlGroup[]): Promise<Array<Array<string | Errno>>> {
    if (groups.length === 0) {
      return [];
    }
    if (!hasCapability(this, CAP_SYS_ADMIN)) {
      return groups.map((g) => g.entries.map(() => -1));
    }
    const { report } = await this.native.spawn({
      init: initPath(),
      spec: encodeInitSpec({ mode: 'sysctl-read', groups }),
      cgroup: '',
      stdio: 'null',
      timeoutMs: 30_000,
      wait: true,
    });
    const lines = report.split('\n');
    let next = 0;
    return groups.map((g) =>
      g.entries.map(() => {
        const line = lines[next++] ?? '!5';
        return line.startsWith('!') ? -Number(line.slice(1)) : line;
      }),
    );
  }
}

/** Device numbers of a host path, for rules that name a /dev path. */
export function deviceAt(path: string): { type: 'b' | 'c'; major: number; minor: number } | undefined {
  let stat;
  try {
    stat = statSync(path);
  } catch {
    return undefined;
  }
  if (!stat.isCharacterDevice() && !stat.isBlockDevice()) {
    return undefined;
  }
  // makedev(3): glibc's 64-bit dev_t layout.
  const dev = BigInt(stat.rdev);
  const major = Number(((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn));
  const minor = Number((dev & 0xffn) | ((dev >> 12n) & ~0xffn));
  return { type: stat.isBlockDevice() ? 'b' : 'c', major, minor };
}

/** Larger ones belong to no container. */
const ACCOUNT_FILE_LIMIT = 4 * 1024 * 1024;

/**
 * /etc/passwd or group file of a root made of these directories, the topmost first; '' when there is none. Links in
 * it lead where they would inside, never to a file of the host.
 */
export function readAccountFile(roots: readonly string[], name: 'passwd' | 'group'): string {
  for (const root of roots) {
    const file = loadNative().readInRoot(root, [`etc/${name}`], ACCOUNT_FILE_LIMIT)[0] ?? -ENOENT;
    if (typeof file === 'object') {
      return Buffer.from(file.content).toString();
    }
    if (file === -EINVAL) {
      // No regular file: a layer hides it.
      return '';
    }
    if (file !== -ENOENT && file !== -ENOTDIR) {
      throw new TsboxError('TSB3001', `read ${root}/etc/${name}: ${errnoName(-file)}`);
    }
  }
  return '';
}

/** open(2)'s O_PATH, which node does not name: the object is named and not opened. */
const O_PATH = 0o10000000;

export interface Located {
  /** Without symbolic links. */
  readonly path: string;
  /** Id of the mount it is on, as in mountinfo. */
  readonly mount: number;
  readonly kind: 'dir' | 'file';
}

/** Where a path of the host leads; undefined when it leads nowhere. */
export function locatePath(path: string): Located | undefined {
  let fd: number;
  try {
    fd = openSync(path, O_PATH);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) {
      return undefined;
    }
    throw error;
  }
  try {
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
    return {
      path: readlinkSync(`/proc/self/fd/${fd}`),
      mount: Number(/^mnt_id:\s*(\d+)/m.exec(info)?.[1] ?? 0),
      kind: fstatSync(fd).isDirectory() ? 'dir' : 'file',
    };
  } finally {
    closeSync(fd);
  }
}

/** Names in a directory, none when it is not there. */
export function listNames(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) {
      return [];
    }
    throw error;
  }
}

/** The bytes of a regular file of at most `limit` bytes, or in a word why they cannot be had. */
export function readContent(path: string, limit: number): Buffer | string {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) {
      return 'it is no regular file';
    }
    return stat.size > limit ? `it has ${stat.size} bytes, more than ${limit}` : readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}
const [ENOENT, ENOTDIR, EINVAL] = [2, 20, 22];
