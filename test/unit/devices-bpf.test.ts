/** Device programs: sizes of ours, and what is read out of programs as other tools write them. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TsboxError } from '../../src/errors.ts';
import { canonicalRules } from '../../src/resources/devices/canonical.ts';
import { compileRules } from '../../src/resources/devices/compile.ts';
import { decodePrograms } from '../../src/resources/devices/decode.ts';
import { DEFAULT_DEVICE_RULES } from '../../src/resources/devices/defaults.ts';
import { decide } from '../../src/resources/devices/evaluate.ts';
import { encodeInsns } from '../../src/resources/bpf/insn.ts';
import { parseDeviceRule, type DeviceRule } from '../../src/resources/devices/schema.ts';
import { CRUN_DUMP, RUNC_DUMP } from '../support/foreign-dumps.ts';
import {
  crunProgram,
  runcProgram,
  systemdProgram,
  systemdStrict,
  type ForeignRule,
} from '../support/foreign-devices.ts';

const rules = (...lines: string[]): DeviceRule[] =>
  lines.map((line) => parseDeviceRule(line.startsWith('allow '), line.replace(/^\w+ /, '')) as DeviceRule);

type Raw = readonly [code: number, dst: number, src: number, off: number, imm: number];
const program = (...insns: Raw[]): Uint8Array =>
  encodeInsns(insns.map(([code, dst, src, off, imm]) => ({ code, dst, src, off, imm })));
const ALLOW: readonly Raw[] = [
  [0xb7, 0, 0, 0, 1],
  [0x95, 0, 0, 0, 0],
];
const DENY: readonly Raw[] = [
  [0xb7, 0, 0, 0, 0],
  [0x95, 0, 0, 0, 0],
];
/** r2 type, r3 access, r4 major, r5 minor: how runc, crun and LXC begin. */
const PROLOGUE: readonly Raw[] = [
  [0x61, 2, 1, 0, 0],
  [0x54, 2, 0, 0, 0xffff],
  [0x61, 3, 1, 0, 0],
  [0x74, 3, 0, 0, 16],
  [0x61, 4, 1, 4, 0],
  [0x61, 5, 1, 8, 0],
];
/** One rule as they write it: unless the request lies within the access, and type and numbers are these, go on. */
const rule = (type: number, access: number, major: number, minor: number, allow: boolean): Raw[] => [
  [0x55, 2, 0, 7, type],
  [0xbc, 1, 3, 0, 0],
  [0x54, 1, 0, 0, access],
  [0x5d, 1, 3, 4, 0],
  [0x55, 4, 0, 3, major],
  [0x55, 5, 0, 2, minor],
  ...(allow ? ALLOW : DENY),
];

/** Rules as one of the other tools takes them: no ranges, no type a. */
const foreign = (...lines: string[]): ForeignRule[] =>
  rules(...lines).flatMap(({ allow, type, major, minor, minorEnd, access }) => {
    const types = type === 'a' ? (['b', 'c'] as const) : [type];
    const minors =
      minor === '*' ? ['*' as const] : Array.from({ length: (minorEnd ?? minor) - minor + 1 }, (_, i) => minor + i);
    return types.flatMap((t) => minors.map((m) => ({ allow, type: t, major, minor: m, access })));
  });

const DEFAULT_LINES = [
  ...['1:3', '1:5', '1:7', '1:8', '1:9', '5:0'].map((n) => `allow c ${n} rwm`),
  'allow c 5:2 rw',
  'allow c 136:* rw',
];
/** Instructions of ours, and of the program runc's generator writes for the same rules. */
const SIZES: ReadonlyArray<readonly [name: string, lines: readonly string[], ours: number, runc: number]> = [
  ['nothing', [], 2, 8],
  ['everything', ['allow all'], 2, 14],
  ['reading everything', ['allow all r'], 5, 20],
  ['one device', ['allow c 1:3 rw'], 9, 16],
  ['the default set of a container', DEFAULT_LINES, 19, 53],
  ['a range of minors', ['allow c 4:0-63 rw'], 9, 520],
  ['two ranges that overlap', ['allow c 1:0-200', 'allow c 1:100-400'], 9, 2518],
  ['rules that say the same twice', ['allow c 1:3 rw', 'allow c 1:3 r', 'allow c 1:3 w'], 9, 32],
  ['one device taken out again', ['allow c 1:3', 'deny c 1:3'], 2, 18],
];

