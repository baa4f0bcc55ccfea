/**
 * Being told what happens to the files of cgroups, and by whom: a fanotify(7) mark on each cgroup file system, v2 and v1
 * alike. Where the kernel takes none (before 5.15, or without CAP_SYS_ADMIN), inotify(7) on the directories below our
 * root tells that something happened, and not who did it. What the kernel changes itself (cgroup.events) it tells only
 * for files that somebody has looked up: whoever needs those watches them one by one.
 */
import { errnoOf } from '../errors.ts';
import type { FanotifyEvent } from '../../native/index.d.ts';
import type { Kernel } from './kernel.ts';
import { loadNative } from './native.ts';
import { onReadable, type Stop } from './poll.ts';
import { MAX_DIRECTORIES } from './reader.ts';
import { FileWatch } from './watch.ts';

export interface FileEvent {
  /** Absolute path; a directory alone where inotify tells no more. */
  readonly path: string;
  readonly what: 'write' | 'attribute' | 'create' | 'remove';
  /** Undefined for what the kernel does itself, and where nobody can tell. */
  readonly writer: Writer | undefined;
}

export interface Writer {
  readonly pid: number;
  /** It had ended before it could be looked at: only its pid is known. */
  readonly gone: boolean;
  readonly comm: string | null;
  /** Path of its program; null for one that has ended meanwhile. */
  readonly exe: string | null;
  readonly cgroup: string | null;
  /** Its arguments, which may hold secrets: for looking at, not for keeping. */
  readonly argv: readonly string[];
}

export interface MonitorHandlers {
  /** Whether a path is of interest. */
  wanted(path: string): boolean;
  event(event: FileEvent): void;
  /** The kernel's queue was full: anything may have happened. */
  lost(): void;
  /** Following ends: whatever is thrown by a callback, too. */
  fail(error: unknown): void;
}

const FAN_MODIFY = 0x2;
const FAN_ATTRIB = 0x4;
const FAN_CREATE = 0x100;
const FAN_DELETE = 0x200;
const FAN_Q_OVERFLOW = 0x4000;

/** linux/sched.h: a thread of the kernel. */
const PF_KTHREAD = 0x00200000;
const ARGUMENTS = 4;

export class CgroupMonitor {
  /** Mounts where they are not, and why. */
  readonly anonymous: Array<{ readonly mount: string; readonly reason: string }> = [];
  readonly #kernel: Kernel;
  readonly #handlers: MonitorHandlers;
  readonly #stops: Stop[] = [];
  readonly #directories: FileWatch;

  constructor(kernel: Kernel, handlers: MonitorHandlers) {
    this.#kernel = kernel;
    this.#handlers = handlers;
    this.#directories = new FileWatch((path, entries) => this.#guard(() => this.#directoryChanged(path, entries)));
    for (const { mount } of kernel.layout.hierarchies) {
      const reason = this.#mark(mount);
      if (reason !== undefined) {
        this.anonymous.push({ mount, reason });
        this.#watchBelow(mount);
      }
    }
  }

  close(): void {
    this.#stops.splice(0).forEach((stop) => stop());
    this.#directories.close();
  }

