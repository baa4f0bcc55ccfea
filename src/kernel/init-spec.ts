/**
 * The description handed to native/init: what to run, in which namespaces, cgroups and root, and how to supervise it.
 *
 * Policy lives here (TypeScript builds it in kernel order); native/init only executes. The binary form is written by
 * encodeInitSpec and read by native/init/spec.c; the two must agree.
 */
import { TsboxError } from '../errors.ts';
import { parseFields } from './fields-text.ts';
import { encodeConfinement, type Confinement } from './confine-spec.ts';
import { COPY_UP, MOUNT_OPS, MOUNT_TAGS, propagationBits, SWAP, TOP_ONLY } from './mount-spec.ts';
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
  /** Of a container with health checks, while it runs and as it was when they ended it. */
  readonly health?: HealthState;
  /** Failed checks in a row. */
  readonly failing?: number;
}

export const HEALTH_STATES = ['starting', 'healthy', 'unhealthy'] as const;
export type HealthState = (typeof HEALTH_STATES)[number];

/*
 * The binary form. Little-endian throughout (both supported machines are).
 *
 *   file    = magic u32 "TSBX" · version u32 · mode u32 · size of the whole u32 · record*
 *   record  = tag u32 · payload length u32 · payload · zeros to a multiple of 4
 *   string  = length in bytes u32 · UTF-8 bytes · one NUL (strings hold no other)
 *
 * A list is a record per item, in order. Tags and payloads are those of native/init/spec.h; an absent record means its
 * zero or ''. A reader that meets an unknown tag, or a length that does not fit, refuses the whole.
 */
const MAGIC = 0x58425354;
const VERSION = 1;

const MODES = {
  attach: 17,
  supervise: 1,
  exec: 2,
  pin: 3,
  'uts-read': 4,
  'uts-write': 5,
  mounts: 12,
  'sysctl-read': 14,
  'sysctl-write': 15,
  run: 16,
} as const;

const TAG = {
  title: 1,
  label: 2,
  supervisorProcs: 3,
  cgroup: 4,
  cgroupProcs: 5,
  nsCreate: 6,
  nsJoin: 7,
  nsMaps: 8,
  nsTime: 9,
  nsUts: 10,
  nsLoopback: 11,
  rootOp: 12,
  arg: 13,
  env: 14,
  process: 15,
  groups: 16,
  seccomp: 17,
  log: 18,
  policy: 19,
  adopt: 20,
  tty: 21,
  pin: 22,
  path: 23,
  hostname: 24,
  domainname: 25,
  idmap: 50,
  sysctl: 60,
  sysctlGroup: 61,
  mailbox: 80,
  xattrs: 81,
  settings: 30,
  start: 31,
  seccompFlags: 32,
  ...MOUNT_TAGS,
  hook: 82,
  hookState: 83,
  terminal: 84,
  output: 85,
  attach: 86,
  restore: 100,
  restoreArg: 101,
  detachKeys: 120,
  background: 121,
} as const;

const ROOT_OPS = {
  'root-bind': 1,
  'root-overlay': 2,
  bind: 3,
  mount: 4,
  mkdir: 5,
  symlink: 6,
  mknod: 7,
  'bind-device': 8,
  mask: 9,
  readonly: 10,
  'root-readonly': 11,
  none: 12,
  ...MOUNT_OPS,
} as const;

const RESTART_KINDS = ['no', 'always', 'on-failure', 'unless-stopped'] as const;

/** A growing buffer of little-endian fields. */
class Writer {
  #bytes = Buffer.alloc(4096);
  length = 0;

