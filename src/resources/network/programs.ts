/**
 * The BPF programs behind network_tag and bandwidth, compiled and recognised again.
 *
 * Every program begins with its parameters as 64-bit immediates that it does nothing with. What the kernel shows of a
 * live one is read from there, and the rest must be what these parameters compile to: only what the verifier rewrites
 * (offsets into kernel structures, addresses of helpers, ids of maps) may differ.
 */
import type { CgroupProgram } from '../../kernel/reader.ts';
import {
  ATOMIC,
  decodeInsns,
  encodeInsns,
  imm64At,
  insn,
  loadImm64,
  OP,
  PSEUDO_MAP_VALUE,
  type Insn,
} from '../bpf/insn.ts';

/** enum bpf_attach_type. */
export const HOOKS = { ingress: 0, egress: 1, create: 2 } as const;
export type Hook = keyof typeof HOOKS;

/** enum bpf_prog_type. */
const CGROUP_SKB = 8;
const CGROUP_SOCK = 9;

/** A mark and a priority; 0 leaves it as it is. */
export interface Tag {
  readonly mark: number;
  readonly priority: number;
}

/** A token bucket: bits per second, and the bytes it holds. */
export interface Bucket {
  readonly rate: number;
  readonly burst: number;
}

/** A program we attach: at most one of each name on a hook. */
interface SlotOf<P> {
  readonly name: string;
  readonly hook: Hook;
  readonly type: number;
  readonly memory: number;
  readonly encode: (parameters: P) => Insn[];
  /** The parameters that the immediates at the beginning say. */
  readonly parameters: (insns: readonly Insn[]) => P | undefined;
}

/** Where mark and priority are in struct bpf_sock and struct __sk_buff. */
const IN_SOCKET = { mark: 16, priority: 20 } as const;
const IN_PACKET = { mark: 8, priority: 32 } as const;
const PACKET_LENGTH = 0;

/** bpf_ktime_get_ns (bpf-helpers(7)). */
const KTIME_GET_NS = 5;

const CONTEXT = 1;

/**
 * Sets what is still 0. The programs of a nested cgroup run before those of its ancestors, so the nearest tag wins, and
 * a program's own SO_MARK does too.
 */
function encodeTag({ mark, priority }: Tag, fields: typeof IN_SOCKET | typeof IN_PACKET): Insn[] {
  const set = (field: number, value: number): Insn[] =>
    value === 0
      ? []
      : [
          insn(OP.LDX_W, 2, CONTEXT, field),
          insn(OP.JNE_K, 2, 0, 2, 0),
          insn(OP.MOV32_K, 2, 0, 0, value | 0),
          insn(OP.STX_W, CONTEXT, 2, field),
        ];
  return [
    ...loadImm64(0, (BigInt(priority) << 32n) | BigInt(mark)),
    ...set(fields.mark, mark),
    ...set(fields.priority, priority),
    insn(OP.MOV64_K, 0, 0, 0, 1),
    insn(OP.EXIT),
  ];
}

function tagParameters(insns: readonly Insn[]): Tag | undefined {
  const both = imm64At(insns, 0);
  return both === undefined ? undefined : { mark: Number(both & 0xffff_ffffn), priority: Number(both >> 32n) };
}

/** Fraction bits of the time that one byte takes, in ns: 8 kbit/s to 1 Tbit/s fit, to 0.02 %. */
const SHIFT = 20;
const NS_PER_SECOND = 1_000_000_000n;

/** After so many lost races a packet passes and is charged for all the same. */
const ATTEMPTS = 4;

const REG = { cost: 6, now: 7, bucket: 8, limit: 9 } as const;

/**
 * A token bucket kept as one number, the time at which it will be full again: a packet moves it on by the time its bytes
 * take at the rate, and is dropped where that would be more than a burst ahead of now. One number needs no lock.
 */
