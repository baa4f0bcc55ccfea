/**
 * The written contract of the addon: the only view TypeScript has of native/.
 *
 * Everything here is a thin face of one kernel facility. Policy (paths, order, retries, defaults) is the caller's.
 * Batched readers return, per item, the value or a negative errno; they never throw for a single item.
 * Single operations throw an Error with {code:'EPERM', errno:1, syscall:'mount', path?:string}.
 */

/** A negative errno, e.g. -2 for ENOENT. */
export type Errno = number;

export interface Stat {
  /** Device of the inode, as major * 2^20 + minor is not needed: the raw st_dev. */
  readonly dev: number;
  readonly ino: number;
  /** st_mode, type bits included. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** st_rdev's major and minor (character and block devices). */
  readonly major: number;
  readonly minor: number;
  readonly nlink: number;
}

export interface FileInRoot extends Stat {
  readonly content: Uint8Array;
}

export interface DirEntry {
  /** Path relative to the walked root, '' for the root itself. Parents come before their children. */
  readonly path: string;
  readonly ino: number;
}

/** What startReads gives; of use to finishReads alone. */
export interface ReadsHandle {
  readonly reads: unique symbol;
}

/** Paths that are going to be asked for by one call. */
export interface ReadBatch {
  readonly call: 'readFiles' | 'readLinks';
  readonly paths: readonly string[];
}

/** What pollStart gives; of use to pollStop alone. */
export interface PollHandle {
  readonly poll: unique symbol;
}

export interface FanotifyEvent {
  /** FAN_MODIFY 2, FAN_ATTRIB 4, FAN_CREATE 0x100, FAN_DELETE 0x200, FAN_Q_OVERFLOW 0x4000, FAN_ONDIR 0x40000000. */
  readonly mask: number;
  /** Who did it, in our pid namespace; 0 for a process outside. */
  readonly pid: number;
  /** The same process, to be closed by the caller; -1 when it has ended. */
  readonly pidfd: number;
  /** Path of the directory; '' when it has been removed. */
  readonly directory: string;
  /** What it is about in that directory. */
  readonly name: string;
}

export interface SpawnOptions {
  /** The static init binary's path; it is copied into one sealed memfd, once per process, and run from that. */
  readonly init: string;
  /** The encoded InitSpec (src/kernel/init-encode.ts): handed over as a sealed memfd on fd 3. */
  readonly spec: Uint8Array;
  /** cgroup2 directory for CLONE_INTO_CGROUP of the init process itself (the supervisor), '' for the caller's. */
  readonly cgroup: string;
  /** 'null': stdio is /dev/null. 'inherit': the caller's stdio (exec). */
  readonly stdio: 'null' | 'inherit';
  /** How long to wait for the report, ms; 0 waits for ever. On timeout the init process is killed and ETIMEDOUT thrown. */
  readonly timeoutMs: number;
  /** Wait for the init process to exit (exec and one-shot modes), not merely for its report. */
  readonly wait: boolean;
}

export interface SpawnResult {
  /** Pid of the init process (the supervisor). It has been reaped when `wait` was set. */
  readonly pid: number;
  /** Everything written to the report pipe (fd 4) until the writer closed it. */
  readonly report: string;
  /** Exit code when `wait` was set (128 + signal for a signal), otherwise -1. */
  readonly exit: number;
}

export interface BpfProgram {
  readonly id: number;
  readonly name: string;
  /** Program tag as 16 hex digits. */
  readonly tag: string;
  /** Attach flags as the query returned them (BPF_F_ALLOW_MULTI = 2, BPF_F_ALLOW_OVERRIDE = 1). */
  readonly attachFlags: number;
  /** User id of whoever loaded it. */
  readonly uid: number;
  /** struct bpf_insn[8 bytes each] as translated by the kernel, or a negative errno when it cannot be dumped. */
  readonly xlated: Uint8Array | Errno;
}