  #room(n: number): number {
    const at = this.length;
    if (at + n > this.#bytes.length) {
      this.#bytes = Buffer.concat([this.#bytes], Math.max(this.#bytes.length * 2, at + n));
    }
    this.length += n;
    return at;
  }

  u32(value: number): this {
    if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
      throw new TsboxError('TSB9002', `init description: ${value} does not fit 32 bits`);
    }
    const at = this.#room(4);
    this.#bytes.writeUInt32LE(value, at);
    return this;
  }

  u64(value: number | bigint): this {
    const big = typeof value === 'bigint' ? value : Number.isSafeInteger(value) ? BigInt(value) : -1n;
    if (big < 0n || big > 0xffffffffffffffffn) {
      throw new TsboxError('TSB9002', `init description: ${value} does not fit 64 bits`);
    }
    const at = this.#room(8);
    this.#bytes.writeBigUInt64LE(big, at);
    return this;
  }

  raw(value: Uint8Array): this {
    const at = this.#room(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  str(value: string): this {
    if (value.includes('\0')) {
      throw new TsboxError('TSB3002', `a NUL byte cannot be handed to the kernel, in ${JSON.stringify(value)}`, {
        subject: value,
      });
    }
    const size = Buffer.byteLength(value, 'utf8');
    this.u32(size);
    const at = this.#room(size + 1);
    this.#bytes.write(value, at, 'utf8');
    this.#bytes[at + size] = 0;
    return this;
  }

  record(tag: number, fill: (w: Writer) => void): this {
    this.u32(tag);
    const lengthAt = this.#room(4);
    const start = this.length;
    fill(this);
    this.#bytes.writeUInt32LE(this.length - start, lengthAt);
    const padding = -this.length & 3;
    this.#bytes.fill(0, this.#room(padding), this.length);
    return this;
  }

  finish(sizeAt: number): Uint8Array {
    this.#bytes.writeUInt32LE(this.length, sizeAt);
    return Uint8Array.prototype.slice.call(this.#bytes, 0, this.length);
  }
}

function encodeStrings(w: Writer, tag: number, values: readonly string[]): void {
  for (const value of values) w.record(tag, (r) => r.str(value));
}

function flagBits(flags: MountFlags): number {
  return (flags.ro ? 1 : 0) | (flags.nosuid ? 2 : 0) | (flags.nodev ? 4 : 0) | (flags.noexec ? 8 : 0);
}

const RECURSIVE = 16;
const CREATE = { none: 0, dir: 32, file: 64 } as const;

function idmapBits(op: { readonly idmap?: Idmap }): number {
  return op.idmap === undefined ? 0 : op.idmap.recursive ? 512 : 256;
}

interface RootFields {
  readonly flags?: number;
  readonly mode?: number;
  readonly type?: 'c' | 'b' | number;
  readonly major?: number;
  readonly minor?: number;
  readonly source?: string;
  readonly target?: string;
  readonly extra?: string;
  readonly list?: readonly string[];
}

/** Every op has the same fields, most of them empty: one decoder in C, and no field that only some path checks. */
function rootFields(op: RootOp, blobs: number): RootFields {
  switch (op.op) {
    case 'root-bind':
      return { source: op.source, flags: flagBits(op) | (op.recursive ? RECURSIVE : 0) | idmapBits(op) };
    case 'root-overlay':
      return { source: op.upper, extra: op.work, list: op.lower, flags: flagBits(op) | idmapBits(op) };
    case 'bind':
      return {
        source: op.source,
        target: op.target,
        extra: op.within ?? '',
        flags:
          flagBits(op) |
          (op.recursive ? RECURSIVE : 0) |
          (op.topOnly ? TOP_ONLY : 0) |
          (op.swap ? SWAP : 0) |
          CREATE[op.create] |
          idmapBits(op),
        mode: propagationBits(op.propagation),
        type: flagBits(op.clear ?? {}),
      };
    case 'mount':
      return {
        target: op.target,
        extra: op.fstype,
        list: op.options,
        flags: flagBits(op) | (op.swap ? SWAP : 0) | (op.copyUp ? COPY_UP : 0) | CREATE[op.create],
      };
    case 'overlay':
      return { target: op.target, list: op.lower, flags: flagBits(op) | (op.swap ? SWAP : 0) | CREATE[op.create] };
    case 'file':
      return {
        target: op.target,
        flags: flagBits(op) | (op.swap ? SWAP : 0) | CREATE.file,
        mode: op.mode,
        type: blobs,
        major: op.uid,
        minor: op.gid,
      };
    case 'remount':
      return {
        target: op.target,
        flags: flagBits(op.set) | (op.recursive ? RECURSIVE : 0),
        type: flagBits(op.clear),
        mode: propagationBits(op.propagation),
      };
    case 'reconfigure':
      return { target: op.target, list: op.options };
    case 'expect':
      return { target: op.target, major: op.id };
    case 'mkdir':
      return { target: op.target, mode: op.mode };
    case 'symlink':
      return { target: op.target, source: op.to };
    case 'mknod':
      return { target: op.target, type: op.type, major: op.major, minor: op.minor, mode: op.mode };
    case 'bind-device':
      return {
        source: op.source,
        target: op.target,
        type: op.type,
        major: op.major,
        minor: op.minor,
        flags: CREATE.file,
      };
    case 'mask':
    case 'readonly':
    case 'unmount':
      return { target: op.target };
    case 'chroot':
      return { list: op.detach };
    case 'root-readonly':
    case 'none':
      return {};
  }
}

