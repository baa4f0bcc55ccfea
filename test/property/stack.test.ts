/** The language on random input: nothing but a stack or TsboxErrors comes out, in bounded time; units round trip. */
import fc from 'fast-check';
import { writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TsboxErrors } from '../../src/errors.ts';
import {
  formatBytes,
  formatCpuAmount,
  formatDuration,
  parseBytes,
  parseCpuAmount,
  parseCpuList,
  parseDuration,
  ValueError,
} from '../../src/resources/units.ts';
import * as units from '../../src/resources/units.ts';
import { loadStack, renderErrors } from '../../src/stack/index.ts';
import { withFiles } from '../support/stacks.ts';

const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
const runs = Number(process.env['FC_RUNS'] ?? 500);
console.log(`fast-check seed ${seed} (FC_SEED to repeat, FC_RUNS for more)`);
const check = <T extends [unknown, ...unknown[]]>(property: fc.IProperty<T>, numRuns = runs): void =>
  fc.assert(property, { seed, numRuns });

/** Words of the language and of YAML, good values and bad ones. */
const word = fc.constantFrom(
  'tsbox',
  'name',
  'variables',
  'cgroups',
  'namespaces',
  'devices',
  'containers',
  'outputs',
  'include',
  'x-a',
  'db',
  'web',
  'a',
  'command',
  'env',
  'user',
  'cgroup',
  'cpu',
  'memory',
  'pids',
  'max',
  'weight',
  'children',
  'type',
  'uts',
  'net',
  'hostname',
  'depends_on',
  'restart',
  'policy',
  'default',
  '<<',
  '__proto__',
  'constructor',
  'new',
  'host',
  'container/db',
  'pid:1',
  'path:/x',
  '1',
  '-1',
  '1.5',
  '64M',
  '10s',
  '150%',
  'true',
  'null',
  '~',
  '.nan',
  '${a}',
  '${a:-1}',
  '${',
  '$$',
  '*a',
  '&a x',
  '!x y',
  '"\\0"',
  '"\\ud800"',
  '\u202e',
  "''",
  '[]',
  '{}',
  '[ x ]',
  '0o17',
  '99999999999999999999',
);
const value: fc.Arbitrary<string> = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    word,
    fc.array(tie('node'), { maxLength: 4 }).map((items) => `[ ${items.join(', ')} ]`),
    fc
      .array(fc.tuple(word, tie('node')), { maxLength: 5 })
      .map((pairs) => `{ ${pairs.map(([k, v]) => `${k}: ${v}`).join(', ')} }`),
  ),
})).node;
const section = fc.constantFrom(
  'variables',
  'cgroups',
  'namespaces',
  'devices',
  'containers',
  'outputs',
  'include',
  'x-a',
  'name',
);
const stackLike = fc
  .array(fc.tuple(section, value), { maxLength: 6 })
  .map((parts) => `tsbox: 1\n${parts.map(([k, v]) => `${k}: ${v}`).join('\n')}\n`);
const yamlish = fc
  .array(
    fc.constantFrom(
      'a',
      'b:',
      ': ',
      '- ',
      '\n',
      '\n  ',
      '\n    ',
      '[',
      ']',
      '{',
      '}',
      ',',
      '"',
      "'",
      '&a ',
      '*a',
      '|',
      '>',
      '#',
      '!',
      '%',
      '---\n',
      '\t',
      '? ',
      '<<: ',
      '\0',
      '\r\n',
      '\u0085',
      '🎉',
      '${a}',
      '\\',
    ),
    { maxLength: 60 },
  )
  .map((p) => p.join(''));
const mutated = fc.tuple(fc.nat(), fc.nat(9), fc.string({ unit: 'binary', maxLength: 4 })).map(([at, gone, put]) => {
  const whole = GOOD.slice(0, at % GOOD.length) + put + GOOD.slice((at % GOOD.length) + gone);
  return whole;
});
const GOOD = `tsbox: 1
name: shop
variables: { workers: { type: integer, default: 2, min: 1 } }
cgroups:
  tenants: { cpu: { weight: 200, max: 150% }, memory: { max: 1GiB }, children: { api: { freeze: true } } }
namespaces: { front: { type: net }, lab: { type: user, uids: [ { inside: 0, outside: 1, count: 2 } ] } }
devices: { few: [ { deny: all }, { allow: /dev/null rwm } ] }
containers:
  db: &db
    command: [ /bin/sleep, "\${workers}" ]
    cgroup: tenants/api
    namespaces: { net: front, uts: { hostname: db }, time: { monotonic: -1h } }
    restart: { policy: on-failure, backoff: 1s }
  web: { <<: *db, devices: few, depends_on: { db: started }, env: [ A=1 ] }
outputs: { pid: "\${container.db.pid}" }
`;

