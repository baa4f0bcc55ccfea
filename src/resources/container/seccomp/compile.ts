/**
 * A profile as classic BPF (seccomp(2), Documentation/userspace-api/seccomp_filter.rst).
 *
 * Per architecture the number is found by a binary search. Overlapping rules mean what they mean to libseccomp's users:
 * one with the default action says nothing, the first without conditions decides over any with, and of those the first
 * whose conditions all hold; then the default action. Arguments are compared with all the bits they have. The machine's
 * own architecture is always among the profile's; calls of one that is not kill the process, those of the x32 ABI are
 * answered ENOSYS.
 */
import { CALL_NUMBERS, type CallArch } from './call-numbers.ts';
import type { CallRule, Condition, Profile } from './profile.ts';

export type SeccompArch = 'x86_64' | 'aarch64';

/** AUDIT_ARCH_* of linux/audit.h. */
const AUDIT_ARCH: Readonly<Record<CallArch, number>> = { x86_64: 0xc000003e, x86: 0x40000003, aarch64: 0xc00000b7 };
const OCI_NAMES: Readonly<Record<string, CallArch>> = { X86_64: 'x86_64', X86: 'x86', AARCH64: 'aarch64' };
const [LD_W_ABS, AND, JA, JEQ, JGT, JGE, RET] = [0x20, 0x54, 0x05, 0x15, 0x25, 0x35, 0x06];
const [NR, ARCH, ARGS] = [0, 4, 16];
const [KILL_PROCESS, ENOSYS] = [0x80000000, 0x50026];
const X32_BIT = 0x40000000;
/** BPF_MAXINSNS. */
const LONGEST = 4096;
const FARTHEST = 255;

interface Insn {
  readonly code: number;
  readonly k: number;
  /** Instructions to skip when a comparison holds, and when not. */
  readonly yes?: number;
  readonly no?: number;
}

type Code = readonly Insn[];

const load = (k: number): Insn => ({ code: LD_W_ABS, k });

type Exit = 'ok' | 'fail' | null;
interface Test {
  readonly code: number;
  readonly k: number;
  readonly yes: Exit;
  readonly no: Exit;
}

const HIGH = 32n;
const LOW = 0xffff_ffffn;

const mask = (bits: number): Code => (bits === Number(LOW) ? [] : [{ code: AND, k: bits }]);

/** The high half decides, or leaves it to the low one. */
function tests({ index, op, value, valueTwo }: Condition): Array<Insn | Test> {
  const [high, low] = [Number(value >> HIGH), Number(value & LOW)];
  const ldHigh = load(ARGS + 8 * index + 4);
  const ldLow = load(ARGS + 8 * index);
  const jump = (code: number, k: number, yes: Exit, no: Exit): Test => ({ code, k, yes, no });
  switch (op) {
    case 'EQ':
      return [ldHigh, jump(JEQ, high, null, 'fail'), ldLow, jump(JEQ, low, 'ok', 'fail')];
    case 'NE':
      return [ldHigh, jump(JEQ, high, null, 'ok'), ldLow, jump(JEQ, low, 'fail', 'ok')];
    case 'GT':
    case 'GE':
      return [
        ldHigh,
        jump(JGT, high, 'ok', null),
        jump(JEQ, high, null, 'fail'),
        ldLow,
        jump(op === 'GT' ? JGT : JGE, low, 'ok', 'fail'),
      ];
    case 'LT':
    case 'LE':
      return [
        ldHigh,
        jump(JGT, high, 'fail', null),
        jump(JEQ, high, null, 'ok'),
        ldLow,
        jump(op === 'LT' ? JGE : JGT, low, 'fail', 'ok'),
      ];
    case 'MASKED_EQ':
      // A half without bits to look at holds by itself.
      return [
        ...(high === 0 && valueTwo >> HIGH === 0n
          ? []
          : [ldHigh, ...mask(high), jump(JEQ, Number(valueTwo >> HIGH), null, 'fail')]),
        ...(low === 0 && (valueTwo & LOW) === 0n
          ? []
          : [ldLow, ...mask(low), jump(JEQ, Number(valueTwo & LOW), 'ok', 'fail')]),
      ];
  }
}