function encodeRoot(w: Writer, ops: readonly RootOp[]): void {
  let blobs = 0;
  for (const [index, op] of ops.entries()) {
    const f = rootFields(op, blobs);
    if (op.op === 'file') {
      blobs++;
      w.record(TAG.blob, (r) => r.raw(op.content));
    }
    w.record(TAG.rootOp, (r) => {
      r.u32(ROOT_OPS[op.op])
        .u32(f.flags ?? 0)
        .u32(f.mode ?? 0)
        .u32(typeof f.type === 'string' ? f.type.charCodeAt(0) : (f.type ?? 0))
        .u32(f.major ?? 0)
        .u32(f.minor ?? 0)
        .str(f.source ?? '')
        .str(f.target ?? '')
        .str(f.extra ?? '')
        .u32(f.list?.length ?? 0);
      for (const item of f.list ?? []) r.str(item);
    });
    const maps = 'idmap' in op ? op.idmap?.maps : undefined;
    if (maps !== undefined && maps !== 'container') {
      w.record(TAG.idmap, (r) => r.u32(index).str(maps.uidMap).str(maps.gidMap));
    }
  }
}

function encodeJoins(w: Writer, joins: readonly JoinNamespace[]): void {
  for (const join of joins) {
    w.record(TAG.nsJoin, (r) => r.u32(NAMESPACE_TYPES.indexOf(join.type)).str(join.path).str(join.startTime));
  }
}

function encodeNamespaces(w: Writer, ns: NamespaceSetup): void {
  let create = 0;
  for (const type of ns.create) create |= 1 << NAMESPACE_TYPES.indexOf(type);
  w.record(TAG.nsCreate, (r) => r.u32(create));
  encodeJoins(w, ns.join);
  w.record(TAG.nsMaps, (r) =>
    r
      .str(ns.uidMap)
      .str(ns.gidMap)
      .u32(ns.setgroups === 'deny' ? 1 : 0),
  );
  w.record(TAG.nsTime, (r) => r.str(ns.timeOffsets));
  w.record(TAG.nsUts, (r) => r.str(ns.hostname).str(ns.domainname));
  w.record(TAG.nsLoopback, (r) => r.u32(ns.loopback === false ? 0 : 1));
  for (const { type, key, value } of ns.sysctls ?? []) {
    w.record(TAG.sysctl, (r) => r.u32(NAMESPACE_TYPES.indexOf(type)).str(key).str(value));
  }
}

function encodeProcess(w: Writer, p: ProcessSpec, settingsXattr = ''): void {
  encodeStrings(w, TAG.arg, p.argv);
  encodeStrings(w, TAG.env, p.env);
  w.record(TAG.process, (r) => {
    r.str(p.cwd)
      .u32(p.uid)
      .u32(p.gid)
      .u32(p.umask < 0 ? 0xffffffff : p.umask)
      .u32(p.noNewPrivs ? 1 : 0);
    const c = p.capabilities;
    for (const set of [c.bounding, c.permitted, c.effective, c.inheritable, c.ambient]) r.u64(set);
  });
  w.record(TAG.groups, (r) => p.groups.forEach((group) => r.u32(group)));
  w.record(TAG.start, (r) => r.u32(p.personality ?? 0xffffffff).u32(p.keyring === true ? 1 : 0));
  const settings = p.settings ?? '';
  if (settings !== '' || settingsXattr !== '') w.record(TAG.settings, (r) => r.str(settingsXattr).str(settings));
  if (p.seccomp.length > 0) w.record(TAG.seccomp, (r) => r.raw(p.seccomp));
  const flags = p.seccompFlags ?? 0;
  if (flags !== 0) w.record(TAG.seccompFlags, (r) => r.u32(flags));
  if (p.confinement !== undefined) encodeConfinement(w, p.confinement);
}

