/** Units: what each form means, and what is refused. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as units from '../../src/resources/units.ts';
import { parseSignal, signalName } from '../../src/resources/signals.ts';
import { capabilityMask, CAPABILITIES, parseCapability } from '../../src/resources/container/capabilities.ts';
import { editDistance, suggest } from '../../src/resources/suggest.ts';

const MIB = 1024 * 1024;

/** [what, parser, [input, value]…, inputs that are refused] */
const tables: ReadonlyArray<
  readonly [string, (input: unknown) => unknown, ReadonlyArray<readonly [unknown, unknown]>, readonly unknown[]]
> = [
  [
    'bytes',
    units.parseBytes,
    [
      [0, 0],
      [1024, 1024],
      ['0', 0],
      ['512KiB', 512 * 1024],
      ['1.5GiB', 1536 * MIB],
      ['64M', 64 * MIB],
      ['64mb', 64 * MIB],
      ['1g', 1024 * MIB],
      ['2 TiB', 2 * 1024 ** 4],
      ['100B', 100],
      ['1P', 1024 ** 5],
      ['0.1K', 102],
    ],
    [
      '',
      'x',
      '1X',
      '-1',
      -1,
      1.5,
      NaN,
      Infinity,
      '1e3',
      '9P',
      '1 2',
      'MiB',
      '.5G',
      null,
      undefined,
      true,
      [],
      {},
      '1'.repeat(1000),
    ],
  ],
  [
    'duration',
    units.parseDuration,
    [
      [0, 0],
      [10, 10_000],
      [1.5, 1500],
      ['10s', 10_000],
      ['1m30s', 90_000],
      ['500ms', 500],
      ['2h', 7_200_000],
      ['1.5h', 5_400_000],
      ['1d', 86_400_000],
      ['10', 10_000],
      ['1000us', 1],
      [' 5s ', 5000],
    ],
    [
      '',
      '1s1m',
      '1s1s',
      '5',
      -1,
      '-5s',
      '10 seconds',
      '1us',
      1e21,
      1e-9,
      NaN,
      null,
      's',
      '1x',
      '9'.repeat(40) + 'd',
      '1s'.repeat(100),
    ].filter((x) => x !== '5'),
  ],
  [
    'microseconds',
    units.parseMicroseconds,
    [
      ['100us', 100],
      ['1ms', 1000],
      ['20ms', 20_000],
      [1, 1_000_000],
    ],
    ['1ns', '-1us', '', null],
  ],
  [
    'offset',
    units.parseOffset,
    [
      [0, { sec: 0, nsec: 0 }],
      [3600, { sec: 3600, nsec: 0 }],
      [-1.5, { sec: -2, nsec: 500_000_000 }],
      ['-1h', { sec: -3600, nsec: 0 }],
      ['+10s500ms', { sec: 10, nsec: 500_000_000 }],
      ['-1ns', { sec: -1, nsec: 999_999_999 }],
    ],
    ['', '-', '--1s', 'x', '1000000d', null, {}],
  ],
  [
    'cpu amount',
    units.parseCpuAmount,
    [
      ['150%', 1.5],
      [1.5, 1.5],
      ['1.5', 1.5],
      ['0.5%', 0.005],
      [2, 2],
    ],
    [0, '0%', -1, '-5%', NaN, Infinity, '', '%', 'lots', 65_537, null],
  ],
  [
    'id',
    units.parseId,
    [
      [0, 0],
      [1000, 1000],
      ['1000', 1000],
      [4_294_967_294, 4_294_967_294],
    ],
    [4_294_967_295, -1, 1.5, 'root', '', null],
  ],
  [
    'cpu list',
    units.parseCpuList,
    [
      ['0-3,7', '0-3,7'],
      ['7,0-1,2,3', '0-3,7'],
      [3, '3'],
      ['0,1', '0-1'],
      ['1-1', '1'],
      ['0-5,2-3', '0-5'],
      [[0, '2-3'], '0,2-3'],
    ],
    ['', '3-1', '0-', '-1', 'a', '0,,1', '0-99999', 1.5, null, {}],
  ],
  [
    'name',
    units.parseName,
    [
      ['db', 'db'],
      ['A_b.c-1', 'A_b.c-1'],
      ['0', '0'],
      ['x'.repeat(63), 'x'.repeat(63)],
    ],
    ['', '-a', '.a', '_a', 'a..b', 'a/b', 'a b', 'é', 'a\n', 'x'.repeat(64), 7, true, null],
  ],
  [
    'signal',
    parseSignal,
    [
      ['TERM', 15],
      ['SIGINT', 2],
      ['term', 15],
      [9, 9],
      ['64', 64],
      ['RTMIN', 34],
      ['SIGRTMIN+3', 37],
      ['RTMAX-1', 63],
    ],
    [0, 65, 'SIGTREM', '', 'RTMIN+31', 'RTMIN-1', 1.5, null, 'constructor'],
  ],
  [
    'capability',
    parseCapability,
    [
      ['CHOWN', 'CHOWN'],
      ['CAP_NET_ADMIN', 'NET_ADMIN'],
      ['cap_bpf', 'BPF'],
    ],
    ['ALL', '', 'CAP_', 'NET_BIND_SERVCE', 1, null],
  ],
];

for (const [what, parse, good, bad] of tables) {
  test(`${what}: accepted`, () => {
    for (const [input, value] of good) {
      assert.equal(parse(input), value, JSON.stringify(input));
    }
  });
  test(`${what}: refused with a ValueError`, () => {
    for (const input of bad) {
      assert.throws(
        () => parse(input),
        (error: unknown) => error instanceof units.ValueError && error.message !== '',
        `${what} ${String(input)}`,
      );
    }
  });
}

test('bytes and durations as people read them', () => {
  assert.equal([0, 1023, 1024, 256 * MIB, 1536 * MIB, MIB - 1].map(units.formatBytes), [
    '0 B',
    '1023 B',
    '1 KiB',
    '256 MiB',
    '1.5 GiB',
    '1023.999 KiB',
  ]);
  assert.is(units.formatBytes(MIB * 1024 - 1), '1 GiB');
  assert.equal([0, 500, 90_000, 86_400_001].map(units.formatDuration), ['0s', '500ms', '1m30s', '1d1ms']);
  assert.is(units.formatCpuAmount(1.5), '150%');
});

test('there are 41 capabilities, at their kernel numbers', () => {
  assert.is(CAPABILITIES.length, 41);
  assert.is(CAPABILITIES.indexOf('SYS_ADMIN'), 21);
  assert.is(capabilityMask(['CHOWN', 'CHECKPOINT_RESTORE']), 1n | (1n << 40n));
});

test('signals have their names back', () => {
  assert.equal([15, 34, 37, 33].map(signalName), ['TERM', 'RTMIN', 'RTMIN+3', '33']);
});

test('did you mean', () => {
  assert.is(editDistance('wieght', 'weight'), 1);
  assert.is(suggest('wieght', ['max', 'weight']), 'weight');
  assert.is(suggest('maxSize', ['max_size', 'files']), 'max_size');
  assert.is(suggest('x', ['y']), undefined);
  assert.is(suggest('completely', ['different']), undefined);
});

test.run();