/** One rule: its answer where all conditions hold, else what follows. */
function ruleCode({ args, action }: Pick<CallRule, 'args' | 'action'>): Code {
  const parts = args.map(tests);
  const length = parts.reduce((sum, p) => sum + p.length, 0) + 1;
  const out: Insn[] = [];
  let end = 0;
  for (const part of parts) {
    end += part.length;
    for (const item of part) {
      const here = out.length + 1;
      if (!('yes' in item) || typeof item.yes === 'number' || item.yes === undefined) {
        out.push(item as Insn);
        continue;
      }
      const distance = (exit: Exit | number | undefined): number =>
        exit === 'ok' ? end - here : exit === 'fail' ? length - here : 0;
      out.push({ code: item.code, k: item.k, yes: distance(item.yes), no: distance(item.no) });
    }
  }
  return [...out, { code: RET, k: action }];
}

/** What is done from one number up to the next span's: an answer, or rules before it. */
interface Span {
  readonly from: number;
  readonly answer: number;
  readonly rules: readonly CallRule[];
}

/** Jumps only go forward, so the filter is written from its end: what a jump goes to is known when it is made. */
class Writer {
  readonly #reversed: Insn[] = [];
  readonly #answers = new Map<number, number>();

  /** Puts an instruction before all others; returns its place, counted from the end. */
  put(insn: Insn): number {
    return this.#reversed.push(insn) - 1;
  }

