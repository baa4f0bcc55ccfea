/** Writing to the live system: everything an apply does goes through here. Only the executor and the CLI open one. */
import {
  constants,
  chmodSync,
  closeSync,
  fchmodSync,
  fchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  rmdirSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import type { CgroupProgram, Errno, SpawnResult } from '../../native/index.d.ts';
import { errnoOf, TsboxError } from '../errors.ts';
import { fileSystemOf } from './filesystems.ts';
import { ImageStore } from './image-store.ts';
import { encodeInitSpec } from './init-encode.ts';
import { parseReport, type InitReport } from './init-report.ts';
import type { InitSpec } from './init-spec.ts';
import { launchHint } from './launch-hints.ts';
import { errnoName, initPath, loadNative, openPidfd } from './native.ts';
import { LinuxReader, type Scheduler } from './reader.ts';
import { replaceFile } from './replace-file.ts';
import { settingsFrom } from './settings.ts';

export type { SpawnResult };

export const EPERM = 1;
export const ENOENT = 2;
export const EEXIST = 17;
export const EBUSY = 16;
export const EINVAL = 22;
export const ENOTDIR = 20;
export const ESRCH = 3;
export const EAGAIN = 11;
export const ENODEV = 19;
export const EACCES = 13;
export const EOPNOTSUPP = 95;

const SIGHUP = 1;

/** mount(2) and umount2(2) flags. */
export const MS_BIND = 4096;
export const MS_PRIVATE = 1 << 18;
export const MNT_DETACH = 2;

export interface AppendFile {
  write(text: string): void;
  close(): void;
}

/** The machine, with the right to change it. Loads the addon. */
export function openKernel(env: NodeJS.ProcessEnv): Kernel {
  return new Kernel(env);
}

export class Kernel extends LinuxReader {
  /** What was fetched and unpacked. */
  readonly images: ImageStore;

  constructor(env: NodeJS.ProcessEnv) {
    super(loadNative(), settingsFrom(env));
    this.images = new ImageStore(this.native, this.settings.stateDir);
  }

  /** Writes existing files in order and stops at the first that the kernel refuses. */
  write(items: ReadonlyArray<{ readonly path: string; readonly data: string }>): void {
    for (const item of items) {
      const [result = 0] = this.native.writeFiles([item]);
      if (result !== 0) {
        throw refused('write', item.path, result, item.data.trim());
      }
    }
  }

  /** One write; 0 or a negative errno. */
  tryWrite(path: string, data: string): Errno {
    return this.native.writeFiles([{ path, data }])[0] ?? 0;
  }

  /** Makes directories that may exist already. */
  makeDirs(paths: readonly string[]): void {
    this.native.mkdirs(paths).forEach((result, i) => {
      if (result !== 0 && result !== -EEXIST) {
        throw refused('mkdir', paths[i] ?? '', result);
      }
    });
  }

  removeDirs(paths: readonly string[]): Errno[] {
    return this.native.rmdirs(paths);
  }

  setXattr(path: string, name: string, value: string): void {
    this.native.setXattr(path, name, value);
  }

  removeXattr(path: string, name: string): void {
    try {
      this.native.removeXattr(path, name);
    } catch (error) {
      if (errnoOf(error) !== 'ENODATA' && errnoOf(error) !== 'ENOENT') {
        throw error;
      }
    }
  }

  /** openat2(2) beneath a directory that is not to be trusted; a descriptor or a negative errno. */
  openInRoot(root: number, path: string, flags: number): number {
    return this.native.openInRoot(root, path, flags);
  }

  /** Where a file of this size has data: offsets and lengths in turn; where the file system cannot tell, all of it. */
  dataPieces(fd: number, size: number, most: number): readonly number[] {
    const pieces = this.native.dataPieces(fd, size, most);
    return typeof pieces === 'number' ? (size === 0 ? [] : [0, size]) : pieces;
  }

  /** Ids of what we make from now on: a file system of a user namespace takes only those that it knows. */
  setFsIds(uid: number, gid: number): void {
    this.native.setFsIds(uid, gid);
  }

  lockDir(path: string): number {
    return this.native.lockDir(path);
  }
  inodeOf(fd: number): number {
    const stat = this.native.fstat(fd);
    return typeof stat === 'number' ? 0 : stat.ino;
  }
  close(fd: number): void {
    this.native.close(fd);
  }

  /**
   * A pidfd that surely is the process with this start time: the pidfd is opened first, the start time read after, so
   * a pid reused in between is noticed. Undefined when the process is gone.
   */
  openProcess(pid: number, startTime: string): number | undefined {
    const fd = openPidfd(pid);
    if (fd === undefined) {
      return undefined;
    }
    const stat = this.native.readFiles([`/proc/${pid}/stat`])[0];
    const fields = typeof stat === 'string' ? stat.slice(stat.lastIndexOf(')') + 2).split(' ') : [];
    if (fields[19] !== startTime) {
      this.native.close(fd);
      return undefined;
    }
    return fd;
  }

  /** Signals through a pidfd; false when the process has ended. */
  signal(fd: number, signal: number): boolean {
    try {
      this.native.pidfdSignal(fd, signal);
      return true;
    } catch (error) {
      if (errnoOf(error) === 'ESRCH') {
        return false;
      }
      throw error;
    }
  }

  waitProcess(fd: number, timeoutMs: number): Promise<boolean> {
    return this.native.pidfdWait(fd, timeoutMs);
  }
  waitFile(path: string, needle: string, timeoutMs: number): Promise<boolean> {
    return this.native.waitFile(path, needle, timeoutMs);
  }

  /** An eventfd for notifications of a v1 cgroup's file; undefined when the cgroup is gone or has no such file. */
  cgroupNotify(directory: string, file: string): number | undefined {
    try {
      return this.native.cgroupNotify(directory, file);
    } catch (error) {
      if (['ENOENT', 'ENODEV'].includes(errnoOf(error))) {
        return undefined;
      }
      throw error;
    }
  }
  eventfd(): number {
    return this.native.eventfd();
  }
  signalEventfd(fd: number): void {
    this.native.eventfdSignal(fd);
  }
  waitEventfds(fds: readonly number[], timeoutMs: number): Promise<number[]> {
    return this.native.eventfdWait(fds, timeoutMs);
  }

  // Each answers 0 or a negative errno: -3 ESRCH when the process or thread has ended.
  setRlimit(pid: number, resource: number, soft: bigint, hard: bigint): Errno {
    return this.native.setRlimit(pid, resource, soft, hard);
  }
  setScheduler(tid: number, scheduler: Scheduler): Errno {
    return this.native.setScheduler(tid, scheduler);
  }
  setIoprio(tid: number, ioprio: number): Errno {
    return this.native.setIoprio(tid, ioprio);
  }
  setAffinity(tid: number, cpus: readonly number[]): Errno {
    return this.native.setAffinity(tid, cpus);
  }

  replaceDevices(cgroup: string, insns: Uint8Array): number {
    return this.native.deviceProgramReplace(cgroup, insns, 'tsbox_devices');
  }
  clearDevices(cgroup: string): number {
    return this.native.deviceProgramDetach(cgroup);
  }
  /**
   * Attaches a program beside the others, or in the place of the one with the id `replaces` (0: of none).
   * @returns its id; undefined when the one to be replaced has gone meanwhile
   */
  attachProgram(cgroup: string, program: CgroupProgram, replaces: number): number | undefined {
    try {
      return this.native.cgroupProgramAttach(cgroup, program, replaces);
    } catch (error) {
      if (replaces !== 0 && errnoOf(error) === 'ENOENT') {
        return undefined;
      }
      throw error;
    }
  }
  /** False when it was not attached (any more). */
  detachProgram(cgroup: string, hook: number, id: number): boolean {
    return this.native.cgroupProgramDetach(cgroup, hook, id);
  }

  mount(source: string, target: string, fstype: string, flags: number): void {
    this.native.mount(source, target, fstype, flags, '');
  }
  /** Unmounts lazily; true when something was mounted there. */
  unmount(target: string): boolean {
    try {
      this.native.umount(target, MNT_DETACH);
      return true;
    } catch (error) {
      const code = errnoOf(error);
      if (code === 'EINVAL' || code === 'ENOENT') {
        return false;
      }
      throw error;
    }
  }

  /**
   * Runs native/init with a description and returns the fields of its report.
   * @param cgroup cgroup2 directory to start it in, '' for ours
   * @throws TsboxError TSB3002 with step, errno and path when it reports a failure
   */
  async runInit(spec: InitSpec, cgroup: string, timeoutMs: number, wait = false): Promise<ReadonlyMap<string, string>> {
    const result = await this.native.spawn({
      init: initPath(),
      spec: encodeInitSpec(spec),
      cgroup,
      stdio: 'null',
      timeoutMs,
      wait,
    });
    const report = parseReport(result.report);
    if (report.ok) {
      return new Map(Object.entries(report.fields));
    }
    throw this.launchError(report);
  }

  /** The failure that native/init reported. */
  launchError(report: InitReport & { readonly ok: false }): TsboxError {
    const name = report.errno > 0 ? errnoName(report.errno) : '';
    const what = report.step === '' ? 'the init process ended without a report' : report.step;
    const path = report.path === '' ? '' : ` ${report.path}`;
    return new TsboxError('TSB3002', `${what}${path}${name === '' ? '' : `: ${name}`}`, {
      syscall: report.step,
      errno: report.errno,
      errnoCode: name,
      subject: report.path,
      hint: launchHint(report.step, name, report.path, () => this.fileSystemAt(report.path)),
    });
  }

  private fileSystemAt(path: string): string {
    return (
      fileSystemOf(this.realPath(path), String(this.readFiles(['/proc/self/mountinfo'])[0])) ?? 'an unknown file system'
    );
  }

  /** Runs a command in a container, or a container, with our own stdio or none; resolves with its exit code. */
  runInteractive(spec: InitSpec, cgroup = '', stdio: 'inherit' | 'null' = 'inherit'): Promise<SpawnResult> {
    return this.native.spawn({
      init: initPath(),
      spec: encodeInitSpec(spec),
      cgroup,
      stdio,
      timeoutMs: 0,
      wait: true,
    });
  }

  /**
   * Writes a new description where a supervisor waits for one (native/init/update.h), tells it and waits until it has
   * taken it.
   * @param fd the supervisor's pidfd
   */
  async describe(supervisor: number, fd: number, description: Uint8Array, timeoutMs: number): Promise<void> {
    const path = `/proc/${supervisor}/fd/3`;
    const inode = (): number => {
      const stat = this.native.stats([path])[0];
      return typeof stat === 'object' ? stat.ino : 0;
    };
    const before = inode();
    if (!String(this.native.readLinks([path])[0]).startsWith('/memfd:tsbox-spec')) {
      throw new TsboxError('TSB3002', `the supervisor ${supervisor} takes no new description`);
    }
    writeFileSync(path, description, { flag: 'r+' });
    this.signal(fd, SIGHUP);
    for (const end = Date.now() + timeoutMs; inode() === before;) {
      if (Date.now() > end || (await this.waitProcess(fd, 2))) {
        throw new TsboxError('TSB3002', `the supervisor ${supervisor} did not take its new description`, {
          hint: 'apply again: plan shows whether it is still there',
        });
      }
    }
  }

  /** Directories below the state directory, ours alone to write: what somebody else has put there is refused. */
  makeStateDir(path: string): void {
    const { stateDir } = this.settings;
    mkdirSync(stateDir, { recursive: true, mode: 0o711 });
    const steps = path.slice(stateDir.length).split('/');
    steps.forEach((_, i) => {
      const directory = stateDir + steps.slice(0, i + 1).join('/');
      if (i > 0) {
        this.makeDirs([directory]);
      }
      const stat = lstatSync(directory);
      if (!stat.isDirectory() || (stat.uid !== process.geteuid?.() && stat.uid !== 0) || (stat.mode & 0o022) !== 0) {
        throw new TsboxError('TSB3002', `${directory} is not a directory that only root may write`, {
          hint: 'volumes are kept there; give it to root, mode 0711, or set TSBOX_STATE_DIR',
        });
      }
    });
  }

  /** A directory that may be there already, with owner and mode where they are given; never through a link. */
  makeOwnDirectory(path: string, owner: string | null, mode: number | null): void {
    this.makeDirs([path]);
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      if (owner !== null) {
        const [uid = 0, gid = 0] = owner.split(':').map(Number);
        fchownSync(fd, uid, gid);
      }
      if (mode !== null) {
        fchmodSync(fd, mode);
      }
    } finally {
      closeSync(fd);
    }
  }

  /** False where the file system has no such attributes. */
  trySetXattr(path: string, name: string, value: string): boolean {
    try {
      this.native.setXattr(path, name, value);
      return true;
    } catch (error) {
      if (['EOPNOTSUPP', 'ENOTSUP'].includes(errnoOf(error))) {
        return false;
      }
      throw error;
    }
  }

  /** rename(2) of a directory of ours; what has it mounted goes on. */
  moveDirectory(from: string, to: string): void {
    renameSync(from, to);
  }

  // The run directory is an ordinary tmpfs: node's own calls serve.
  makeRunDir(path: string): void {
    mkdirSync(path, { recursive: true, mode: 0o755 });
  }
  /** A directory that only root may enter. */
  makePrivateDir(path: string): void {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chmodSync(path, 0o700);
  }
  /** A small file that only root reads or writes: whole, or as it was. */
  placeFile(path: string, data: string | Uint8Array): void {
    replaceFile(path, data, { mode: 0o600 });
  }
  touch(path: string): void {
    writeFileSync(path, '', { flag: 'a' });
  }
  /** A file that lines are appended to, each in one write. */
  appendTo(path: string): AppendFile {
    const fd = openSync(path, 'a', 0o640);
    return { write: (text) => void writeSync(fd, text), close: () => closeSync(fd) };
  }
  remove(path: string): void {
    rmSync(path, { recursive: true, force: true });
  }
  /** Removes a directory if it is empty; leaves it otherwise. */
  removeIfEmpty(path: string): void {
    try {
      rmdirSync(path);
    } catch (error) {
      if (!['ENOENT', 'ENOTEMPTY', 'EBUSY', 'EEXIST'].includes(errnoOf(error))) {
        throw error;
      }
    }
  }
}

/** An error for a refused system call, naming the call, the object and the errno. */
export function refused(syscall: string, subject: string, result: Errno, value?: string): TsboxError {
  const name = errnoName(-result);
  return new TsboxError('TSB3001', `${syscall} ${subject}${value === undefined ? '' : ` '${value}'`}: ${name}`, {
    syscall,
    errno: -result,
    errnoCode: name,
    subject,
  });
}
