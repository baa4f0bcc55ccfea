/**
 * Device programs as other tools write them, instruction for instruction: systemd (src/core/bpf-devices.c), crun
 * (src/libcrun/ebpf.c) and runc (cgroups/devices/devicefilter.go). Written from what they emit, not from their source.
 */
import { encodeInsns, type Insn } from '../../src/resources/bpf/insn.ts';

export interface ForeignRule {
  readonly allow: boolean;
  readonly type: 'b' | 'c';
  readonly major: number | '*';
  readonly minor: number | '*';
  readonly access: string;
}

type Raw = readonly [code: number, dst: number, src: number, off: number, imm: number];

export const raw = (...insns: Raw[]): Uint8Array =>
  encodeInsns(insns.map(([code, dst, src, off, imm]): Insn => ({ code, dst, src, off, imm })));

const bits = (access: string): number => [...access].reduce((mask, l) => mask | ({ m: 1, r: 2, w: 4 }[l] ?? 0), 0);

/** r2 type, r3 access, r4 major, r5 minor: the beginning all of them share. */
const PROLOGUE: readonly Raw[] = [
  [0x61, 2, 1, 0, 0],
  [0x54, 2, 0, 0, 0xffff],
  [0x61, 3, 1, 0, 0],
  [0x74, 3, 0, 0, 16],
  [0x61, 4, 1, 4, 0],
  [0x61, 5, 1, 8, 0],
];

const typeNumber = (rule: ForeignRule): number => (rule.type === 'b' ? 1 : 2);

/** Tests in the order given, each leaving for what stands `tail` instructions behind the last of them. */
function tests(parts: readonly Raw[], tail: number): Raw[] {
  return parts.map(([code, dst, src, off, imm], i) =>
    off === 0 && (code & 0xf7) === 0x55
      ? [code, dst, src, parts.length - i - 1 + tail, imm]
      : [code, dst, src, off, imm],
  );
}

const typeTest = (rule: ForeignRule): Raw => [0x55, 2, 0, 0, typeNumber(rule)];
const accessTest = (rule: ForeignRule): Raw[] =>
  bits(rule.access) === 7
    ? []
    : [
        [0xbc, 1, 3, 0, 0],
        [0x54, 1, 0, 0, bits(rule.access)],
        [0x5d, 1, 3, 0, 0],
      ];
const numberTests = (rule: ForeignRule): Raw[] => [
  ...(rule.major === '*' ? [] : [[0x55, 4, 0, 0, rule.major] as const]),
  ...(rule.minor === '*' ? [] : [[0x55, 5, 0, 0, rule.minor] as const]),
];

/** DevicePolicy=closed (or auto with DeviceAllow=): access first, every match jumps to one PASS at the end. */
export function systemdProgram(rules: readonly ForeignRule[]): Uint8Array {
  const blocks = rules.flatMap((r): Raw[] => [
    ...tests([...accessTest(r), typeTest(r), ...numberTests(r)], 1),
    [0x05, 0, 0, 4096, 0],
  ]);
  const body = [...PROLOGUE, ...blocks, [0xb7, 0, 0, 0, 0] as const, [0x05, 0, 0, 1, 0] as const];
  const linked = body.map((i, at): Raw => (i[0] === 0x05 && i[3] === 4096 ? [0x05, 0, 0, body.length - at - 1, 0] : i));
  return raw(...linked, [0xb7, 0, 0, 0, 1], [0x95, 0, 0, 0, 0]);
}

/** DevicePolicy=strict without DeviceAllow=. */
export const systemdStrict = (): Uint8Array => raw([0xb7, 0, 0, 0, 0], [0x95, 0, 0, 0, 0]);

function ending(rules: readonly ForeignRule[], move: number, otherwise: boolean): Uint8Array {
  const blocks = rules.flatMap((r): Raw[] => [
    ...tests([typeTest(r), ...accessTest(r), ...numberTests(r)], 2),
    [move, 0, 0, 0, r.allow ? 1 : 0],
    [0x95, 0, 0, 0, 0],
  ]);
  return raw(...PROLOGUE, ...blocks, [move, 0, 0, 0, otherwise ? 1 : 0], [0x95, 0, 0, 0, 0]);
}

/** Each rule ends the program with a 64-bit move; the first that matches wins; what is left is refused. */
export const crunProgram = (rules: readonly ForeignRule[]): Uint8Array => ending(rules, 0xb7, false);

/** The same with 32-bit moves; a set of exceptions from "allow all" ends with 1. */
export const runcProgram = (rules: readonly ForeignRule[], defaultAllow = false): Uint8Array =>
  ending(rules, 0xb4, defaultAllow);