/** A program to be loaded and attached to a cgroup2 directory. */
export interface CgroupProgram {
  /** enum bpf_prog_type. */
  readonly type: number;
  /** enum bpf_attach_type, which is also the expected_attach_type that it is verified for. */
  readonly hook: number;
  /** At most 15 of A-Z a-z 0-9 '_' '.'. */
  readonly name: string;
  /**
   * struct bpf_insn[]. A load of a map value (BPF_PSEUDO_MAP_VALUE) means the program's own memory, whatever its imm.
   */
  readonly insns: Uint8Array;
  /** Bytes of the program's own memory (an array map of one element, zeroed); 0 for none. */
  readonly memory: number;
}

/** How a thread is scheduled: struct sched_attr, in nanoseconds where it is time. */
export interface Scheduler {
  /** SCHED_OTHER 0, FIFO 1, RR 2, BATCH 3, IDLE 5, DEADLINE 6. */
  readonly policy: number;
  /** SCHED_FLAG_*; 1: reset on fork. */
  readonly flags: number;
  readonly nice: number;
  readonly priority: number;
  readonly runtime: number;
  readonly deadline: number;
  readonly period: number;
}

export interface Scheduling extends Scheduler {
  /** class << 13 | level (ioprio_set(2)). */
  readonly ioprio: number;
  /** Processors it may run on, ascending. */
  readonly cpus: readonly number[];
  /** Cookie of its core scheduling group, '0' for none (PR_SCHED_CORE); -EINVAL where the kernel has none, -ENODEV without SMT. */
  readonly core: string | Errno;
}

export interface Native {
  // files: every descriptor is O_CLOEXEC.
  /** Whole text (UTF-8, invalid bytes replaced) of each file. */
  readFiles(paths: readonly string[]): Array<string | Errno>;
  /**
   * The regular files at `paths` beneath a root that is not to be trusted (openat2, RESOLVE_IN_ROOT), each of at most
   * `limit` bytes.
   */
  readInRoot(root: string, paths: readonly string[], limit: number): Array<FileInRoot | Errno>;
  /** readlink(2) of each path. */
  readLinks(paths: readonly string[]): Array<string | Errno>;
  /** Begins with these batches, one after another, off the main thread. */
  startReads(batches: readonly ReadBatch[]): ReadsHandle;
  /** What the call of one of the batches gives, once; what has not been read yet is read meanwhile. */
  finishReads(reads: ReadsHandle, batch: number): Array<string | Errno>;
  /** stat(2) of each path (follows links, so a namespace file gives the nsfs inode). */
  stats(paths: readonly string[]): Array<Stat | Errno>;
  /** One open(O_WRONLY, never O_CREAT) + one write(2) per item, in order; stops at nothing. 0 or a negative errno each. */
  writeFiles(items: ReadonlyArray<{ readonly path: string; readonly data: string }>): Errno[];
  /** mkdir(2) each, mode 0755; 0 or a negative errno (-17 EEXIST). */
  mkdirs(paths: readonly string[]): Errno[];
  /** rmdir(2) each; 0 or a negative errno. */
  rmdirs(paths: readonly string[]): Errno[];
  /** Every directory below root, itself included, depth first, parents first; -errno if root cannot be opened. */
  walkDirs(root: string, maxEntries: number): DirEntry[] | Errno;

  /**
   * openat2(2) of a path as a process whose root is the directory `root` (a descriptor) would: links and '..' lead no
   * further than that, magic links (/proc/PID/root) nowhere. A descriptor, or a negative errno.
   */
  openInRoot(root: number, path: string, flags: number): number;

  /**
   * Where a file of this size has data: offsets and lengths in turn, at most `most` numbers, or a negative errno. The
   * descriptor stands at its beginning afterwards.
   */
  dataPieces(fd: number, size: number, most: number): number[] | Errno;

