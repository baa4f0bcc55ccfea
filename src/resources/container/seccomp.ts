/**
 * The built-in system call filter of a container, as classic BPF (seccomp(2), Documentation/userspace-api/seccomp_filter.rst).
 *
 * The number is found by a binary search, so a call costs about ten instructions; since Linux 5.11 the kernel also
 * remembers numbers that are always allowed. Calls of another architecture (i386 and 32-bit arm programs) kill the
 * process: their numbers mean other things, and none of their calls could be let through. The x32 ABI and calls newer
 * than this filter are answered ENOSYS, as by a kernel that lacks them.
 */
import {
  CLONE_NAMESPACES,
  GROUPS,
  IOCTLS,
  PERSONALITIES,
  SOCKET_FAMILIES,
  UNSHARE_NAMESPACES,
  type Action,
  type Check,
} from './seccomp-policy.ts';
import { LAST_SYSCALL, SYSCALLS } from './seccomp-syscalls.ts';

export type SeccompArch = 'x86_64' | 'aarch64';

export interface SeccompOptions {
  readonly profile: 'default' | 'unconfined';
  readonly arch: SeccompArch;
  /** Capability names without CAP_, e.g. SYS_ADMIN. */
  readonly capabilities: ReadonlySet<string>;
}

/** AUDIT_ARCH_* of linux/audit.h. */
const AUDIT_ARCH = { x86_64: 0xc000003e, aarch64: 0xc00000b7 } as const;
/** SECCOMP_RET_* with the errno in the low half. */
const RETURNS = { allow: 0x7fff0000, eperm: 0x00050001, enosys: 0x00050026, kill: 0x80000000 } as const;
const [LD_W_ABS, JEQ, JGE, JSET, RET] = [0x20, 0x15, 0x35, 0x45, 0x06];
const [NR, ARCH] = [0, 4];
/** Offset of the low half of an argument in struct seccomp_data: the half the kernel itself looks at in these calls. */
const argument = (n: number): number => 16 + 8 * n;

type Label = keyof typeof RETURNS | Check | `node ${number}`;
/** `yes` and `no` are where a jump goes; null is the next instruction. */
interface Insn {
  readonly code: number;
  readonly k: number;
  readonly label?: Label | undefined;
  readonly yes?: Label | null;
  readonly no?: Label | null;
}

interface Span {
  readonly from: number;
  readonly target: Action | Check;
}

/** The whole axis of call numbers: each span holds up to the next one's start. */
function spansOf({ arch, capabilities }: SeccompOptions): Span[] {
  const targets = new Map<number, Action | Check>();
  for (const group of GROUPS.filter((g) => !g.unless.some((c) => capabilities.has(c)))) {
    for (const call of group.calls) {
      const nr = SYSCALLS[call][arch === 'x86_64' ? 0 : 1];
      if (nr !== null) targets.set(nr, group.action === 'by-argument' ? (call as Check) : group.action);
    }
  }
  const all: Span[] = [];
  for (let nr = 0; nr <= LAST_SYSCALL; nr++) all.push({ from: nr, target: targets.get(nr) ?? 'allow' });
  all.push({ from: LAST_SYSCALL + 1, target: 'enosys' });
  return all.filter((s, i) => s.target !== all[i - 1]?.target);
}

/** Spans as a balanced tree of "at least" jumps; the lower half follows its node. */
function search(spans: readonly Span[], label: Label | undefined, out: Insn[]): void {
  const middle = spans.length >> 1;
  const pivot = spans[middle];
  if (pivot === undefined || middle === 0) return;
  const [low, high] = [spans.slice(0, middle), spans.slice(middle)];
  const leaf = (half: readonly Span[]): Label | undefined => (half.length === 1 ? half[0]?.target : undefined);
  const right: Label = leaf(high) ?? `node ${pivot.from}`;
  out.push({ code: JGE, k: pivot.from, label, yes: right, no: leaf(low) ?? null });
  search(low, undefined, out);
  search(high, right, out);
}

/** Loads an argument and compares it with each value; what matches none goes on to `otherwise`. */
function anyOf(label: Check, arg: number, values: readonly number[], match: Action, otherwise: Action): Insn[] {
  const tests = values.map((k, i): Insn => ({
    code: JEQ,
    k,
    yes: match,
    no: i === values.length - 1 ? otherwise : null,
  }));
  return [{ code: LD_W_ABS, k: argument(arg), label }, ...tests];
}

function flags(label: Check, mask: number): Insn[] {
  return [
    { code: LD_W_ABS, k: argument(0), label },
    { code: JSET, k: mask, yes: 'eperm', no: 'allow' },
  ];
}

const CHECKS: Readonly<Record<Check, readonly Insn[]>> = {
  clone: flags('clone', CLONE_NAMESPACES),
  unshare: flags('unshare', UNSHARE_NAMESPACES),
  personality: anyOf('personality', 0, PERSONALITIES, 'allow', 'eperm'),
  ioctl: anyOf('ioctl', 1, IOCTLS, 'eperm', 'allow'),
  socket: anyOf('socket', 0, SOCKET_FAMILIES, 'eperm', 'allow'),
};

function assemble(insns: readonly Insn[]): Uint8Array {
  const at = new Map(insns.flatMap((insn, i) => (insn.label === undefined ? [] : [[insn.label, i] as const])));
  const bytes = new Uint8Array(insns.length * 8);
  const view = new DataView(bytes.buffer);
  insns.forEach((insn, i) => {
    const distance = (to: Label | null | undefined): number => {
      const jump = to === null || to === undefined ? 0 : (at.get(to) ?? -1) - i - 1;
      if (jump < 0 || jump > 255) throw new RangeError(`seccomp filter: jump of ${jump} to '${to}'`);
      return jump;
    };
    view.setUint16(i * 8, insn.code, true);
    view.setUint8(i * 8 + 2, distance(insn.yes));
    view.setUint8(i * 8 + 3, distance(insn.no));
    view.setUint32(i * 8 + 4, insn.k, true);
  });
  return bytes;
}

/** struct sock_filter[] for seccomp(SECCOMP_SET_MODE_FILTER); empty for 'unconfined'. */
export function seccompFilter(options: SeccompOptions): Uint8Array {
  if (options.profile === 'unconfined') return new Uint8Array(0);
  const spans = spansOf(options);
  const tree: Insn[] = [];
  search(spans, undefined, tree);
  const checks = (Object.keys(CHECKS) as Check[]).filter((check) => spans.some((s) => s.target === check));
  return assemble([
    { code: LD_W_ABS, k: ARCH },
    { code: JEQ, k: AUDIT_ARCH[options.arch], yes: null, no: 'kill' },
    { code: LD_W_ABS, k: NR },
    ...tree,
    ...checks.flatMap((check) => CHECKS[check]),
    ...(['allow', 'eperm', 'enosys', 'kill'] as const).map((end): Insn => ({ code: RET, k: RETURNS[end], label: end })),
  ]);
}