test('sizes: a program has no instruction it does not need', () => {
  assert.equal(canonicalRules(rules(...DEFAULT_LINES)), canonicalRules(DEFAULT_DEVICE_RULES));
  const sizes = SIZES.map(([name, lines]) => [
    name,
    compileRules(rules(...lines)).length / 8,
    runcProgram(foreign(...lines)).length / 8,
  ]);
  assert.equal(
    sizes,
    SIZES.map(([name, , ours, runc]) => [name, ours, runc]),
  );
});

const LISTED = ['1:3', '1:5', '1:7', '1:8', '1:9'];

test('programs dumped from real containers are those our copies of the generators write', () => {
  const crun = [
    ...['5:2', '136:*', '5:1', '1:9', '1:5', '5:0', '1:7', '1:8', '1:3'].map((n) => `allow c ${n} rwm`),
    ...['allow b *:* m', 'allow c *:* m', 'allow c 10:200 rw'],
  ];
  assert.is(Buffer.compare(crunProgram(foreign(...crun)), CRUN_DUMP), 0);
  const runc = [
    ...['allow b *:* m', 'allow c *:* m'],
    ...[...LISTED, '5:0', '5:2', '10:200', '136:*'].map((n) => `allow c ${n} rwm`),
  ];
  assert.is(Buffer.compare(runcProgram(foreign(...runc)), RUNC_DUMP), 0);
  const shared = ['allow a *:* m', 'allow c 136:* rw', 'allow c 1:3 rw', 'allow c 1:5 rw', 'allow c 1:7-9 rw'];
  assert.equal(decodePrograms([RUNC_DUMP]), [...shared, 'allow c 5:0 rw', 'allow c 5:2 rw', 'allow c 10:200 rw']);
  assert.equal(decodePrograms([CRUN_DUMP]), [
    ...shared,
    'allow c 5:0-2 rw',
    'allow c 10:200 rw',
    ...['r+m', 'r+w+m', 'w+m'].map((request) => `deny c 10:200 ${request}`),
  ]);
});

test('the programs systemd, crun and runc write are read as the rules they were made from', () => {
  const lines = ['allow b *:* m', 'allow c *:* m', ...DEFAULT_LINES, 'allow c 10:200 rw', 'allow b 8:0 rwm'];
  // They decide whole requests rule by rule, so what two rules allow together is refused by theirs alone.
  const meant = ['allow c 1:3 rwm', 'allow c 1:5 rw', 'allow b 8:16 r', 'allow b 9:* m', 'allow c 136:* rw'];
  const expected = ['allow b 9:* m', 'allow c 136:* rw', 'allow b 8:16 r', 'allow c 1:3 rwm', 'allow c 1:5 rw'];
  assert.equal(canonicalRules(rules(...meant)), expected);
  for (const write of [systemdProgram, crunProgram, runcProgram]) {
    assert.equal(decodePrograms([write(foreign(...meant))]), expected);
    const both = decodePrograms([write(foreign(...lines))]);
    assert.ok(Array.isArray(both) && both.includes('allow a *:* m') && both.includes('deny c 5:2 r+m'), String(both));
  }
  assert.equal(decodePrograms([systemdStrict()]), []);
  assert.equal(decodePrograms([runcProgram(foreign('deny c 10:200', 'deny b 8:* w'), true)]), [
    'allow a *:* rwm',
    'deny b 8:* w',
    'deny c 10:200 rwm',
    // Theirs refuse a request only when all of it is denied: open(O_RDWR) passes.
    'allow b 8:* r+w',
    'allow b 8:* r+w+m',
    'allow b 8:* w+m',
  ]);
});

test('more than 4096 instructions are refused with the number', () => {
  const many = Array.from({ length: 4000 }, (_, i) => `allow c ${i}:${i * 2} ${i % 2 ? 'r' : 'w'}`);
  assert.throws(
    () => compileRules(rules(...many)),
    (e: unknown) => e instanceof TsboxError && e.code === 'TSB1007' && /\d{4} instructions/.test(e.message),
  );
});