function encodeBucket({ rate, burst }: Bucket, dropped: number): Insn[] {
  const perByte = (8n * NS_PER_SECOND * (1n << BigInt(SHIFT))) / BigInt(rate);
  const window = (BigInt(burst) * 8n * NS_PER_SECOND) / BigInt(rate);
  const attempt = (toDrop: number, toPass: number): Insn[] => [
    insn(OP.LDX_DW, 0, REG.bucket),
    insn(OP.MOV64_X, 3, 0),
    insn(OP.MOV64_X, 2, 0),
    insn(OP.JGE_X, 2, REG.now, 1),
    insn(OP.MOV64_X, 2, REG.now),
    insn(OP.ADD64_X, 2, REG.cost),
    insn(OP.JGT_X, 2, REG.limit, toDrop),
    insn(OP.STX_ATOMIC_DW, REG.bucket, 2, 0, ATOMIC.CMPXCHG),
    insn(OP.JEQ_X, 0, 3, toPass),
  ];
  const length = attempt(0, 0).length;
  // After the attempts come the unconditional charge, then pass (2 instructions), then drop.
  const attempts = Array.from({ length: ATTEMPTS }, (_, i) => {
    const left = (ATTEMPTS - 1 - i) * length;
    return attempt(left + 2 + 1 + 2, left + 1);
  });
  return [
    ...loadImm64(REG.cost, BigInt(rate)),
    ...loadImm64(REG.now, BigInt(burst)),
    insn(OP.LDX_W, REG.cost, CONTEXT, PACKET_LENGTH),
    ...loadImm64(2, perByte),
    insn(OP.MUL64_X, REG.cost, 2),
    insn(OP.RSH64_K, REG.cost, 0, 0, SHIFT),
    insn(OP.CALL, 0, 0, 0, KTIME_GET_NS),
    insn(OP.MOV64_X, REG.now, 0),
    ...loadImm64(REG.bucket, 0n, PSEUDO_MAP_VALUE),
    ...loadImm64(REG.limit, window),
    insn(OP.ADD64_X, REG.limit, REG.now),
    ...attempts.flat(),
    insn(OP.STX_ATOMIC_DW, REG.bucket, REG.cost, 0, ATOMIC.ADD),
    insn(OP.MOV64_K, 0, 0, 0, 1),
    insn(OP.EXIT),
    insn(OP.MOV64_K, 0, 0, 0, dropped),
    insn(OP.EXIT),
  ];
}

function bucketParameters(insns: readonly Insn[]): Bucket | undefined {
  const rate = imm64At(insns, 0);
  const burst = imm64At(insns, 2);
  return rate === undefined || burst === undefined || rate === 0n
    ? undefined
    : { rate: Number(rate), burst: Number(burst) };
}

/** Tags a socket when it is made. */
export const TAG_SOCKET: SlotOf<Tag> = {
  name: 'tsbox_tag',
  hook: 'create',
  type: CGROUP_SOCK,
  memory: 0,
  encode: (tag) => encodeTag(tag, IN_SOCKET),
  parameters: tagParameters,
};

/** Tags what leaves a socket that was there before; too late for routing and netfilter, in time for the queue. */
export const TAG_PACKET: SlotOf<Tag> = {
  name: 'tsbox_tag_out',
  hook: 'egress',
  type: CGROUP_SKB,
  memory: 0,
  encode: (tag) => encodeTag(tag, IN_PACKET),
  parameters: tagParameters,
};

function bucketSlot(hook: 'egress' | 'ingress', name: string, dropped: number): SlotOf<Bucket> {
  return {
    name,
    hook,
    type: CGROUP_SKB,
    memory: 8,
    encode: (bucket) => encodeBucket(bucket, dropped),
    parameters: bucketParameters,
  };
}

export const RATES: Readonly<Record<'egress' | 'ingress', SlotOf<Bucket>>> = {
  // 2 is NET_XMIT_DROP: TCP slows down, and a datagram's sender does not get the EPERM of a plain 0.
  egress: bucketSlot('egress', 'tsbox_rate_out', 2),
  ingress: bucketSlot('ingress', 'tsbox_rate_in', 0),
};

/** All of them, for what does not depend on the parameters. */
export const SLOTS: ReadonlyArray<Pick<SlotOf<never>, 'name' | 'hook'>> = [
  TAG_SOCKET,
  TAG_PACKET,
  RATES.egress,
  RATES.ingress,
];

/** The program with these parameters, as it is loaded. */
export function compileSlot<P>(slot: SlotOf<P>, parameters: P): CgroupProgram {
  return {
    type: slot.type,
    hook: HOOKS[slot.hook],
    name: slot.name,
    insns: encodeInsns(slot.encode(parameters)),
    memory: slot.memory,
  };
}

/** Parameters of a live program as the kernel shows it; undefined when it is not one of ours, unchanged. */
export function readSlot<P>(slot: SlotOf<P>, xlated: Uint8Array): P | undefined {
  const live = decodeInsns(xlated);
  const parameters = live === undefined ? undefined : slot.parameters(live);
  return live !== undefined && parameters !== undefined && sameProgram(slot.encode(parameters), live)
    ? parameters
    : undefined;
}

/** True when the live program is what `compiled` becomes in the kernel. */
export function sameProgram(compiled: readonly Insn[], live: readonly Insn[]): boolean {
  if (compiled.length !== live.length) {
    return false;
  }
  return compiled.every((a, i) => {
    const b = live[i];
    const before = compiled[i - 1];
    const map = (x: Insn | undefined): boolean => x?.code === OP.LD_IMM64 && x.src === PSEUDO_MAP_VALUE;
    const moved = (a.code === OP.LDX_W && a.src === CONTEXT) || (a.code === OP.STX_W && a.dst === CONTEXT);
    const free = a.code === OP.CALL || map(a) || map(before);
    return (
      b !== undefined &&
      a.code === b.code &&
      a.dst === b.dst &&
      a.src === b.src &&
      (moved || a.off === b.off) &&
      (free || a.imm === b.imm)
    );
  });
}