  #distance(place: number): number {
    return this.#reversed.length - place - 1;
  }

  /** The place itself, or a nearer one that leads there. */
  #reachable(place: number): number {
    return this.#distance(place) + 2 > FARTHEST ? this.put({ code: JA, k: this.#distance(place) }) : place;
  }

  answer(k: number): number {
    const known = this.#answers.get(k);
    if (known !== undefined && this.#distance(known) + 2 <= FARTHEST) {
      return known;
    }
    const place = this.put({ code: RET, k });
    this.#answers.set(k, place);
    return place;
  }

  branch(code: number, k: number, yes: number, no: number): number {
    const [there, other] = [this.#reachable(yes), this.#reachable(no)];
    return this.put({ code, k, yes: this.#distance(there), no: this.#distance(other) });
  }

  span({ answer, rules }: Span): number {
    if (rules.length === 0) {
      return this.answer(answer);
    }
    let place = this.put({ code: RET, k: answer });
    for (const insn of rules.flatMap(ruleCode).reverse()) {
      place = this.put(insn);
    }
    return place;
  }

  /** The spans from one up to another, as a balanced tree. */
  search(spans: readonly Span[], first = 0, end = spans.length): number {
    const middle = (first + end) >> 1;
    const pivot = spans[middle];
    if (pivot === undefined) {
      throw new RangeError('a filter without an answer');
    }
    if (middle === first) {
      return this.span(pivot);
    }
    const high = this.search(spans, middle, end);
    return this.branch(JGE, pivot.from, high, this.search(spans, first, middle));
  }

  /** What is one answer for all numbers may be shared, and looks at none. */
  withNumber(place: number): number {
    return this.#distance(place) === 0 ? this.put(load(NR)) : place;
  }

  insns(): readonly Insn[] {
    return this.#reversed.reverse();
  }
}

/** Several conditions on one argument are alternatives, as the engines take them: none of them could hold all at once. */
function alternatives(rule: CallRule): CallRule[] {
  const once = rule.args.length < 2 || new Set(rule.args.map((c) => c.index)).size === rule.args.length;
  return once ? [rule] : rule.args.map((c) => ({ ...rule, args: [c] }));
}

/** Calls that 32-bit x86 also has as a number to socketcall(2) and ipc(2), from 1 on. */
const MULTIPLEXED: Readonly<Record<'socketcall' | 'ipc', readonly string[]>> = {
  socketcall: (
    'socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown ' +
    'setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg'
  ).split(' '),
  ipc: 'semop semget semctl semtimedop - - - - - - msgsnd msgrcv msgget msgctl - - - - - - shmat shmdt shmget shmctl'.split(
    ' ',
  ),
};
const PERMITTING: readonly number[] = [0x7fff0000, 0x7ffc0000];

/** The same rule for the other way to make the call. Its arguments are in memory there: conditions only ever forbid. */
function multiplexed(name: string, rule: CallRule): Array<readonly [call: string, rule: CallRule]> {
  if (rule.args.length > 0 && PERMITTING.includes(rule.action)) {
    return [];
  }
  return (['socketcall', 'ipc'] as const).flatMap((call) => {
    const number = MULTIPLEXED[call].indexOf(name) + 1;
    // The upper half of ipc's number is a version.
    const args = [
      { index: 0, op: 'MASKED_EQ', value: call === 'ipc' ? 0xffffn : LOW, valueTwo: BigInt(number) },
    ] as const;
    return number === 0 ? [] : [[call, { ...rule, args }] as const];
  });
}

/** Registers have 32 bits there, whatever the profile compares them with. */
function narrowed(rule: CallRule): CallRule {
  return { ...rule, args: rule.args.map((c) => ({ ...c, value: c.value & LOW, valueTwo: c.valueTwo & LOW })) };
}

function spansFor(arch: CallArch, profile: Profile): Span[] {
  const numbers = CALL_NUMBERS[arch];
  const byCall = new Map<number, readonly CallRule[]>();
  const add = (name: string, rule: CallRule): void => {
    // A name of a newer kernel or another architecture says nothing here.
    const nr = numbers.get(name);
    if (nr !== undefined) {
      const before = byCall.get(nr);
      const more = alternatives(arch === 'x86' ? narrowed(rule) : rule);
      byCall.set(nr, before === undefined ? more : [...before, ...more]);
    }
  };
  for (const rule of profile.rules.filter((r) => r.action !== profile.defaultAction)) {
    for (const name of rule.names) {
      add(name, rule);
      if (arch === 'x86') {
        multiplexed(name, rule).forEach(([call, other]) => add(call, other));
      }
    }
  }
  const spans: Span[] = [];
  const last = Math.max(-1, ...byCall.keys());
  for (let nr = 0; nr <= last + 1; nr++) {
    const span = spanOf(nr, byCall.get(nr) ?? [], profile.defaultAction);
    const before = spans.at(-1);
    if (span.rules.length > 0 || before === undefined || before.rules.length > 0 || before.answer !== span.answer) {
      spans.push(span);
    }
  }
  if (arch === 'x86_64') {
    spans.push({ from: X32_BIT, answer: ENOSYS, rules: [] });
  }
  return spans;
}

function spanOf(from: number, rules: readonly CallRule[], defaultAction: number): Span {
  const decided = rules.find((r) => r.args.length === 0)?.action;
  return decided === undefined ? { from, answer: defaultAction, rules } : { from, answer: decided, rules: [] };
}

/**
 * struct sock_filter[].
 * @throws RangeError when it is longer than the kernel takes
 */
export function compileProfile(profile: Profile, machine: SeccompArch): Uint8Array {
  const arches = [...new Set([machine, ...profile.architectures.flatMap((name) => OCI_NAMES[name] ?? [])])];
  const writer = new Writer();
  let otherwise = writer.answer(KILL_PROCESS);
  for (const arch of arches.reverse()) {
    const entry = writer.withNumber(writer.search(spansFor(arch, profile)));
    otherwise = writer.branch(JEQ, AUDIT_ARCH[arch], entry, otherwise);
  }
  writer.put(load(ARCH));
  const code = writer.insns();
  if (code.length > LONGEST) {
    throw new RangeError(`the profile takes ${code.length} instructions, and the kernel takes ${LONGEST}`);
  }
  const bytes = new Uint8Array(code.length * 8);
  const view = new DataView(bytes.buffer);
  code.forEach((insn, i) => {
    view.setUint16(i * 8, insn.code, true);
    view.setUint8(i * 8 + 2, insn.yes ?? 0);
    view.setUint8(i * 8 + 3, insn.no ?? 0);
    view.setUint32(i * 8 + 4, insn.k, true);
  });
  return bytes;
}