function encodeHooks(w: Writer, s: Omit<SuperviseSpec, 'mode'>): void {
  for (const h of s.hooks ?? []) {
    w.record(TAG.hook, (r) => {
      r.u32(HOOK_MOMENTS.indexOf(h.moment)).u32(HOOK_PLACES.indexOf(h.place)).u64(h.timeoutMs).str(h.name);
      r.u32(h.argv.length).u32(h.env.length);
      for (const text of [...h.argv, ...h.env]) r.str(text);
    });
  }
  w.record(TAG.hookState, (r) => r.str(s.hookState ?? '{'));
}

function encodeSupervise(w: Writer, s: Omit<SuperviseSpec, 'mode'>): void {
  w.record(TAG.label, (r) => r.str(s.labelDir).str(s.runXattr).str(s.policyXattr));
  w.record(TAG.xattrs, (r) => r.str(s.healthXattr).str(s.probeXattr).str(s.historyXattr));
  w.record(TAG.mailbox, (r) => r.str(s.mailbox));
  encodeStrings(w, TAG.supervisorProcs, s.supervisorProcs);
  encodeRoot(w, s.root);
  w.record(TAG.log, (r) => r.str(s.log.path).u64(s.log.maxBytes).u32(s.log.files));
  if (s.output !== undefined) {
    const { journal, fields } = s.output;
    w.record(TAG.output, (r) => r.str(journal).str(fields));
  }
  const p = s.policy;
  w.record(TAG.policy, (r) =>
    r
      .u32(RESTART_KINDS.indexOf(p.policy))
      .u32(p.max)
      .u32(p.stopSignal)
      .u64(p.backoffMs)
      .u64(p.backoffMaxMs)
      .u64(p.graceMs),
  );
  encodeHooks(w, s);
  const t = s.terminal;
  if (t) w.record(TAG.terminal, (r) => r.u32((t.tty ? 1 : 0) | (t.stdin ? 2 : 0) | (t.init ? 4 : 0)).str(t.socket));
  const adopt = s.adopt;
  const restore = s.restore;
  if (restore) {
    w.record(TAG.restore, (r) => r.str(restore.pidFile));
    encodeStrings(w, TAG.restoreArg, restore.argv);
  }
  if (adopt) w.record(TAG.adopt, (r) => r.u32(adopt.pid).str(adopt.startTime).u32(adopt.restarts));
}

const NO_KEYS = new Uint8Array(0);

/** The description in the form that native/init reads. A string with a NUL byte in it is refused. */
export function encodeInitSpec(spec: InitSpec): Uint8Array {
  const w = new Writer();
  w.u32(MAGIC).u32(VERSION).u32(MODES[spec.mode]);
  const sizeAt = w.length;
  w.u32(0);
  if (spec.mode === 'attach') {
    w.record(TAG.attach, (r) => r.str(spec.socket));
    w.record(TAG.tty, (r) => r.u32(spec.typing ? 1 : 0));
    w.record(TAG.detachKeys, (r) => r.raw(spec.detachKeys ?? NO_KEYS));
    return w.finish(sizeAt);
  }
  if (spec.mode === 'uts-read') {
    encodeStrings(w, TAG.path, spec.paths);
    return w.finish(sizeAt);
  }
  if (spec.mode === 'sysctl-read' || spec.mode === 'sysctl-write') {
    for (const { type, path, startTime, entries } of spec.groups) {
      w.record(TAG.sysctlGroup, (r) => {
        r.u32(NAMESPACE_TYPES.indexOf(type)).str(path).str(startTime).u32(entries.length);
        for (const [key, value] of entries) r.str(key).str(value);
      });
    }
    return w.finish(sizeAt);
  }
  if (spec.mode === 'uts-write') {
    const { hostname, domainname } = spec;
    w.record(TAG.path, (r) => r.str(spec.path));
    if (hostname !== null) w.record(TAG.hostname, (r) => r.str(hostname));
    if (domainname !== null) w.record(TAG.domainname, (r) => r.str(domainname));
    return w.finish(sizeAt);
  }
  w.record(TAG.title, (r) => r.str(spec.title));
  if (spec.mode === 'mounts') {
    w.record(TAG.mountsRoot, (r) => r.str(`/proc/${spec.pid}/root`).str(spec.startTime));
    encodeJoins(w, spec.join);
    encodeRoot(w, spec.ops);
    return w.finish(sizeAt);
  }
  encodeStrings(w, TAG.cgroupProcs, spec.cgroupProcs);
  encodeNamespaces(w, spec.namespaces);
  if (spec.mode === 'pin') {
    w.record(TAG.pin, (r) => r.u32(NAMESPACE_TYPES.indexOf(spec.type)).str(spec.target));
    return w.finish(sizeAt);
  }
  w.record(TAG.cgroup, (r) => r.str(spec.cgroup));
  encodeProcess(w, spec.process, spec.mode === 'exec' ? undefined : spec.settingsXattr);
  if (spec.mode !== 'supervise') w.record(TAG.tty, (r) => r.u32(spec.tty ? 1 : 0));
  if (spec.mode === 'exec') {
    w.record(TAG.detachKeys, (r) => r.raw(spec.detachKeys ?? NO_KEYS));
    w.record(TAG.background, (r) => r.u32(spec.background === true ? 1 : 0));
  } else encodeSupervise(w, spec);
  return w.finish(sizeAt);
}

