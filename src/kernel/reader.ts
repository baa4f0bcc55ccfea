/**
 * Reading the live system. KernelReader has no method that writes: a planner that could write does not compile.
 */
import { readdirSync } from 'node:fs';
import type {
  BpfProgram,
  CgroupProgram,
  DirEntry,
  Errno,
  FileInRoot,
  Native,
  ReadBatch,
  ReadsHandle,
  Scheduler,
  Scheduling,
  Stat,
} from '../../native/index.d.ts';
import { errnoOf, TsboxError } from '../errors.ts';
import { wholeDisk } from './block.ts';
import { deviceAt, locatePath, readAccountFile, realPath, type DeviceNumbers, type Located } from './host-facts.ts';
import { archiveFiles, directoryFiles, packedFile, type ImageFiles, type PackedFile } from './image-files.ts';
import { encodeInitSpec } from './init-encode.ts';
import type { SysctlGroup } from './init-spec.ts';
import { installationOf, MACHINE_ID } from './installation.ts';
import { cgroupLayout, type CgroupLayout } from './layout.ts';
import { initPath, loadNative } from './native.ts';
import { policyAnswer, type PolicyAnswer } from './selinux.ts';
import { settingsFrom, type Settings } from './settings.ts';

export type { BpfProgram, CgroupProgram, Errno, ReadBatch, Scheduler, Scheduling };

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
  /** What the machine executes, in node's words: 'x64', 'arm64'. */
  readonly arch: string;
  /** Effective capabilities of this process, bit n for capability n. */
  readonly capabilities: bigint;
  readFiles(paths: readonly string[]): Array<string | Errno>;
  /** Files beneath a root that is not to be trusted. */
  readInRoot(root: string, paths: readonly string[], limit: number): Array<FileInRoot | Errno>;
  readLinks(paths: readonly string[]): Array<string | Errno>;
  stats(paths: readonly string[]): Array<Stat | Errno>;
  walkDirs(root: string, maxEntries: number): DirEntry[] | Errno;
  /** Names in a directory; none when it is not there or not ours to read. */
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
  /** What the policy of SELinux makes of a label. */
  selinuxLabel(label: string): PolicyAnswer;
  /** Names held by uts namespaces, by a short-lived child that joins each in turn; undefined for one it cannot join. */
  readUts(paths: readonly string[]): Promise<Array<UtsNames | undefined>>;
  /** Text of each kernel parameter of each group, by a short-lived child inside; a negative errno for one it cannot read. */
  readSysctls(groups: readonly SysctlGroup[]): Promise<Array<Array<string | Errno>>>;
  /** Numbers of the device node at a path; undefined for anything else. */
  deviceAt(path: string): DeviceNumbers | undefined;
  /** MAJ:MIN of the disk that the block device with these numbers is or is a part of. */
  wholeDisk(numbers: string): string | undefined;
  /** Where a path of the host leads, and what is there. */
  locate(path: string): Located | undefined;
  /** A path without symbolic links; undefined when it leads nowhere. */
  realPath(path: string): string | undefined;
  /** /etc/passwd or group of a root made of these directories, the topmost first; '' when there is none. */
  accountFile(roots: readonly string[], name: 'passwd' | 'group'): string;
  /** Image files in a directory. */
  imageDirectory(path: string): ImageFiles;
  /** Image files in an uncompressed tar archive. Throws TSB1010. */
  imageArchive(path: string): ImageFiles;
  /** Size and digest of an archive of a root file system; undefined when it is not there. */
  packedFile(path: string): PackedFile | undefined;
}

/** A reader of a machine that is there. */
export interface LiveReader extends KernelReader {
  /**
   * Begins to read what is going to be asked for, while something else is done: the first call of readFiles or readLinks
   * with the very paths of a batch is answered with what was read since.
   */
  readAhead(batches: readonly ReadBatch[]): void;
}

/** Directories that a walk of a cgroup tree of ours takes at most. */
export const MAX_DIRECTORIES = 200_000;

/** True when the process holds the capability with this number. */
export function hasCapability(reader: Pick<KernelReader, 'capabilities'>, bit: number): boolean {
  return ((reader.capabilities >> BigInt(bit)) & 1n) === 1n;
}

export const CAP_SYS_ADMIN = 21;
export const CAP_SYS_NICE = 23;
export const CAP_SYS_RESOURCE = 24;

/** The reader of this machine. Loads the addon. */
export function openReader(env: NodeJS.ProcessEnv): LiveReader {
  return new LinuxReader(loadNative(), settingsFrom(env));
}

export class LinuxReader implements LiveReader {
  readonly settings: Settings;
  readonly layout: CgroupLayout;
  readonly bootId: string;
  readonly installation: string;
  readonly release: string;
  readonly capabilities: bigint;
  readonly arch = process.arch;
  protected readonly native: Native;
  /** Batches that are read ahead and were not asked for yet. */
  readonly #ahead: Array<ReadBatch & { readonly reads: ReadsHandle; readonly at: number }> = [];

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
    return this.#readAlready('readFiles', paths) ?? this.native.readFiles(paths);
  }
  readAhead(batches: readonly ReadBatch[]): void {
    const reads = this.native.startReads(batches);
    this.#ahead.push(...batches.map((batch, at) => ({ ...batch, reads, at })));
  }
  readInRoot(root: string, paths: readonly string[], limit: number): Array<FileInRoot | Errno> {
    return this.native.readInRoot(root, paths, limit);
  }
  readLinks(paths: readonly string[]): Array<string | Errno> {
    return this.#readAlready('readLinks', paths) ?? this.native.readLinks(paths);
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
      if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(errnoOf(error))) {
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
  selinuxLabel(label: string): PolicyAnswer {
    return policyAnswer(label);
  }

  #readAlready(call: ReadBatch['call'], paths: readonly string[]): Array<string | Errno> | undefined {
    const found = this.#ahead.findIndex(
      (b) => b.call === call && b.paths.length === paths.length && b.paths.every((p, i) => p === paths[i]),
    );
    const [batch] = found < 0 ? [] : this.#ahead.splice(found, 1);
    return batch === undefined ? undefined : this.native.finishReads(batch.reads, batch.at);
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

  deviceAt(path: string): DeviceNumbers | undefined {
    return deviceAt(path);
  }
  wholeDisk(numbers: string): string | undefined {
    return wholeDisk(numbers);
  }
  locate(path: string): Located | undefined {
    return locatePath(path);
  }
  realPath(path: string): string | undefined {
    return realPath(path);
  }
  accountFile(roots: readonly string[], name: 'passwd' | 'group'): string {
    return readAccountFile(roots, name);
  }
  imageDirectory(path: string): ImageFiles {
    return directoryFiles(path);
  }
  imageArchive(path: string): ImageFiles {
    return archiveFiles(path);
  }
  packedFile(path: string): PackedFile | undefined {
    return packedFile(path, this.settings.stateDir);
  }
}

/** What was read, where it is no errno. */
export function textOrNone(found: string | number | undefined): string | undefined {
  return typeof found === 'string' ? found : undefined;
}
