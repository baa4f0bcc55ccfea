/**
 * The description handed to native/init: what to run, in which namespaces, cgroups and root, and how to supervise it.
 *
 * Policy lives here (TypeScript builds it in kernel order); native/init only executes. The binary form is written by
 * encodeInitSpec and read by native/init/spec.c; the two must agree.
 */

export const NAMESPACE_TYPES = ['user', 'mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup', 'time'] as const;
export type NamespaceType = (typeof NAMESPACE_TYPES)[number];

/** Mount attribute flags by name; recursive applies to bind only. */
export interface MountFlags {
  readonly ro?: boolean;
  readonly nosuid?: boolean;
  readonly nodev?: boolean;
  readonly noexec?: boolean;
}

/** Executed in order inside the new mount namespace. Sources are host paths, targets are inside the new root. */
export type RootOp =
  /** First op: the new root is a clone of the mount at `source` (a directory). */
  | ({ readonly op: 'root-bind'; readonly source: string; readonly recursive: boolean } & MountFlags)
  /** First op: the new root is an overlay. */
  | ({
      readonly op: 'root-overlay';
      readonly lower: readonly string[];
      /** Directory for upper and work; '' makes a private tmpfs for them. */
      readonly upper: string;
      readonly work: string;
    } & MountFlags)
  | ({
      readonly op: 'bind';
      readonly source: string;
      readonly target: string;
      readonly recursive: boolean;
      readonly create: 'none' | 'dir' | 'file';
    } & MountFlags)
  | ({
      readonly op: 'mount';
      readonly fstype: string;
      readonly target: string;
      /** fsconfig strings 'key=value' or flags 'key'. */
      readonly options: readonly string[];
      readonly create: 'none' | 'dir';
    } & MountFlags)
  | { readonly op: 'mkdir'; readonly target: string; readonly mode: number }
  | { readonly op: 'symlink'; readonly target: string; readonly to: string }
  | {
      readonly op: 'mknod';
      readonly target: string;
      readonly type: 'c' | 'b';
      readonly major: number;
      readonly minor: number;
      readonly mode: number;
    }
  /** Bind the host's device node (checked by fd: type, major, minor) instead of mknod: for user namespaces. */
  | {
      readonly op: 'bind-device';
      readonly source: string;
      readonly target: string;
      readonly type: 'c' | 'b';
      readonly major: number;
      readonly minor: number;
    }
  /** /dev/null over a file, an empty read-only tmpfs over a directory; a missing target is fine. */
  | { readonly op: 'mask'; readonly target: string }
  /** Bind onto itself and make read-only; a missing target is fine. */
  | { readonly op: 'readonly'; readonly target: string }
  /** Make the root mount itself read-only (last). */
  | { readonly op: 'root-readonly' }
  /** A "host" mount namespace or a shared one: nothing is mounted and no pivot_root happens. */
  | { readonly op: 'none' };

export interface CapabilitySets {
  /** 64-bit masks as bigint: bit n is capability number n. */
  readonly bounding: bigint;
  readonly permitted: bigint;
  readonly effective: bigint;
  readonly inheritable: bigint;
  readonly ambient: bigint;
}

export interface ProcessSpec {
  readonly argv: readonly string[];
  /** KEY=value. argv[0] without a slash is looked up in this PATH inside the new root. */
  readonly env: readonly string[];
  readonly cwd: string;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** -1 leaves it. */
  readonly umask: number;
  readonly capabilities: CapabilitySets;
  readonly noNewPrivs: boolean;
  /** Classic BPF (struct sock_filter[]), empty for none. */
  readonly seccomp: Uint8Array;
}

export interface JoinNamespace {
  readonly type: NamespaceType;
  /** A namespace file: /proc/PID/ns/x or a pin. Checked to be on nsfs and of this type. */
  readonly path: string;
  /**
   * When path is /proc/PID/…: the process's start time (field 22 of /proc/PID/stat), re-checked after the namespace
   * file is open, so that a reused pid is never joined. '' when not applicable.
   */
  readonly startTime: string;
}

export interface NamespaceSetup {
  readonly create: readonly NamespaceType[];
  readonly join: readonly JoinNamespace[];
  /** Lines for /proc/PID/uid_map and gid_map of a created user namespace. */
  readonly uidMap: string;
  readonly gidMap: string;
  readonly setgroups: 'allow' | 'deny';
  /** Text for /proc/self/timens_offsets of a created time namespace: 'monotonic SEC NSEC\nboottime SEC NSEC\n', '' for none. */
  readonly timeOffsets: string;
  /** Set in a created uts namespace; '' leaves it. */
  readonly hostname: string;
  readonly domainname: string;
}

