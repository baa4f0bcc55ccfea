/** Compiled profiles against a plain reading of them, on random profiles and calls. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compileProfile } from '../../src/resources/container/seccomp/compile.ts';
import { CALL_NUMBERS } from '../../src/resources/container/seccomp/call-numbers.ts';
import { parseProfile, parseProfileText } from '../../src/resources/container/seccomp/profile.ts';
import { runFilter } from '../support/classic-bpf.ts';

const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
const numRuns = Number(process.env['FC_RUNS'] ?? 300);
console.log(`fast-check seed ${seed} (FC_SEED to repeat, FC_RUNS for more)`);

const AUDIT = { X86_64: 0xc000003e, X86: 0x40000003, AARCH64: 0xc00000b7 } as const;
const OPS = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'] as const;
/** The plain meaning of an action: value and data of seccomp(2). */
const ANSWERS: Readonly<Record<string, number>> = {
  SCMP_ACT_ALLOW: 0x7fff0000,
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_ERRNO: 0x50001,
  SCMP_ACT_TRAP: 0x30000,
  SCMP_ACT_TRACE: 0x7ff00001,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_KILL_THREAD: 0,
};

interface Arg {
  index: number;
  op: string;
  value: bigint;
  valueTwo: bigint;
}
interface Rule {
  names: string[];
  action: string;
  args: Arg[];
}

const word = fc.constantFrom(0n, 1n, 5n, 0xffff_ffffn, 0x1_0000_0000n, 0x1_0000_0005n, 1n << 63n, (1n << 64n) - 1n);
const names = fc.constantFrom(
  'read',
  'openat',
  'clone',
  'socket',
  'ioctl',
  'personality',
  'file_setattr',
  'open',
  'no_such_call',
);
const rule = fc.record({
  names: fc.array(names, { minLength: 1, maxLength: 4 }),
  action: fc.constantFrom(...Object.keys(ANSWERS)),
  args: fc.uniqueArray(
    fc.record({
      index: fc.integer({ min: 0, max: 5 }),
      op: fc.constantFrom(...OPS.map((o) => `SCMP_CMP_${o}`)),
      value: word,
      valueTwo: word,
    }),
    { maxLength: 4, selector: (a) => a.index },
  ),
});

function holds({ op, value, valueTwo }: Arg, arg: bigint): boolean {
  switch (op) {
    case 'SCMP_CMP_NE':
      return arg !== value;
    case 'SCMP_CMP_LT':
      return arg < value;
    case 'SCMP_CMP_LE':
      return arg <= value;
    case 'SCMP_CMP_EQ':
      return arg === value;
    case 'SCMP_CMP_GE':
      return arg >= value;
    case 'SCMP_CMP_GT':
      return arg > value;
    default:
      return (arg & value) === valueTwo;
  }
}

const LOW = 0xffff_ffffn;
/** 32-bit x86 has 32 bits in a register. */
const low = (a: Arg): Arg => ({ ...a, value: a.value & LOW, valueTwo: a.valueTwo & LOW });

test('the first rule without conditions decides, then the first whose conditions hold, else the default action', () => {
  fc.assert(
    fc.property(
      fc.array(rule, { maxLength: 12 }),
      fc.constantFrom(...Object.keys(ANSWERS)),
      fc.array(fc.record({ name: names, args: fc.array(word, { minLength: 6, maxLength: 6 }) }), {
        minLength: 20,
        maxLength: 20,
      }),
      fc.constantFrom('X86_64', 'X86', 'AARCH64'),
      (rules: Rule[], otherwise, calls, arch) => {
        const profile = parseProfile({
          defaultAction: otherwise,
          architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_AARCH64'],
          syscalls: rules,
        });
        const filter = compileProfile(profile, 'x86_64');
        const numbers = CALL_NUMBERS[arch === 'X86_64' ? 'x86_64' : arch === 'X86' ? 'x86' : 'aarch64'];
        for (const { name, args: given } of calls) {
          const args = given.map((a) => (arch === 'X86' ? a & LOW : a));
          const nr = numbers.get(name);
          if (nr === undefined) continue;
          const own = rules.filter((r) => r.names.includes(name) && ANSWERS[r.action] !== ANSWERS[otherwise]);
          const found =
            own.find((r) => r.args.length === 0) ??
            own.find((r) => r.args.every((a) => holds(arch === 'X86' ? low(a) : a, args[a.index] ?? 0n)));
          assert.is(
            runFilter(filter, { nr, arch: AUDIT[arch], args }) >>> 0,
            ANSWERS[found?.action ?? otherwise],
            `${arch} ${name}(${args.join()})`,
          );
        }
      },
    ),
    { seed, numRuns },
  );
});

