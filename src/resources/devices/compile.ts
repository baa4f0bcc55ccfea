/**
 * Rules to a BPF_PROG_TYPE_CGROUP_DEVICE program.
 *
 * The program sees struct bpf_cgroup_dev_ctx (include/uapi/linux/bpf.h): u32 access_type (type in the low 16 bits,
 * access bits in the high 16), u32 major, u32 minor; it returns 1 to allow and 0 for EPERM. It is a decision tree:
 * type, then major, then minor, then the access bits, with equal subtrees shared. Only full-word loads, 64-bit
 * compares with small immediates and forward jumps are used, which every kernel with the program type (4.15) verifies.
 */
import { TsboxError } from '../../errors.ts';
import { OP, encodeInsns, insn, type Insn } from '../bpf/insn.ts';
import { MAX_MAJOR, MAX_MINOR, type DeviceRule } from './schema.ts';
import { maskOf, segmentsKey, spaceOf, type Segments, type TypeSpace } from './space.ts';

/** BPF_MAXINSNS, what the kernel takes from a loader without CAP_BPF and took from anybody before 5.2. */
export const MAX_INSNS = 4096;

const REG = { type: 2, access: 3, major: 4, minor: 5 } as const;
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

function blocksOf(b: TypeSpace, c: TypeSpace): { blocks: Map<string, Block>; entry: string } {
  const minors = new Map<string, Block>();
  const leaves = new Map<string, Block>();
  const leaf = (allowed: number): string => {
    const mask = maskOf(allowed);
    if (mask === 0 || mask === 7) return mask === 0 ? 'deny' : 'allow';
    // A request is refused as soon as it has one bit outside the mask.
    leaves.set(`access ${mask}`, {
      jumps: [{ code: OP.JSET_K, field: 'access', imm: ~mask, to: 'deny' }],
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
  const root = switchOnType(section('b', majors.b), section(same ? 'b' : 'c', majors.c));
  const blocks = new Map([['root', root], ['major b', majors.b], ['major c', majors.c], ...minors, ...leaves]);
  return { blocks, entry: root.jumps.length === 0 ? root.next : 'root' };
}

const section = (type: 'b' | 'c', block: Block): string => (block.jumps.length === 0 ? block.next : `major ${type}`);

function switchOnType(b: string, c: string): Block {
  if (b === c) return { jumps: [], next: b };
  const on = (imm: number, to: string): Jump[] => (to === 'deny' ? [] : [{ code: OP.JEQ_K, field: 'type', imm, to }]);
  return { jumps: [...on(1, b), ...on(2, c)], next: 'deny' };
}

function reachable(blocks: ReadonlyMap<string, Block>, entry: string): string[] {
  const seen = new Set<string>();
  const visit = (label: string): void => {
    if (seen.has(label)) return;
    seen.add(label);
    const block = blocks.get(label);
    for (const to of block ? [...block.jumps.map((j) => j.to), block.next] : []) visit(to);
  };
  visit(entry);
  // The map's order is topological, so all jumps go forward. The verifier refuses unreachable instructions.
  return [...blocks.keys(), 'allow', 'deny'].filter((label) => seen.has(label));
}

/** Only what is looked at is loaded: r1 holds the context. */
function loads(used: ReadonlySet<Field>): Insn[] {
  const whole = used.has('type') ? REG.type : REG.access;
  const out: Insn[] = [];
  if (used.has('type') || used.has('access')) out.push(insn(OP.LDX_W, whole, 1, 0));
  if (used.has('type') && used.has('access')) out.push(insn(OP.MOV64_X, REG.access, REG.type));
  if (used.has('access')) out.push(insn(OP.RSH64_K, REG.access, 0, 0, 16));
  if (used.has('type')) out.push(insn(OP.AND64_K, REG.type, 0, 0, 0xffff));
  if (used.has('major')) out.push(insn(OP.LDX_W, REG.major, 1, 4));
  if (used.has('minor')) out.push(insn(OP.LDX_W, REG.minor, 1, 8));
  return out;
}

/** Falls through where it can: the last `if equal, jump to the next block` becomes `if not equal, jump away`. */
function laidOut({ jumps, next }: Block, following: string | undefined): Block {
  const last = jumps.at(-1);
  if (last?.code !== OP.JEQ_K || last.to !== following) return { jumps, next };
  return { jumps: [...jumps.slice(0, -1), { ...last, code: OP.JNE_K, to: next }], next: following };
}

/**
 * Compiles a resolved rule set to struct bpf_insn[].
 * @throws TsboxError TSB1007 when the program would exceed 4096 instructions.
 */
export function compileRules(rules: readonly DeviceRule[]): Uint8Array {
  const space = spaceOf(rules);
  const { blocks, entry } = blocksOf(space.b, space.c);
  const order = reachable(blocks, entry);
  const placed = order.flatMap((label, i) => {
    const block = blocks.get(label);
    return block ? [{ label, ...laidOut(block, order[i + 1]), falls: order[i + 1] }] : [];
  });
  const prologue = loads(new Set(placed.flatMap((b) => b.jumps.map((j) => j.field))));
  const start = new Map<string, number>();
  let at = prologue.length;
  for (const block of placed) {
    start.set(block.label, at);
    at += block.jumps.length + (block.next === block.falls ? 0 : 1);
  }
  const ends = order.filter((label) => !blocks.has(label));
  ends.forEach((label, i) => start.set(label, at + i * 2));
  const total = at + ends.length * 2;
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
    if (block.next !== block.falls) out.push(insn(OP.JA, 0, 0, offset(block.next)));
  }
  for (const label of ends) out.push(insn(OP.MOV64_K, 0, 0, 0, label === 'allow' ? 1 : 0), insn(OP.EXIT));
  return encodeInsns(out);
}