  /** Ids of what the main thread makes from now on, its capabilities over files kept: setfsuid(2), setfsgid(2). */
  setFsIds(uid: number, gid: number): void;

  // xattr
  /** getxattr(2) of one name on each path, as text; -61 ENODATA when absent. */
  getXattrs(paths: readonly string[], name: string): Array<string | Errno>;
  listXattrs(path: string): string[] | Errno;
  setXattr(path: string, name: string, value: string): void;
  removeXattr(path: string, name: string): void;

  // locks
  /** open(O_RDONLY|O_DIRECTORY|O_CLOEXEC) and flock(LOCK_EX|LOCK_NB): the descriptor, or -11 EAGAIN / other -errno. */
  lockDir(path: string, shared?: boolean): number;
  /** fstat of a descriptor. */
  fstat(fd: number): Stat | Errno;
  close(fd: number): void;

  // processes
  /** pidfd_open; throws ESRCH when gone. */
  pidfdOpen(pid: number): number;
  pidfdSignal(fd: number, signal: number): void;
  /** Polls the pidfd until the process ends: true, or false after timeoutMs. Off the main thread. */
  pidfdWait(fd: number, timeoutMs: number): Promise<boolean>;
  /** Starts native/init by clone3(CLONE_VFORK|CLONE_VM|CLONE_PIDFD[|CLONE_INTO_CGROUP]). Off the main thread. */
  spawn(options: SpawnOptions): Promise<SpawnResult>;
  /** Waits until the text of `path` contains `needle` (POLLPRI on the file, re-read every 50 ms at most): false after timeoutMs. */
  waitFile(path: string, needle: string, timeoutMs: number): Promise<boolean>;

  // limits and scheduling of other processes; a tid that is a pid is its first thread
  /** prlimit(2) of one resource; 2^64-1 is no limit. 0 or a negative errno. */
  setRlimit(pid: number, resource: number, soft: bigint, hard: bigint): Errno;
  /** sched_getattr(2), ioprio_get(2) and sched_getaffinity(2) of each thread. */
  getScheduling(tids: readonly number[]): Array<Scheduling | Errno>;
  /** Version of Landlock's interface; -ENOSYS or -EOPNOTSUPP where there is none. */
  landlockAbi(): number;
  /** sched_setattr(2); 0 or a negative errno. */
  setScheduler(tid: number, scheduler: Scheduler): Errno;
  /** ioprio_set(2); 0 or a negative errno. */
  setIoprio(tid: number, ioprio: number): Errno;
  /** sched_setaffinity(2); 0 or a negative errno. */
  setAffinity(tid: number, cpus: readonly number[]): Errno;

  // notifications of cgroup v1
  /** eventfd(2), close-on-exec and non-blocking. */
  eventfd(): number;
  /** Makes an eventfd readable. */
  eventfdSignal(fd: number): void;
  /** Waits until one of the eventfds is readable, and empties those: their indexes, none after timeoutMs. Off the main thread. */
  eventfdWait(fds: readonly number[], timeoutMs: number): Promise<number[]>;
  /** An eventfd that says when something happens to a v1 cgroup's file (memory.oom_control: out of memory), until it is closed. */
  cgroupNotify(directory: string, file: string): number;

  // watching (fanotify, uv_poll)
  /** fanotify_init(2): handles of directories with names, and pidfds of writers; close-on-exec and non-blocking. */
  fanotifyInit(): number;
  /**
   * Watches the whole cgroup file system that a directory is in: writes, attributes, directories made and removed.
   * Throws EINVAL for any other file system. @returns a descriptor of the directory, for fanotifyRead and to be closed
   */
  fanotifyMark(fd: number, path: string): number;
  /** What has happened, without waiting: about a hundred events at most, none when there are no more. */
  fanotifyRead(fd: number, mount: number): FanotifyEvent[];
  /** Has the event loop call back whenever a descriptor is readable, or has a priority event, with 0 or a negative errno. */
  pollStart(fd: number, priority: boolean, callback: (status: number) => void): PollHandle;
  /** Ends it, before the descriptor is closed; only once. */
  pollStop(poll: PollHandle): void;