/** Loads text as a stack; true when it is a good one. Throws for anything but TsboxErrors that can be shown. */
function survives(directory: string, text: string | Uint8Array): boolean {
  writeFileSync(`${directory}/stack.yaml`, text);
  const begin = performance.now();
  try {
    loadStack([`${directory}/stack.yaml`], { env: {} });
    return true;
  } catch (error) {
    if (!(error instanceof TsboxErrors)) {
      throw error;
    }
    assert.ok(error.errors.length > 0);
    for (const line of renderErrors(error.errors).split('\n')) {
      assert.not.match(line, /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069\u200b-\u200f]/u);
      assert.ok(line.length < 2500);
    }
    for (const { info } of error.errors) {
      assert.ok(info.at === undefined || (info.at.line >= 1 && info.at.column >= 1 && info.at.length >= 1));
    }
    return false;
  } finally {
    assert.ok(performance.now() - begin < 2000);
  }
}

for (const [what, arbitrary] of [
  ['stacks of random sections', stackLike],
  ['random YAML', yamlish],
  ['a good stack with a random change', mutated],
  ['random text', fc.string({ unit: 'binary', maxLength: 200 })],
] as const) {
  test(`${what}: only TsboxErrors`, () => {
    withFiles({}, (directory) => check(fc.property(arbitrary, (text) => void survives(directory, text))));
  });
}

test('random bytes: only TsboxErrors', () => {
  withFiles({}, (directory) =>
    check(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void survives(directory, bytes))),
  );
});

test('the good stack is good', () => {
  withFiles({}, (directory) => assert.ok(survives(directory, GOOD)));
});

test('whole bytes of a unit survive formatting; others are near', () => {
  check(
    fc.property(
      fc.nat(1023),
      fc.nat(4),
      (count, power) => parseBytes(formatBytes(count * 1024 ** power)) === count * 1024 ** power,
    ),
  );
  check(fc.property(fc.maxSafeNat(), (n) => n > 2 ** 52 || Math.abs(parseBytes(formatBytes(n)) - n) <= n / 1000 + 1));
});

test('durations and CPU amounts survive formatting', () => {
  check(fc.property(fc.nat(2 ** 40), (ms) => parseDuration(formatDuration(ms)) === ms));
  check(
    fc.property(
      fc.integer({ min: 1, max: 6_553_600 }),
      (percent) => formatCpuAmount(parseCpuAmount(`${percent}%`)) === `${percent}%`,
    ),
  );
});

test('a CPU list names the same CPUs, sorted, and does not change again', () => {
  const range = fc.tuple(fc.nat(200), fc.nat(20)).map(([from, more]) => [from, from + more] as const);
  check(
    fc.property(fc.array(range, { minLength: 1, maxLength: 10 }), (ranges) => {
      const members = (list: string): number[] =>
        list.split(',').flatMap((part) => {
          const [from = 0, to = from] = part.split('-').map(Number);
          return Array.from({ length: to - from + 1 }, (_, i) => from + i);
        });
      const text = ranges.map(([from, to]) => `${from}-${to}`).join(',');
      const canonical = parseCpuList(text);
      assert.equal(
        members(canonical),
        [...new Set(members(text))].sort((a, b) => a - b),
      );
      assert.is(parseCpuList(canonical), canonical);
    }),
  );
});

test('every parser of a unit gives a value or a ValueError, never NaN or a negative number', () => {
  const parsers = [units.parseBytes, units.parseDuration, units.parseMicroseconds, units.parseCpuAmount, units.parseId];
  const input = fc.oneof(
    fc.anything(),
    fc.double(),
    fc.string(),
    fc.tuple(fc.double(), fc.constantFrom('', 'M', 'KiB', 's', 'ms', '%', 'h')).map(([n, u]) => `${n}${u}`),
  );
  check(
    fc.property(input, (raw) => {
      for (const parse of parsers) {
        try {
          const result = parse(raw);
          assert.ok(Number.isFinite(result) && result >= 0, `${parse.name} gave ${result}`);
        } catch (error) {
          assert.instance(error, ValueError);
        }
      }
    }),
  );
});

test.run();
