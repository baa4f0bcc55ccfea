/**
 * Rules to a BPF_PROG_TYPE_CGROUP_DEVICE program.
 *
 * The program sees struct bpf_cgroup_dev_ctx (include/uapi/linux/bpf.h): u32 access_type (type in the low 16 bits,
 * access bits in the high 16), u32 major, u32 minor; it returns 1 to allow and 0 for EPERM. It is a decision tree:
 * type, then major, then minor, then the access bits, with equal subtrees shared. Type and access are tested as bits
 * of the word they share, and the answer 0 stands ready from the start, so that both ends share one exit. Only
 * full-word loads, 64-bit compares with immediates and forward jumps are used, which every kernel with the program
 * type (4.15) verifies.
 */
import { TsboxError } from '../../errors.ts';
import { OP, encodeInsns, insn, type Insn } from '../bpf/insn.ts';
import { MAX_MAJOR, MAX_MINOR, type DeviceRule } from './schema.ts';
import { maskOf, segmentsKey, spaceOf, type Segments, type TypeSpace } from './space.ts';

/** BPF_MAXINSNS, what the kernel takes from a loader without CAP_BPF and took from anybody before 5.2. */
export const MAX_INSNS = 4096;

const REG = { word: 2, major: 3, minor: 4 } as const;
/** Where struct bpf_cgroup_dev_ctx holds them. */
const CONTEXT = { word: 0, major: 4, minor: 8 } as const;
type Field = keyof typeof REG;

interface Jump {
  readonly code: number;
  readonly field: Field;
  readonly imm: number;
  readonly to: string;
}

interface Block {
  readonly jumps: readonly Jump[];
  /** Where it goes when no jump was taken; 'allow' and 'deny' are the ends. */
  readonly next: string;
}

interface Range {
  readonly from: number;
  readonly to: number;
  readonly target: string;
}

/** Ranges covering 0 to max, as the cheaper of "each in turn, up to its end" and "all but the default's". */
function switchOn(field: Field, ranges: readonly Range[], max: number): Block {
  const merged = ranges.filter((r, i) => i === 0 || r.target !== ranges[i - 1]?.target);
  const full = merged.map((r, i) => ({ ...r, to: (merged[i + 1]?.from ?? max + 1) - 1 }));
  const inTurn: Block = {
    jumps: full.slice(0, -1).map((r) => ({ code: OP.JLE_K, field, imm: r.to, to: r.target })),
    next: full.at(-1)?.target ?? 'deny',
  };
  const cost = new Map<string, number>();
  for (const { from, to, target } of full) {
    cost.set(target, (cost.get(target) ?? 0) + (from === to || from === 0 || to === max ? 1 : 2));
  }
  const next = [...cost].reduce((best, entry) => (entry[1] > best[1] ? entry : best), ['deny', 0] as const)[0];
  const withDefault: Block = {
    next,
    jumps: full
      .filter((r) => r.target !== next)
      .flatMap(({ from, to, target }): Jump[] => {
        if (from === to) return [{ code: OP.JEQ_K, field, imm: from, to: target }];
        if (to === max) return [{ code: OP.JGE_K, field, imm: from, to: target }];
        const upTo = { code: OP.JLE_K, field, imm: to, to: target };
        // Ranges ascend: whatever is below this one and has not jumped yet is the default's.
        return from === 0 ? [upTo] : [{ code: OP.JLT_K, field, imm: from, to: next }, upTo];
      }),
  };
  return inTurn.jumps.length < withDefault.jumps.length ? inTurn : withDefault;
}

/** Every access bit that some device of the type allows. */
function greatestMask({ other, majors }: TypeSpace): number {
  return [other, ...majors.values()].flat().reduce((mask, s) => mask | maskOf(s.value), 0);
}

