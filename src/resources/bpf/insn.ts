/** struct bpf_insn (include/uapi/linux/bpf.h): eight bytes, little-endian, as in Documentation/bpf/standardization. */

export interface Insn {
  readonly code: number;
  readonly dst: number;
  readonly src: number;
  readonly off: number;
  readonly imm: number;
}

export const BPF_CLASS = { LD: 0, LDX: 1, ST: 2, STX: 3, ALU: 4, JMP: 5, JMP32: 6, ALU64: 7 } as const;
/** Operand is a register rather than the immediate. */
export const BPF_X = 0x08;

export const OP = {
  LD_IMM64: 0x18,
  LDX_W: 0x61,
  LDX_DW: 0x79,
  STX_W: 0x63,
  /** The operation is the immediate: ATOMIC. */
  STX_ATOMIC_DW: 0xdb,
  MOV32_K: 0xb4,
  MOV64_K: 0xb7,
  MOV64_X: 0xbf,
  ADD64_X: 0x0f,
  MUL64_X: 0x2f,
  AND64_K: 0x57,
  RSH64_K: 0x77,
  CALL: 0x85,
  JA: 0x05,
  JEQ_K: 0x15,
  JEQ_X: 0x1d,
  JGT_X: 0x2d,
  JGT_K: 0x25,
  JGE_X: 0x3d,
  JGE_K: 0x35,
  JSET_K: 0x45,
  JNE_K: 0x55,
  JLT_K: 0xa5,
  JLE_K: 0xb5,
  EXIT: 0x95,
} as const;

/** Operations of STX_ATOMIC_DW; CMPXCHG (Linux 5.12) compares with r0 and leaves there what it found. */
export const ATOMIC = { ADD: 0, CMPXCHG: 0xf1 } as const;

/** In the source register of LD_IMM64: the value of a map, not a number. */
export const PSEUDO_MAP_VALUE = 2;

export const insn = (code: number, dst = 0, src = 0, off = 0, imm = 0): Insn => ({ code, dst, src, off, imm });

/** A 64-bit immediate takes two instructions. */
export function loadImm64(dst: number, value: bigint, src = 0): Insn[] {
  const low = Number(BigInt.asIntN(32, value));
  const high = Number(BigInt.asIntN(32, value >> 32n));
  return [insn(OP.LD_IMM64, dst, src, 0, low), insn(0, 0, 0, 0, high)];
}

/** The number that the LD_IMM64 at `at` loads; undefined when there is none. */
export function imm64At(insns: readonly Insn[], at: number): bigint | undefined {
  const [first, second] = [insns[at], insns[at + 1]];
  return first?.code === OP.LD_IMM64 && first.src === 0 && second !== undefined
    ? (BigInt.asUintN(32, BigInt(second.imm)) << 32n) | BigInt.asUintN(32, BigInt(first.imm))
    : undefined;
}

export function encodeInsns(insns: readonly Insn[]): Uint8Array {
  const bytes = new Uint8Array(insns.length * 8);
  const view = new DataView(bytes.buffer);
  insns.forEach((insn, i) => {
    view.setUint8(i * 8, insn.code);
    view.setUint8(i * 8 + 1, insn.dst | (insn.src << 4));
    view.setInt16(i * 8 + 2, insn.off, true);
    view.setInt32(i * 8 + 4, insn.imm, true);
  });
  return bytes;
}

/** Undefined when the length is no multiple of eight. */
export function decodeInsns(bytes: Uint8Array): Insn[] | undefined {
  if (bytes.length % 8 !== 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 8 }, (_, i) => ({
    code: view.getUint8(i * 8),
    dst: view.getUint8(i * 8 + 1) & 15,
    src: view.getUint8(i * 8 + 1) >> 4,
    off: view.getInt16(i * 8 + 2, true),
    imm: view.getInt32(i * 8 + 4, true),
  }));
}
