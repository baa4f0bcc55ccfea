/**
 * The description handed to native/init: what to run, in which namespaces, cgroups and root, and how to supervise it.
 *
 * Policy lives here (TypeScript builds it in kernel order); native/init only executes. init-encode.ts makes the binary
 * form of it.
 */
import type { Confinement } from './confine-spec.ts';
import type { BindOptions, MountOp, MountsSpec, Swap } from './mount-spec.ts';

export const NAMESPACE_TYPES = ['user', 'mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup', 'time'] as const;
export type NamespaceType = (typeof NAMESPACE_TYPES)[number];

/** Mount attribute flags by name; recursive applies to bind only. */
export interface MountFlags {
  readonly ro?: boolean;
  readonly nosuid?: boolean;
  readonly nodev?: boolean;
  readonly noexec?: boolean;
}

/**
 * Shows the ids of a mount through a user namespace: what belongs to id 0 on disk belongs to id 0 inside (man 2
 * mount_setattr, "ID-mapped mounts"). 'container' stands for the container's own user namespace.
 */
export interface Idmap {
  readonly maps: 'container' | { readonly uidMap: string; readonly gidMap: string };
  /** The mounts below it too; otherwise they keep the ids they show. */
  readonly recursive: boolean;
}

/** Executed in order inside the new mount namespace. Sources are host paths, targets are inside the new root. */
export type RootOp =
  /** First op: the new root is a clone of the mount at `source` (a directory). */
  | ({
      readonly op: 'root-bind';
      readonly source: string;
      readonly recursive: boolean;
      readonly idmap?: Idmap;
    } & MountFlags)
  /** First op: the new root is an overlay. */
  | ({
      readonly op: 'root-overlay';
      readonly lower: readonly string[];
      /** Directory for upper and work; '' makes a private tmpfs for them. */
      readonly upper: string;
      readonly work: string;
      /** Of each lower directory. */
      readonly idmap?: Idmap;
    } & MountFlags)
  | ({
      readonly op: 'bind';
      readonly source: string;
      readonly target: string;
      readonly recursive: boolean;
      readonly create: 'none' | 'dir' | 'file';
      readonly idmap?: Idmap;
    } & MountFlags &
      BindOptions &
      Swap)
  | ({
      readonly op: 'mount';
      readonly fstype: string;
      readonly target: string;
      /** fsconfig strings 'key=value' or flags 'key'. */
      readonly options: readonly string[];
      readonly create: 'none' | 'dir';
      /** It begins with what is in the directory that it is mounted on. */
      readonly copyUp?: boolean;
    } & MountFlags &
      Swap)
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
  | { readonly op: 'none' }
  | MountOp;

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
  /** SECCOMP_FILTER_FLAG_*; absent: none. */
  readonly seccompFlags?: number;
  /** personality(2); absent: the caller's. */
  readonly personality?: number;
  /** A session keyring of its own. */
  readonly keyring?: boolean;
  /** What is set from outside just before the exec (settingsText in resources/container/process/settings.ts); absent: nothing. */
  readonly settings?: string;
  /** What it asks for itself before the exec; absent: nothing. */
  readonly confinement?: Confinement;
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
  /** Bring lo up in a created network namespace, where it starts down; absent means yes. */
  readonly loopback?: boolean;
  /** Kernel parameters of created namespaces, written in this order before the program starts. */
  readonly sysctls?: readonly StartSysctl[];
}

/** A kernel parameter: `key` is its path below /proc/sys. */
export interface StartSysctl {
  readonly type: NamespaceType;
  readonly key: string;
  readonly value: string;
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

export const HOOK_MOMENTS = ['pre_start', 'post_start', 'pre_stop', 'post_stop'] as const;
export type HookMoment = (typeof HOOK_MOMENTS)[number];
/** host-root: the container's namespaces with the host's root, before pivot_root. */
export const HOOK_PLACES = ['host', 'host-root', 'container'] as const;
export type HookPlace = (typeof HOOK_PLACES)[number];

/** A program run at a turning point of the container's life, with its state as JSON on standard input. */
export interface HookRecord {
  readonly moment: HookMoment;
  readonly place: HookPlace;
  readonly timeoutMs: number;
  /** For messages. */
  readonly name: string;
  readonly argv: readonly string[];
  /** All of its environment. */
  readonly env: readonly string[];
}

/** Terminal, standard input, first process; and the socket at which to attach, '' for none. */
export interface TerminalRecord {
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly init: boolean;
  readonly socket: string;
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
  /** Settings of health checks (healthText), the last result (parseProbe), and the last ends (parseHistory). */
  readonly healthXattr: string;
  readonly probeXattr: string;
  readonly historyXattr: string;
  /** File in which a changed description is handed to the running supervisor, which takes it on SIGHUP; '' for none. */
  readonly mailbox: string;
  /** Holds the settings in force, ahead of the description's; absent: none. */
  readonly settingsXattr?: string;
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
  /** Output is read though no file keeps it; the journal at the socket gets it, with these fields ('KEY=VALUE\n'…), '' for none. */
  readonly output?: { readonly journal: string; readonly fields: string } | undefined;
  readonly policy: RestartPolicy;
  readonly hooks?: readonly HookRecord[];
  /** State object of the OCI runtime specification without status, pid and its last brace. */
  readonly hookState?: string;
  readonly terminal?: TerminalRecord;
  /** Take over a running container instead of starting one; null starts. */
  readonly adopt: { readonly pid: number; readonly startTime: string; readonly restarts: number } | null;
  /** Have criu make the first run from its images: its arguments, and the file it writes the pid into. */
  readonly restore?: { readonly argv: readonly string[]; readonly pidFile: string } | undefined;
}

/** A container in the foreground: stdio is the caller's, its end is ours; what speaks of logs and restarts has no meaning. */
export interface RunSpec extends Omit<SuperviseSpec, 'mode'> {
  readonly mode: 'run';
  /** Give it a pty of its own and relay the caller's terminal. */
  readonly tty: boolean;
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
  /** Nobody waits for it: stdio is not the caller's, and what is passed on is that it runs. */
  readonly background?: boolean;
  /** Bytes typed on the caller's terminal upon which the program is left running; at most 16; absent: never. */
  readonly detachKeys?: Uint8Array;
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

/** Kernel parameters of one namespace, by their paths below /proc/sys; values are ignored when reading. */
export interface SysctlGroup {
  readonly type: NamespaceType;
  /** A namespace file, as in JoinNamespace; '' for a new namespace, which has what the kernel itself sets. */
  readonly path: string;
  readonly startTime: string;
  readonly entries: ReadonlyArray<readonly [key: string, value: string]>;
}

/** Report a line for each key of each group: its text, or '!ERRNO'. */
export interface SysctlReadSpec {
  readonly mode: 'sysctl-read';
  readonly groups: readonly SysctlGroup[];
}

/** Write them in order; the first that is refused ends it. */
export interface SysctlWriteSpec {
  readonly mode: 'sysctl-write';
  readonly groups: readonly SysctlGroup[];
}

/** Connect the caller's stdio to a container's terminal or standard streams. */
export interface AttachSpec {
  readonly mode: 'attach';
  readonly socket: string;
  /** Pass on what is typed. */
  readonly typing: boolean;
  /** As of ExecSpec, on the container's terminal. */
  readonly detachKeys?: Uint8Array;
}

export type InitSpec =
  | AttachSpec
  | SuperviseSpec
  | RunSpec
  | ExecSpec
  | PinSpec
  | UtsReadSpec
  | UtsWriteSpec
  | SysctlReadSpec
  | SysctlWriteSpec
  | MountsSpec;