function blocksOf(b: TypeSpace, c: TypeSpace): { blocks: Map<string, Block>; entry: string } {
  const minors = new Map<string, Block>();
  const leaves = new Map<string, Block>();
  const masks = { b: greatestMask(b), c: greatestMask(c) };
  // Where one type is refused altogether, the test of the type also refuses what no device of the other may.
  const most = masks.b === 0 || masks.c === 0 ? masks.b | masks.c : 7;
  const leaf = (allowed: number): string => {
    const mask = maskOf(allowed);
    if (mask === 0 || mask === most) return mask === 0 ? 'deny' : 'allow';
    // A request is refused as soon as it has one bit outside the mask.
    leaves.set(`access ${mask}`, {
      jumps: [{ code: OP.JSET_K, field: 'word', imm: ~mask << 16, to: 'deny' }],
      next: 'allow',
    });
    return `access ${mask}`;
  };
  const byMinor = (segments: Segments): string => {
    const targets = segments.map((s) => ({ from: s.from, to: 0, target: leaf(s.value) }));
    const label = `minor ${segmentsKey(segments)}`;
    if (segments.length === 1) return targets[0]?.target ?? 'deny';
    minors.set(label, switchOn('minor', targets, MAX_MINOR));
    return label;
  };
  const byMajor = (space: TypeSpace): Block => {
    const other = byMinor(space.other);
    const ranges: Range[] = [{ from: 0, to: 0, target: other }];
    for (const [major, segments] of [...space.majors].sort(([x], [y]) => x - y)) {
      if (ranges.at(-1)?.from === major) ranges.pop();
      ranges.push({ from: major, to: 0, target: byMinor(segments) }, { from: major + 1, to: 0, target: other });
    }
    return switchOn(
      'major',
      ranges.filter((r) => r.from <= MAX_MAJOR),
      MAX_MAJOR,
    );
  };
  const majors = { b: byMajor(b), c: byMajor(c) };
  const same = JSON.stringify(majors.b) === JSON.stringify(majors.c);
  const root = switchOnType(section('b', majors.b), section(same ? 'b' : 'c', majors.c), most);
  const blocks = new Map([['root', root], ['major b', majors.b], ['major c', majors.c], ...minors, ...leaves]);
  return { blocks, entry: root.jumps.length === 0 ? root.next : 'root' };
}

const section = (type: 'b' | 'c', block: Block): string => (block.jumps.length === 0 ? block.next : `major ${type}`);

/**
 * Type is 1 for block and 2 for character, one bit each (BPF_DEVCG_DEV_*); the kernel asks about nothing else. Where one
 * of the two is refused, so is any type that a later kernel may know.
 */
function switchOnType(b: string, c: string, most: number): Block {
  const on = (imm: number, to: string, next: string): Block => ({
    jumps: [{ code: OP.JSET_K, field: 'word', imm, to }],
    next,
  });
  if (b === c) return { jumps: [], next: b };
  if (b === 'deny') return on((0xffff & ~2) | (~most << 16), 'deny', c);
  if (c === 'deny') return on((0xffff & ~1) | (~most << 16), 'deny', b);
  // The block of the one that goes on is laid out next: that of b when both do.
  return b === 'allow' ? on(1, b, c) : on(2, c, b);
}

/** Blocks each block is entered from. */
function entries(blocks: ReadonlyMap<string, Block>, seen: ReadonlySet<string>): Map<string, Set<string>> {
  const from = new Map<string, Set<string>>();
  for (const label of seen) {
    const block = blocks.get(label);
    for (const to of block ? [...block.jumps.map((j) => j.to), block.next] : []) {
      from.set(to, (from.get(to) ?? new Set()).add(label));
    }
  }
  return from;
}

/**
 * The order of the blocks that are reached (the verifier refuses others): jumps go forward only, and where it can be,
 * a block is followed by one it falls into.
 */
function ordered(blocks: ReadonlyMap<string, Block>, entry: string): string[] {
  const seen = new Set<string>();
  const visit = (label: string): void => {
    if (seen.has(label)) return;
    seen.add(label);
    const block = blocks.get(label);
    for (const to of block ? [...block.jumps.map((j) => j.to), block.next] : []) visit(to);
  };
  visit(entry);
  const from = entries(blocks, seen);
  const waiting = new Set([...blocks.keys()].filter((label) => seen.has(label)));
  const order: string[] = [];
  const ready = (label: string): boolean =>
    waiting.has(label) && [...(from.get(label) ?? [])].every((f) => !waiting.has(f));
  for (let last: Block | undefined; waiting.size > 0;) {
    const wished = last === undefined ? [] : fallsInto(last);
    const free = [...waiting].filter(ready);
    // A block that can fall into the answer itself waits for the end, where the answers are.
    const label =
      wished.find(ready) ?? free.find((l) => !fallsInto(blocks.get(l)).includes('allow')) ?? free[0] ?? entry;
    waiting.delete(label);
    order.push(label);
    last = blocks.get(label);
  }
  return [...order, ...['allow', 'deny'].filter((label) => seen.has(label))];
}