  /** @returns why it cannot be done here; undefined when it is done */
  #mark(mount: string): string | undefined {
    const native = loadNative();
    let group = -1;
    try {
      group = native.fanotifyInit();
      const directory = native.fanotifyMark(group, mount);
      const stopPoll = onReadable(group, () => this.#guard(() => this.#read(group, directory)));
      this.#stops.push(() => {
        stopPoll();
        native.close(group);
        native.close(directory);
      });
      return undefined;
    } catch (error) {
      if (group >= 0) {
        native.close(group);
      }
      const { code = '', syscall = '' } = error as NodeJS.ErrnoException;
      if (
        !['EINVAL', 'EPERM', 'ENOSYS', 'ENODEV', 'EXDEV', 'EOPNOTSUPP', 'ENOTSUP', 'EMFILE', 'ENOSPC'].includes(code)
      ) {
        throw error;
      }
      return `${syscall}: ${code}`;
    }
  }

  #guard(body: () => void): void {
    try {
      body();
    } catch (error) {
      // A descriptor that cannot be read would call again and again.
      this.close();
      this.#handlers.fail(error);
    }
  }

  #read(group: number, directory: number): void {
    const native = loadNative();
    for (;;) {
      const events = native.fanotifyRead(group, directory);
      try {
        this.#tell(events);
      } finally {
        events.filter((e) => e.pidfd >= 0).forEach((e) => native.close(e.pidfd));
      }
      if (events.length === 0) {
        return;
      }
    }
  }

  #tell(events: readonly FanotifyEvent[]): void {
    if (events.some((e) => (e.mask & FAN_Q_OVERFLOW) !== 0)) {
      this.#handlers.lost();
    }
    // What we write ourselves is no news to us.
    const ours = events.filter((e) => e.pid !== process.pid && e.directory !== '');
    const wanted = ours.filter((e) => this.#handlers.wanted(`${e.directory}/${e.name}`));
    const writers = this.#writers(wanted);
    for (const event of wanted) {
      const writer = writers.get(event.pid);
      const what = whatOf(event.mask);
      if (what !== undefined) {
        const known = writer === 'kernel' ? undefined : writer;
        this.#handlers.event({ path: `${event.directory}/${event.name}`, what, writer: known });
      }
    }
  }

  /** Who the writers are, read while the descriptor says that the pid is still theirs. */
  #writers(events: readonly FanotifyEvent[]): Map<number, Writer | 'kernel'> {
    const native = loadNative();
    const found = new Map<number, Writer | 'kernel'>();
    for (const { pid, pidfd } of events) {
      if (found.has(pid)) {
        continue;
      }
      const nobody: Writer = { pid, gone: true, comm: null, exe: null, cgroup: null, argv: [] };
      found.set(pid, nobody);
      if (pidfd < 0) {
        continue;
      }
      const proc = `/proc/${pid}`;
      const [comm, stat, cgroup, cmdline] = this.#kernel.readFiles(
        ['comm', 'stat', 'cgroup', 'cmdline'].map((f) => `${proc}/${f}`),
      );
      const exe = this.#kernel.readLinks([`${proc}/exe`])[0];
      if (typeof comm !== 'string' || typeof stat !== 'string' || !isThere(native, pidfd)) {
        continue;
      }
      const flags = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[6]);
      found.set(
        pid,
        (flags & PF_KTHREAD) !== 0
          ? 'kernel'
          : {
              pid,
              gone: false,
              comm: comm.trimEnd(),
              exe: typeof exe === 'string' ? exe : null,
              cgroup: typeof cgroup === 'string' ? cgroupIn(cgroup) : null,
              argv: typeof cmdline === 'string' ? cmdline.split('\0').slice(0, ARGUMENTS) : [],
            },
      );
    }
    return found;
  }

  #directoryChanged(path: string, entries: boolean): void {
    if (entries) {
      this.#directories.refresh(path);
      const mount = this.anonymous.find((a) => path.startsWith(a.mount))?.mount;
      if (mount !== undefined) {
        this.#watchBelow(mount);
      }
    }
    if (this.#handlers.wanted(path)) {
      this.#handlers.event({ path, what: entries ? 'create' : 'write', writer: undefined });
    }
  }

  /** Our root and all below it; the nearest directory above it tells when it comes. */
  #watchBelow(mount: string): void {
    const root = this.#kernel.settings.cgroupRoot;
    for (let path = root; !this.#directories.add(`${mount}${path}`) && path !== '';) {
      path = path.slice(0, path.lastIndexOf('/'));
    }
    const walked = this.#kernel.walkDirs(`${mount}${root}`, MAX_DIRECTORIES);
    for (const { path } of Array.isArray(walked) ? walked : []) {
      this.#directories.add(`${mount}${root}${path === '' ? '' : `/${path}`}`);
    }
  }
}

function whatOf(mask: number): FileEvent['what'] | undefined {
  return (mask & FAN_CREATE) !== 0
    ? 'create'
    : (mask & FAN_DELETE) !== 0
      ? 'remove'
      : (mask & FAN_MODIFY) !== 0
        ? 'write'
        : (mask & FAN_ATTRIB) !== 0
          ? 'attribute'
          : undefined;
}

/** Whether the process of a descriptor has not been waited for yet: until then its pid is nobody else's. */
function isThere(native: ReturnType<typeof loadNative>, pidfd: number): boolean {
  try {
    native.pidfdSignal(pidfd, 0);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') {
      return false;
    }
    throw error;
  }
}

/** The v2 path of /proc/PID/cgroup, or where there is no v2 the first. */
function cgroupIn(text: string): string | null {
  const lines = text.split('\n').filter((l) => l !== '');
  const line = lines.find((l) => l.startsWith('0::')) ?? lines[0];
  return line === undefined ? null : line.split(':').slice(2).join(':');
}
