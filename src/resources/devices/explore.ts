/**
 * Follows every path of a device program for one type and request, with major and minor left open.
 *
 * Each path keeps the majors and the minors that take it, and a comparison divides them in two. So every number the
 * program tells apart is found, and the answer is exact rather than sampled.
 */
import { alu, compare } from './alu.ts';
import { EXIT, LD_IMM64, NOSPEC, accessType, distance, isJumpAlways, loadSize, wideImmediate } from './evaluate.ts';
import { BPF_CLASS, BPF_X, type Insn } from '../bpf/insn.ts';
import { MAX_MAJOR, MAX_MINOR } from './schema.ts';

type Field = 'major' | 'minor';
/** (field + add) modulo 2^bits. */
interface Open {
  readonly field: Field;
  readonly add: bigint;
  readonly bits: 32 | 64;
}
type Value = bigint | Open | 'context' | undefined;
type Interval = readonly [from: number, to: number];
/** Sorted, disjoint, not touching, not empty. */
export type NumberSet = readonly Interval[];

/** Every major of the one set with every minor of the other. */
export interface Area {
  readonly major: NumberSet;
  readonly minor: NumberSet;
}

interface Path extends Area {
  pc: number;
  regs: Value[];
}

/** Arithmetic on an open number is tried value by value up to this many. */
const MAX_SPLIT = 4096;
const DOMAIN = { major: MAX_MAJOR, minor: MAX_MINOR } as const;

/** What stands in the way of following the program; the message says what the instruction at hand does. */
class Opaque extends Error {}

const TOO_MUCH = 'computes with device numbers in too many ways to follow';

/** What an instruction does that is not followed. */
function beyond(insn: Insn): string {
  const kind = insn.code & 7;
  if (insn.code === 0x85) return insn.src === 0 ? `calls kernel helper ${insn.imm}` : 'calls a function';
  if (insn.code === LD_IMM64) return 'uses a BPF map';
  if (kind === BPF_CLASS.ST || kind === BPF_CLASS.STX) return 'writes memory';
  if (kind === BPF_CLASS.LDX) return 'reads memory outside the request';
  return `is 0x${insn.code.toString(16).padStart(2, '0')}, which is not understood`;
}

const isOpen = (value: Value): value is Open => typeof value === 'object';

function open(field: Field, add: bigint, bits: 32 | 64): Open {
  const wrapped = BigInt.asUintN(bits, add);
  return { field, add: wrapped, bits: wrapped === 0n ? 64 : bits };
}

const at = (value: Open, x: number): bigint => BigInt.asUintN(value.bits, BigInt(x) + value.add);

/** A number where the path has narrowed its field to one. */
function settled(value: Value, path: Path): Value {
  if (!isOpen(value)) return value;
  const [first, ...more] = path[value.field];
  return first !== undefined && more.length === 0 && first[0] === first[1] ? at(value, first[0]) : value;
}

const narrowed = (path: Path, field: Field, numbers: NumberSet, pc: number): Path => ({
  ...path,
  regs: [...path.regs],
  [field]: numbers,
  pc,
});

/** The same path once per value of the field, to run the instruction at `pc` again on plain numbers. */
function split(path: Path, field: Field, pc: number): Path[] {
  const count = path[field].reduce((n, [from, to]) => n + to - from + 1, 0);
  if (count > MAX_SPLIT) throw new Opaque(TOO_MUCH);
  return path[field].flatMap(([from, to]) =>
    Array.from({ length: to - from + 1 }, (_, i) => narrowed(path, field, [[from + i, from + i]], pc)),
  );
}

/** ALU on open numbers as far as it stays of the form field + constant; undefined when it does not. */
function openAlu(insn: Insn, bits: 32 | 64, dst: Value, src: Value): Value {
  const op = insn.code & 0xf0;
  if (insn.off !== 0) throw new Opaque();
  if (op === 0xb0 && isOpen(src)) return src.bits === 32 || bits === 64 ? src : open(src.field, src.add, 32);
  if (op === 0x00 && isOpen(src) && typeof dst === 'bigint') return openAlu(insn, bits, src, dst);
  if (!isOpen(dst) || typeof src !== 'bigint') return undefined;
  const sum = op === 0x00 ? src : op === 0x10 ? -src : undefined;
  if (sum !== undefined && (dst.bits === 64 || bits === 32)) return open(dst.field, dst.add + sum, bits);
  const mask = BigInt(DOMAIN[dst.field]);
  return op === 0x50 && dst.add === 0n && (src & mask) === mask ? dst : undefined;
}

/** Adds to a set what lies above all it has. */
function append(set: Array<[number, number]>, from: number, to: number): void {
  const last = set.at(-1);
  if (last && last[1] + 1 === from) last[1] = to;
  else set.push([from, to]);
}