/** Only what is looked at is loaded: r1 holds the context. */
function loads(used: ReadonlySet<Field>): Insn[] {
  return (['word', 'major', 'minor'] as const)
    .filter((field) => used.has(field))
    .map((field) => insn(OP.LDX_W, REG[field], 1, CONTEXT[field]));
}

const answer = (allow: boolean, exits: boolean): Insn[] => [
  insn(OP.MOV64_K, 0, 0, 0, allow ? 1 : 0),
  ...(exits ? [insn(OP.EXIT)] : []),
];

/** Jumps that have an opposite, with it. */
const OPPOSITE: ReadonlyMap<number, number> = new Map([
  [OP.JEQ_K, OP.JNE_K],
  [OP.JLE_K, OP.JGT_K],
  [OP.JGE_K, OP.JLT_K],
  [OP.JLT_K, OP.JGE_K],
]);

/** What may stand behind a block without a jump to it. */
function fallsInto(block: Block | undefined): string[] {
  const last = block?.jumps.at(-1);
  const turned = last !== undefined && OPPOSITE.has(last.code) ? [last.to] : [];
  return block === undefined ? [] : [block.next, ...turned];
}

/** Falls through where it can: the last `if equal, jump to the next block` becomes `if not equal, jump away`. */
function laidOut({ jumps, next }: Block, following: string | undefined): Block {
  const last = jumps.at(-1);
  const opposite = OPPOSITE.get(last?.code ?? 0);
  if (last === undefined || opposite === undefined || last.to !== following) return { jumps, next };
  return { jumps: [...jumps.slice(0, -1), { ...last, code: opposite, to: next }], next: following };
}

/**
 * Compiles a resolved rule set to struct bpf_insn[].
 * @throws TsboxError TSB1007 when the program would exceed 4096 instructions.
 */
export function compileRules(rules: readonly DeviceRule[]): Uint8Array {
  const space = spaceOf(rules);
  const { blocks, entry } = blocksOf(space.b, space.c);
  const order = ordered(blocks, entry);
  const placed = order.flatMap((label, i) => {
    const block = blocks.get(label);
    return block ? [{ label, ...laidOut(block, order[i + 1]), falls: order[i + 1] }] : [];
  });
  const ends = order.filter((label) => !blocks.has(label));
  const prologue = loads(new Set(placed.flatMap((b) => b.jumps.map((j) => j.field))));
  if (ends.length === 2) prologue.push(insn(OP.MOV64_K, 0, 0, 0, 0));
  const start = new Map<string, number>();
  let at = prologue.length;
  for (const block of placed) {
    start.set(block.label, at);
    at += block.jumps.length + (block.next === block.falls ? 0 : 1);
  }
  // With both: `allow` sets the answer and runs into the exit, which is all of `deny`.
  const endings = ends.flatMap((label) =>
    ends.length === 2 && label === 'deny' ? [insn(OP.EXIT)] : answer(label === 'allow', ends.length === 1),
  );
  ends.forEach((label, i) => start.set(label, at + i));
  const total = at + endings.length;
  if (total > MAX_INSNS) {
    throw new TsboxError(
      'TSB1007',
      `the device rules need a BPF program of ${total} instructions, the kernel takes ${MAX_INSNS}`,
      {
        hint: 'use ranges such as c 4:0-63 or wildcards such as c 136:* in place of many single devices',
      },
    );
  }
  const out = [...prologue];
  const offset = (to: string): number => (start.get(to) ?? 0) - out.length - 1;
  for (const block of placed) {
    for (const j of block.jumps) out.push(insn(j.code, REG[j.field], 0, offset(j.to), j.imm));
    if (block.next !== block.falls) {
      out.push(block.next === 'deny' && ends.length === 2 ? insn(OP.EXIT) : insn(OP.JA, 0, 0, offset(block.next)));
    }
  }
  return encodeInsns([...out, ...endings]);
}