test('rules after one another, each ending the program', () => {
  const theirs = program(
    ...PROLOGUE,
    ...rule(2, 7, 1, 3, true),
    ...rule(2, 6, 5, 2, true),
    ...rule(1, 1, 8, 0, true),
    ...DENY,
  );
  assert.equal(decodePrograms([theirs]), ['allow b 8:0 m', 'allow c 1:3 rwm', 'allow c 5:2 rw']);
});

test('read and write allowed by two rules are not allowed together in such a program, and that is said', () => {
  const theirs = program(...PROLOGUE, ...rule(2, 2, 1, 3, true), ...rule(2, 4, 1, 3, true), ...DENY);
  assert.equal(decodePrograms([theirs]), ['allow c 1:3 rw', 'deny c 1:3 r+w']);
  const ours = compileRules(rules('allow c 1:3 r', 'allow c 1:3 w'));
  assert.equal(decodePrograms([ours]), ['allow c 1:3 rw']);
  assert.is(decide(theirs, { type: 'c', major: 1, minor: 3, access: 'rw' }), false);
  assert.is(decide(ours, { type: 'c', major: 1, minor: 3, access: 'rw' }), true);
});

test('default allow with exceptions', () => {
  const theirs = program(...PROLOGUE, ...rule(2, 7, 10, 200, false), ...ALLOW);
  assert.equal(decodePrograms([theirs]), ['allow a *:* rwm', 'deny c 10:200 rwm']);
});

test('what compilers and the verifier make of programs: ranges by subtraction, short loads, zero extension, barriers', () => {
  const theirs = program(
    [0x69, 2, 1, 0, 0], // ldxh: the type alone
    [0x56, 2, 0, 9, 2], // jne32
    [0x61, 5, 1, 8, 0],
    [0xbc, 5, 5, 0, 1], // mov32 as zero extension
    [0xc2, 0, 0, 0, 0], // nospec
    [0x61, 4, 1, 4, 0],
    [0x07, 5, 0, 0, -64], // r5 -= 64
    [0x35, 5, 0, 3, 64], // unsigned: below 64 wraps round to large
    [0x56, 4, 0, 2, 4],
    ...ALLOW,
    ...DENY,
  );
  assert.equal(decodePrograms([theirs]), ['allow c 4:64-127 rwm']);
  assert.is(decide(theirs, { type: 'c', major: 4, minor: 63, access: 'r' }), false);
  assert.is(decide(theirs, { type: 'c', major: 4, minor: 64, access: 'r' }), true);
});

test('signed comparisons and arithmetic on majors', () => {
  // major & 3 == 1 for majors below 8: cut value by value.
  const theirs = program(
    [0x61, 4, 1, 4, 0],
    [0x75, 4, 0, 4, 8],
    [0x57, 4, 0, 0, 3],
    [0x55, 4, 0, 2, 1],
    ...ALLOW,
    ...DENY,
  );
  assert.equal(decodePrograms([theirs]), ['allow b 1:* rwm', 'allow b 5:* rwm', 'allow c 1:* rwm', 'allow c 5:* rwm']);
});

test('what cannot be told is opaque, never guessed', () => {
  const request = { type: 'c', major: 1, minor: 3, access: 'r' } as const;
  const opaque: ReadonlyArray<readonly [string, Uint8Array]> = [
    ['helper call', program([0x85, 0, 0, 0, 14], [0x95, 0, 0, 0, 0])],
    ['map', program([0x18, 1, 1, 0, 3], [0, 0, 0, 0, 0], ...ALLOW)],
    ['stack', program([0x7b, 10, 1, -8, 0], ...ALLOW)],
    ['endless loop', program([0x05, 0, 0, -1, 0])],
    ['runs off its end', program([0xb7, 0, 0, 0, 1])],
    ['no result', program([0x95, 0, 0, 0, 0])],
    ['cut short', compileRules([]).slice(0, 5)],
    ['empty', new Uint8Array(0)],
    ['beyond the context', program([0x61, 2, 1, 12, 0], ...ALLOW)],
  ];
  for (const [name, insns] of opaque) {
    assert.is(decide(insns, request), 'opaque', name);
    assert.is(decodePrograms([insns]), 'opaque', name);
  }
  assert.is(decodePrograms([compileRules([]), opaque[0]?.[1] ?? new Uint8Array(1)]), 'opaque');
});

test('no program at all filters nothing', () => assert.equal(decodePrograms([]), ['allow a *:* rwm']));

test.run();