/** What native/init wrote to the report pipe. */
export type InitReport =
  | { readonly ok: true; readonly fields: Readonly<Record<string, string>> }
  | { readonly ok: false; readonly step: string; readonly errno: number; readonly path: string };

/** Anything but a whole line of either form means that init died before it could tell: step 'report', errno 0. */
export function parseReport(text: string): InitReport {
  const ok = /^ok((?: [a-z]+=\S*)*)\n$/.exec(text);
  if (ok) return { ok: true, fields: parseFields((ok[1] ?? '').slice(1)) };
  const error = /^error step=(\S*) errno=(\d+) path=([^\n]*)\n$/.exec(text);
  if (error) return { ok: false, step: error[1] ?? '', errno: Number(error[2]), path: error[3] ?? '' };
  return { ok: false, step: 'report', errno: 0, path: text.trim() };
}

const RUN_STATES: readonly string[] = [
  'starting',
  'running',
  'backoff',
  'stopping',
  'stopped',
  'exited',
  'failed',
] satisfies ReadonlyArray<RunState['state']>;

/** The text of the run xattr; the supervisor writes the same. */
export function runStateText(s: RunState): string {
  return (
    `state=${s.state} pid=${s.pid} start=${s.startTime} supervisor=${s.supervisor} sstart=${s.supervisorStartTime}` +
    ` exit=${s.exit} signal=${s.signal} restarts=${s.restarts} since=${s.sinceMs}` +
    (s.health === undefined ? '' : ` health=${s.health} failing=${s.failing ?? 0}`)
  );
}

/** undefined for a text that is not a whole run state: it is then treated as absent. */
export function parseRunState(text: string): RunState | undefined {
  const f = parseFields(text);
  const { state } = f;
  const int = (key: string): number => (/^-?\d{1,15}$/.test(f[key] ?? '') ? Number(f[key]) : Number.NaN);
  const numbers = ['pid', 'supervisor', 'exit', 'signal', 'restarts', 'since'].map(int);
  const starts = [f['start'], f['sstart']];
  if (state === undefined || !RUN_STATES.includes(state) || numbers.some(Number.isNaN)) return undefined;
  if (!starts.every((start) => start !== undefined && /^\d*$/.test(start))) return undefined;
  const [pid = 0, supervisor = 0, exit = 0, signal = 0, restarts = 0, sinceMs = 0] = numbers;
  const [startTime = '', supervisorStartTime = ''] = starts;
  const health = HEALTH_STATES.find((h) => h === f['health']);
  return {
    state: state as RunState['state'],
    pid,
    startTime,
    supervisor,
    supervisorStartTime,
    exit,
    signal,
    restarts,
    sinceMs,
    ...(health === undefined ? {} : { health, failing: Number(f['failing'] ?? 0) || 0 }),
  };
}