  // rtnetlink
  /** A socket that is told of links and addresses in every network namespace that has a number in ours. */
  rtnetlinkOpen(): number;
  /** The number of a process's network namespace in ours; it is given one where it has none (RTM_NEWNSID). */
  rtnetlinkNamespace(pid: number): number;
  /** The numbers of the namespaces that messages came from, without waiting; lost: some were dropped (ENOBUFS). */
  rtnetlinkRead(fd: number): { readonly namespaces: number[]; readonly lost: boolean };

  // files beneath a directory (openat2)
  /**
   * Executes encoded operations (src/kernel/beneath.ts) in order beneath `root`, through no link and into no other
   * mount. Off the main thread. Settles with the index of the first that failed, -1 for none, its errno and call.
   */
  makeBeneath(
    root: string,
    ops: Uint8Array,
  ): Promise<{ readonly failed: number; readonly errno: number; readonly syscall: string }>;
  /** fstat(2) of a path beneath `root`, through no link. */
  statBeneath(root: string, path: string): Stat | Errno;
  /** syncfs(2) of the file system that holds the directory. Off the main thread. */
  syncTree(path: string): Promise<void>;

  // mounts and namespaces
  mount(source: string, target: string, fstype: string, flags: number, data: string): void;
  umount(target: string, flags: number): void;
  /** NS_GET_ID (Linux 6.18+) of each namespace file as a decimal string, or a negative errno (-25 ENOTTY: no such ioctl). */
  namespaceIds(paths: readonly string[]): Array<string | Errno>;
  /** NS_GET_NSTYPE as 'mnt' | 'pid' | …, or a negative errno; -22 when the file is not on nsfs. */
  namespaceTypes(paths: readonly string[]): Array<string | Errno>;
  /** Inodes of the user namespaces that own each namespace file, nearest first, up to ours: 'INODE INODE'. NS_GET_USERNS. */
  namespaceOwners(paths: readonly string[]): Array<string | Errno>;

  // BPF device programs on cgroup2
  /**
   * Makes `insns` the only device program attached by us on the directory, with no moment unfiltered: loads it,
   * queries; none: attach ALLOW_MULTI; exactly one attached with ALLOW_MULTI: attach with BPF_F_REPLACE; otherwise
   * attach the new, then detach the others. Returns the new program's id.
   */
  deviceProgramReplace(cgroup: string, insns: Uint8Array, name: string): number;
  /** Detaches every device program attached directly on the directory. Returns how many. */
  deviceProgramDetach(cgroup: string): number;
  /** Programs attached directly on each directory (not inherited ones), in attach order. */
  devicePrograms(cgroups: readonly string[]): Array<BpfProgram[] | Errno>;
  /** All programs that run for processes of each directory, inherited ones included; attachFlags says nothing here. */
  effectiveDevicePrograms(cgroups: readonly string[]): Array<BpfProgram[] | Errno>;

  // BPF programs on other hooks of cgroup2, several side by side (BPF_F_ALLOW_MULTI)
  /** Programs attached directly on each directory at one hook (enum bpf_attach_type), in attach order. */
  cgroupPrograms(cgroups: readonly string[], hook: number): Array<BpfProgram[] | Errno>;
  /**
   * Loads a program and attaches it beside the others, or at once in the place of the one with the id `replaces` (0:
   * of none; Linux 5.6). Returns its id. ENOENT: the one to be replaced is not attached (any more). EPERM: a program
   * here or above holds the hook alone.
   */
  cgroupProgramAttach(cgroup: string, program: CgroupProgram, replaces: number): number;
  /** Detaches one program by its id: false when it was not attached. */
  cgroupProgramDetach(cgroup: string, hook: number, id: number): boolean;
}

declare const native: Native;
export default native;