test('a profile of every call, each with conditions, keeps its jumps in reach', () => {
  const syscalls = [...CALL_NUMBERS.x86_64.keys()].map((name) => ({
    names: [name],
    action: 'SCMP_ACT_ALLOW',
    args: [{ index: 1, op: 'SCMP_CMP_EQ', value: 7 }],
  }));
  const filter = compileProfile(parseProfile({ defaultAction: 'SCMP_ACT_ERRNO', syscalls }), 'x86_64');
  for (const nr of CALL_NUMBERS.x86_64.values()) {
    const on = (arg: bigint): number => runFilter(filter, { nr, arch: AUDIT.X86_64, args: [0n, arg, 0n, 0n, 0n, 0n] });
    assert.is(on(7n), 0x7fff0000);
    assert.is(on(0x1_0000_0007n), 0x50001);
  }
  assert.is(runFilter(filter, { nr: 0, arch: AUDIT.X86 }) >>> 0, 0x80000000, 'not listed');
  assert.is(runFilter(filter, { nr: 0x40000000, arch: AUDIT.X86_64 }), 0x50026, 'x32');
});

test('what 32-bit x86 can call by another number too is answered the same there', () => {
  const on = (syscalls: unknown[], nr: string, first: bigint, defaultAction: string): number =>
    runFilter(compileProfile(parseProfile({ defaultAction, architectures: ['SCMP_ARCH_X86'], syscalls }), 'x86_64'), {
      nr: CALL_NUMBERS.x86.get(nr) ?? -1,
      arch: AUDIT.X86,
      args: [first, 0n, 0n, 0n, 0n, 0n],
    });
  const [allow, errno] = [0x7fff0000, 0x50001];
  const deny = [{ names: ['socket', 'shmget'], action: 'SCMP_ACT_ERRNO' }];
  assert.is(on(deny, 'socketcall', 1n, 'SCMP_ACT_ALLOW'), errno);
  assert.is(on(deny, 'socketcall', 2n, 'SCMP_ACT_ALLOW'), allow);
  assert.is(on(deny, 'ipc', 0x10000n + 23n, 'SCMP_ACT_ALLOW'), errno);
  assert.is(on(deny, 'ipc', 24n, 'SCMP_ACT_ALLOW'), allow);
  const some = { names: ['socket'], args: [{ index: 0, value: 1, op: 'SCMP_CMP_EQ' }] };
  assert.is(on([{ ...some, action: 'SCMP_ACT_ERRNO' }], 'socketcall', 1n, 'SCMP_ACT_ALLOW'), errno);
  assert.is(on([{ ...some, action: 'SCMP_ACT_ALLOW' }], 'socketcall', 1n, 'SCMP_ACT_ERRNO'), errno);
});

test('numbers of 64 bits in a file keep all their digits', () => {
  const text = (value: string): string =>
    `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"comment":"\\"1234567890123456789",` +
    `"action":"SCMP_ACT_ERRNO","args":[{"index":0,"op":"SCMP_CMP_EQ","value":${value}}]}]}`;
  for (const value of ['18446744073709551615', '9007199254740993', '7']) {
    assert.is(parseProfileText(text(value)).rules[0]?.args[0]?.value, BigInt(value));
  }
  assert.throws(() => parseProfileText(text('18446744073709551616')), /not a value of an argument/);
  assert.throws(() => parseProfileText('{'), /not JSON/);
});

test.run();
