/**
 * Runs a cgroup device program on one request.
 *
 * Made for programs as loaded and as the kernel dumps them after translation. For this program type the kernel keeps
 * context loads as they are (cg_dev_verifier_ops has no convert_ctx_access) but drops dead code, may add a 32-bit move
 * that only zero-extends, and may add speculation barriers. Whatever else a program does (maps, helpers, its stack,
 * subprograms) makes the answer 'opaque': unknown, never a guess.
 */
import { alu, compare } from './alu.ts';
import { BPF_CLASS, BPF_X, decodeInsns, type Insn } from '../bpf/insn.ts';
import type { DeviceAccess } from './schema.ts';
import { accessMask } from './space.ts';

export interface DeviceRequest {
  readonly type: 'b' | 'c';
  readonly major: number;
  readonly minor: number;
  readonly access: DeviceAccess;
}

/** More steps than any loop-free program of the kernel's largest accepted size for this use needs. */
const MAX_STEPS = 100_000;
/** BPF_ST | BPF_NOSPEC: a speculation barrier the verifier inserts. */
export const NOSPEC = 0xc0 | BPF_CLASS.ST;
export const LD_IMM64 = 0x18;
export const EXIT = 0x95;

/** The u32 access_type of struct bpf_cgroup_dev_ctx. */
export const accessType = (type: 'b' | 'c', mask: number): number => (mask << 16) | (type === 'b' ? 1 : 2);

/** A wide immediate; undefined when it is a map or other object rather than a number. */
export function wideImmediate(insn: Insn, next: Insn | undefined): bigint | undefined {
  if (insn.src !== 0 || next?.code !== 0) return undefined;
  return (BigInt(next.imm >>> 0) << 32n) | BigInt(insn.imm >>> 0);
}

/** Bytes a context load reads: only access_type may be read in part (cgroup_dev_is_valid_access). */
export function loadSize(insn: Insn): number | undefined {
  const size = { 0x61: 4, 0x69: 2, 0x71: 1 }[insn.code];
  if (size === undefined || insn.off < 0 || insn.off % size !== 0) return undefined;
  return insn.off < 4 || (size === 4 && insn.off <= 8) ? size : undefined;
}

/** Jump distance; JMP32's unconditional jump keeps it in the immediate. */
export const distance = (insn: Insn): number => (insn.code === 0x06 ? insn.imm : insn.off);

export const isJumpAlways = (insn: Insn): boolean => insn.code === 0x05 || insn.code === 0x06;

/**
 * Decides one request as the kernel would: true to allow.
 * @param insns struct bpf_insn[], as loaded or as dumped.
 */
export function decide(insns: Uint8Array, request: DeviceRequest): boolean | 'opaque' {
  const program = decodeInsns(insns);
  if (program === undefined) return 'opaque';
  const context = [accessType(request.type, accessMask(request.access)), request.major, request.minor];
  // r1 points at the context; an undefined register is one that holds no number.
  const regs: Array<bigint | 'context' | undefined> = [undefined, 'context'];
  for (let pc = 0, steps = 0; steps < MAX_STEPS; steps++) {
    const insn = program[pc++];
    if (insn === undefined) return 'opaque';
    const kind = insn.code & 7;
    const bits = kind === BPF_CLASS.ALU64 || kind === BPF_CLASS.JMP ? 64 : 32;
    const dst = regs[insn.dst];
    const src = insn.code & BPF_X ? regs[insn.src] : BigInt(insn.imm);
    if (insn.code === EXIT) {
      const result = regs[0];
      return typeof result === 'bigint' ? BigInt.asUintN(32, result) !== 0n : 'opaque';
    } else if (insn.code === NOSPEC) {
      continue;
    } else if (insn.code === LD_IMM64) {
      regs[insn.dst] = wideImmediate(insn, program[pc++]);
      if (regs[insn.dst] === undefined) return 'opaque';
    } else if (kind === BPF_CLASS.LDX) {
      const size = loadSize(insn);
      if (size === undefined || regs[insn.src] !== 'context') return 'opaque';
      const word = BigInt(context[insn.off >> 2] ?? 0);
      regs[insn.dst] = BigInt.asUintN(size * 8, word >> BigInt((insn.off & 3) * 8));
    } else if (kind === BPF_CLASS.ALU64 && (insn.code & 0xf8) === 0xb8 && insn.off === 0) {
      regs[insn.dst] = src; // a whole register, which may be the context pointer
    } else if (kind === BPF_CLASS.ALU || kind === BPF_CLASS.ALU64) {
      const move = (insn.code & 0xf0) === 0xb0 ? 0n : dst;
      if (typeof move !== 'bigint' || typeof src !== 'bigint') return 'opaque';
      const value = alu(insn.code, bits, insn.off, move, src);
      if (value === undefined) return 'opaque';
      regs[insn.dst] = value;
    } else if (isJumpAlways(insn)) {
      pc += distance(insn);
    } else if (kind === BPF_CLASS.JMP || kind === BPF_CLASS.JMP32) {
      if (typeof dst !== 'bigint' || typeof src !== 'bigint') return 'opaque';
      const taken = compare(insn.code, bits, dst, src);
      if (taken === undefined) return 'opaque';
      if (taken) pc += insn.off;
    } else {
      return 'opaque';
    }
  }
  return 'opaque';
}
