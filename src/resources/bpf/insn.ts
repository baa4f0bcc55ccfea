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
  LDX_W: 0x61,
  MOV64_K: 0xb7,
  MOV64_X: 0xbf,
  AND64_K: 0x57,
  RSH64_K: 0x77,
  JA: 0x05,
  JEQ_K: 0x15,
  JGE_K: 0x35,
  JSET_K: 0x45,
  JNE_K: 0x55,
  JLT_K: 0xa5,
  JLE_K: 0xb5,
  EXIT: 0x95,
} as const;

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
