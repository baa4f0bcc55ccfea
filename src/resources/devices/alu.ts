/**
 * eBPF arithmetic and comparisons on 64-bit values (Documentation/bpf/standardization/instruction-set.rst).
 *
 * What the high nibble of the opcode means; undefined for an operation a device program has no use for.
 */

const wrap = (value: bigint, bits: 32 | 64): bigint => BigInt.asUintN(bits, value);

/** One ALU (32 bits, zero-extended) or ALU64 operation. `off` tells signed forms, which are not known here. */
export function alu(code: number, bits: 32 | 64, off: number, dst: bigint, src: bigint): bigint | undefined {
  if (off !== 0) return undefined;
  const a = wrap(dst, bits);
  const b = wrap(src, bits);
  const shift = b & BigInt(bits - 1);
  switch (code & 0xf0) {
    case 0x00:
      return wrap(a + b, bits);
    case 0x10:
      return wrap(a - b, bits);
    case 0x20:
      return wrap(a * b, bits);
    case 0x30:
      return b === 0n ? 0n : a / b;
    case 0x40:
      return a | b;
    case 0x50:
      return a & b;
    case 0x60:
      return wrap(a << shift, bits);
    case 0x70:
      return a >> shift;
    case 0x80:
      return wrap(-a, bits);
    case 0x90:
      return b === 0n ? a : a % b;
    case 0xa0:
      return a ^ b;
    case 0xb0:
      return b;
    case 0xc0:
      return wrap(BigInt.asIntN(bits, a) >> shift, bits);
    default:
      return undefined;
  }
}

/** Whether a conditional jump is taken. */
export function compare(code: number, bits: 32 | 64, dst: bigint, src: bigint): boolean | undefined {
  const a = wrap(dst, bits);
  const b = wrap(src, bits);
  const [s, t] = [BigInt.asIntN(bits, a), BigInt.asIntN(bits, b)];
  switch (code & 0xf0) {
    case 0x10:
      return a === b;
    case 0x20:
      return a > b;
    case 0x30:
      return a >= b;
    case 0x40:
      return (a & b) !== 0n;
    case 0x50:
      return a !== b;
    case 0x60:
      return s > t;
    case 0x70:
      return s >= t;
    case 0xa0:
      return a < b;
    case 0xb0:
      return a <= b;
    case 0xc0:
      return s < t;
    case 0xd0:
      return s <= t;
    default:
      return undefined;
  }
}