export interface RestartPolicy {
  readonly policy: 'no' | 'always' | 'on-failure' | 'unless-stopped';
  /** Restarts in a row before giving up; 0 means no bound. */
  readonly max: number;
  /** First delay and cap, ms; doubled per restart in a row, reset after 10 s of running. */
  readonly backoffMs: number;
  readonly backoffMaxMs: number;
  readonly stopSignal: number;
  readonly graceMs: number;
}

/** The text kept in the policy xattr and parsed by the supervisor at start and on SIGHUP. */
export function policyText(p: RestartPolicy): string {
  return `restart=${p.policy} max=${p.max} backoff=${p.backoffMs} backoff_max=${p.backoffMaxMs} signal=${p.stopSignal} grace=${p.graceMs}`;
}

export interface SuperviseSpec {
  readonly mode: 'supervise';
  /** Shown by ps: 'tsbox: STACK/NAME'. */
  readonly title: string;
  /** Directory carrying the run and policy xattrs (the container's leaf cgroup in the primary hierarchy). */
  readonly labelDir: string;
  /** e.g. trusted.tsbox.run, trusted.tsbox.policy. */
  readonly runXattr: string;
  readonly policyXattr: string;
  /** v1 cgroup.procs files that the supervisor writes itself into first. */
  readonly supervisorProcs: readonly string[];
  /** cgroup2 leaf directory for CLONE_INTO_CGROUP of the container, '' where there is none. */
  readonly cgroup: string;
  /** v1 leaf cgroup.procs files that get the container's pid before it goes on. */
  readonly cgroupProcs: readonly string[];
  readonly namespaces: NamespaceSetup;
  readonly root: readonly RootOp[];
  readonly process: ProcessSpec;
  /** Log file in CRI format, rotated to FILE.1 … when maxBytes is passed; path '' for none. */
  readonly log: { readonly path: string; readonly maxBytes: number; readonly files: number };
  readonly policy: RestartPolicy;
  /** Take over a running container instead of starting one; null starts. */
  readonly adopt: { readonly pid: number; readonly startTime: string; readonly restarts: number } | null;
}

/** Run a further process in a container; stdio is the caller's; exit status is passed on. */
export interface ExecSpec {
  readonly mode: 'exec';
  readonly title: string;
  readonly cgroup: string;
  readonly cgroupProcs: readonly string[];
  readonly namespaces: NamespaceSetup;
  /** The container's root: /proc/PID/root is used after joining its mount namespace (setns does that). */
  readonly process: ProcessSpec;
  /** Give it a pty of its own and relay the caller's terminal. */
  readonly tty: boolean;
}

/** Make one namespace and pin it by a bind mount of its nsfs file on `target` (an existing file). */
export interface PinSpec {
  readonly mode: 'pin';
  readonly title: string;
  readonly type: NamespaceType;
  readonly target: string;
  readonly namespaces: NamespaceSetup;
  /** cgroup.procs files for the keeper of a pid namespace (its pid 1, which reaps and stays). */
  readonly cgroupProcs: readonly string[];
}

/** Report 'hostname\tdomainname\n' for each uts namespace file, '!ERRNO\n' for one that cannot be joined. */
export interface UtsReadSpec {
  readonly mode: 'uts-read';
  readonly paths: readonly string[];
}

/** Set hostname and domainname (each unless null) in a uts namespace. */
export interface UtsWriteSpec {
  readonly mode: 'uts-write';
  readonly path: string;
  readonly hostname: string | null;
  readonly domainname: string | null;
}

export type InitSpec = SuperviseSpec | ExecSpec | PinSpec | UtsReadSpec | UtsWriteSpec;

/** The text of the run xattr, written by the supervisor at every change of state. */
export interface RunState {
  readonly state: 'starting' | 'running' | 'backoff' | 'stopping' | 'stopped' | 'exited' | 'failed';
  /** The container's process (host pid view), 0 when none. */
  readonly pid: number;
  /** Field 22 of /proc/PID/stat, '' when none. */
  readonly startTime: string;
  readonly supervisor: number;
  readonly supervisorStartTime: string;
  /** Exit code of the last run, -1 when it has not ended or ended by a signal, -2 when unknown. */
  readonly exit: number;
  /** Signal that ended the last run, 0 for none. */
  readonly signal: number;
  readonly restarts: number;
  /** Wall clock of the last change of state, ms since the epoch. */
  readonly sinceMs: number;
}