/** Divides the field's numbers by the comparison, cutting where its answer may change. */
function branch(insn: Insn, bits: 32 | 64, path: Path, value: Open, k: bigint, swapped: boolean): Path[] {
  if ((insn.code & 0xf0) === 0x40) {
    const never = value.add === 0n && (k & BigInt(DOMAIN[value.field])) === 0n;
    return never ? [path] : split(path, value.field, path.pc - 1);
  }
  const size = Math.min(bits, value.bits);
  const edges = [0n, 1n << BigInt(size - 1), 1n << BigInt(bits - 1), k, k + 1n];
  const cuts = edges.map((v) => Number(BigInt.asUintN(size, v - value.add))).sort((x, y) => x - y);
  const [yes, no]: [Array<[number, number]>, Array<[number, number]>] = [[], []];
  for (const [from, to] of path[value.field]) {
    const starts = [from, ...cuts.filter((x, i) => x > from && x <= to && x !== cuts[i - 1])];
    starts.forEach((start, i) => {
      const v = at(value, start);
      const taken = swapped ? compare(insn.code, bits, k, v) : compare(insn.code, bits, v, k);
      if (taken === undefined) throw new Opaque();
      append(taken ? yes : no, start, (starts[i + 1] ?? to + 1) - 1);
    });
  }
  return [
    ...(yes.length > 0 ? [narrowed(path, value.field, yes, path.pc + insn.off)] : []),
    ...(no.length > 0 ? [narrowed(path, value.field, no, path.pc)] : []),
  ];
}

function load(insn: Insn, base: Value, word: bigint): Value {
  const size = loadSize(insn);
  if (size === undefined || base !== 'context') throw new Opaque();
  if (insn.off >= 4) return open(insn.off === 4 ? 'major' : 'minor', 0n, 64);
  return BigInt.asUintN(size * 8, word >> BigInt(insn.off * 8));
}

/** Runs one instruction: the paths that go on from it. */
function step(program: readonly Insn[], insn: Insn, path: Path, word: bigint): Path[] {
  const kind = insn.code & 7;
  const bits = kind === BPF_CLASS.ALU64 || kind === BPF_CLASS.JMP ? 64 : 32;
  const dst = settled(path.regs[insn.dst], path);
  const src = insn.code & BPF_X ? settled(path.regs[insn.src], path) : BigInt(insn.imm);
  const set = (value: Value): Path[] => {
    if (value === undefined) throw new Opaque();
    path.regs[insn.dst] = value;
    return [path];
  };
  if (insn.code === NOSPEC) return [path];
  if (insn.code === LD_IMM64) return set(wideImmediate(insn, program[path.pc++]));
  if (kind === BPF_CLASS.LDX) return set(load(insn, path.regs[insn.src], word));
  if (kind === BPF_CLASS.ALU64 && (insn.code & 0xf8) === 0xb8 && insn.off === 0) return set(src);
  if (isJumpAlways(insn)) {
    path.pc += distance(insn);
    return [path];
  }
  const isAlu = kind === BPF_CLASS.ALU || kind === BPF_CLASS.ALU64;
  if (!isAlu && kind !== BPF_CLASS.JMP && kind !== BPF_CLASS.JMP32) throw new Opaque();
  const left = isAlu && (insn.code & 0xf0) === 0xb0 ? 0n : dst;
  if (left === 'context' || src === 'context' || left === undefined || src === undefined) throw new Opaque();
  if (!isOpen(left) && !isOpen(src)) {
    if (isAlu) return set(alu(insn.code, bits, insn.off, left, src));
    const taken = compare(insn.code, bits, left, src);
    if (taken === undefined) throw new Opaque();
    path.pc += taken ? insn.off : 0;
    return [path];
  }
  if (isAlu) {
    const value = openAlu(insn, bits, left, src);
    if (value !== undefined) return set(value);
  } else if (isOpen(left) && !isOpen(src)) {
    return branch(insn, bits, path, left, src, false);
  } else if (isOpen(src) && !isOpen(left)) {
    return branch(insn, bits, path, src, left, true);
  }
  return split(path, isOpen(left) ? left.field : (src as Open).field, path.pc - 1);
}

/**
 * The areas of (major, minor) for which the program allows the request, or in words why that cannot be told: it does
 * something that cannot be followed, or takes more than `budget` steps.
 */
export function explore(program: readonly Insn[], type: 'b' | 'c', request: number, budget: number): Area[] | string {
  const word = BigInt(accessType(type, request));
  const paths: Path[] = [{ pc: 0, regs: [undefined, 'context'], major: [[0, MAX_MAJOR]], minor: [[0, MAX_MINOR]] }];
  const allowed: Area[] = [];
  for (let path = paths.pop(), steps = 0; path !== undefined; path = paths.pop(), steps++) {
    const at = path.pc;
    const insn = program[path.pc++];
    if (insn === undefined) return 'it runs off its end';
    if (steps > budget) return `it has more than ${budget} steps`;
    try {
      if (insn.code !== EXIT) {
        paths.push(...step(program, insn, path, word));
        continue;
      }
      const result = settled(path.regs[0], path);
      if (isOpen(result)) paths.push(...split(path, result.field, path.pc - 1));
      else if (typeof result !== 'bigint') return `instruction ${at} exits without an answer`;
      else if (BigInt.asUintN(32, result) !== 0n) allowed.push({ major: path.major, minor: path.minor });
    } catch (error) {
      if (!(error instanceof Opaque)) throw error;
      return `instruction ${at} ${error.message === '' ? beyond(insn) : error.message}`;
    }
  }
  return allowed;
}
