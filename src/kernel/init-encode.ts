/** The binary form of what native/init is told (init-spec.ts), read by native/init/spec.c; the two must agree. */
import { TsboxError } from '../errors.ts';
import { encodeConfinement } from './confine-spec.ts';
import { NAMESPACE_TYPES, HOOK_MOMENTS, HOOK_PLACES } from './init-spec.ts';
import type {
  MountFlags,
  Idmap,
  RootOp,
  ProcessSpec,
  JoinNamespace,
  NamespaceSetup,
  SuperviseSpec,
  InitSpec,
} from './init-spec.ts';
import { COPY_UP, MOUNT_OPS, MOUNT_TAGS, propagationBits, SWAP, TOP_ONLY } from './mount-spec.ts';

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
