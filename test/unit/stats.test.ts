/** Accounting: the files of both versions, rates, the formats, and the screen of top. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cgroupLayout, type CgroupLayout } from '../../src/kernel/layout.ts';
import {
  NO_STATS,
  parsePressure,
  ratesBetween,
  readCgroupStats,
  type CgroupStats,
} from '../../src/resources/cgroup/stats.ts';
import { prometheusText, shortBytes, statsTable, type StatsRow } from '../../src/report/stats-text.ts';
import { keysOf, press, shownRows, START, topLines, type TopState } from '../../src/report/top-text.ts';

const PSI = 'some avg10=1.50 avg60=0.00 avg300=0.00 total=2000000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n';

function reading(layout: CgroupLayout, files: Readonly<Record<string, string>>): CgroupStats {
  let batches = 0;
  const reader = {
    layout,
    readFiles: (paths: readonly string[]) => {
      batches++;
      return paths.map((p) => files[p] ?? -2);
    },
  };
  const [stats] = readCgroupStats(reader, ['/t/web']);
  assert.is(batches, 1);
  assert.ok(stats);
  return stats;
}

test('a unified machine', () => {
  const layout = cgroupLayout('30 1 0:27 / /cg rw - cgroup2 cgroup2 rw', () => 'cpu memory io pids');
  const stats = reading(layout, {
    '/cg/t/web/cgroup.events': 'populated 1\nfrozen 0\n',
    '/cg/t/web/cgroup.stat': 'nr_descendants 3\nnr_dying_descendants 0\n',
    '/cg/t/web/cpu.stat':
      'usage_usec 300\nuser_usec 200\nsystem_usec 100\nnr_periods 10\nnr_throttled 4\nthrottled_usec 5000\n',
    '/cg/t/web/memory.current': '4096\n',
    '/cg/t/web/memory.max': 'max\n',
    '/cg/t/web/memory.events': 'low 0\nhigh 0\nmax 0\noom 1\noom_kill 2\n',
    '/cg/t/web/io.stat':
      '8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n254:0 rbytes=5 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n',
    '/cg/t/web/pids.current': '7\n',
    '/cg/t/web/pids.max': '0\n',
    '/cg/t/web/io.pressure': PSI,
  });
  assert.equal(stats, {
    ...NO_STATS,
    cpuUsage: 300,
    cpuUser: 200,
    cpuSystem: 100,
    cpuPeriods: 10,
    cpuThrottledPeriods: 4,
    cpuThrottled: 5000,
    memory: 4096,
    memoryLimit: 'max',
    oomKills: 2,
    ioRead: 15,
    ioWritten: 20,
    ioReads: 2,
    ioWrites: 2,
    pids: 7,
    pidsLimit: 0,
    pressure: { cpu: null, memory: null, io: { some: { avg10: 1.5, total: 2_000_000 }, full: { avg10: 0, total: 7 } } },
    populated: true,
    frozen: false,
    descendants: 3,
  });
});

test('a hybrid machine: v1 units, no limit, what is missing is null and not 0', () => {
  const mounts = ['cpu,cpuacct', 'memory', 'blkio', 'pids', 'freezer']
    .map((c, i) => `3${i} 1 0:3${i} / /cg/${c} rw - cgroup cgroup rw,${c}`)
    .join('\n');
  const layout = cgroupLayout(`30 1 0:27 / /cg/unified rw - cgroup2 cgroup2 rw\n${mounts}`, () => '');
  const stats = reading(layout, {
    '/cg/unified/t/web/cgroup.events': 'populated 1\nfrozen 0\n',
    '/cg/unified/t/web/cpu.stat': 'usage_usec 299\nuser_usec 200\nsystem_usec 99\n',
    '/cg/cpu,cpuacct/t/web/cpuacct.usage': '300000\n',
    '/cg/cpu,cpuacct/t/web/cpuacct.stat': 'user 2\nsystem 1\n',
    '/cg/cpu,cpuacct/t/web/cpu.stat': 'nr_periods 10\nnr_throttled 4\nthrottled_time 5000000\n',
    '/cg/memory/t/web/memory.usage_in_bytes': '8192\n',
    '/cg/memory/t/web/memory.memsw.usage_in_bytes': '12288\n',
    '/cg/memory/t/web/memory.limit_in_bytes': '9223372036854771712\n',
    '/cg/memory/t/web/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 3\n',
    '/cg/blkio/t/web/blkio.throttle.io_service_bytes_recursive': '8:0 Read 10\n8:0 Write 20\n8:0 Total 30\nTotal 30\n',
    '/cg/freezer/t/web/freezer.state': 'FROZEN\n',
  });
  assert.equal(stats, {
    ...NO_STATS,
    cpuUsage: 300,
    cpuUser: 20_000,
    cpuSystem: 10_000,
    cpuPeriods: 10,
    cpuThrottledPeriods: 4,
    cpuThrottled: 5000,
    memory: 8192,
    memoryLimit: 'max',
    swap: 4096,
    oomKills: 3,
    ioRead: 10,
    ioWritten: 20,
    populated: true,
    frozen: true,
  });
});

test('pressure without a full line, as the processor of older kernels has', () => {
  assert.equal(parsePressure(PSI.split('\n')[0] ?? ''), { some: { avg10: 1.5, total: 2_000_000 }, full: null });
  assert.equal(parsePressure(''), { some: null, full: null });
});

test('rates: of what both samples have, never below zero', () => {
  const before = { ...NO_STATS, cpuUsage: 1_000_000, ioRead: 1000, cpuPeriods: 10, cpuThrottledPeriods: 0 };
  const after = { ...before, cpuUsage: 2_000_000, ioRead: 500, ioWritten: 5, cpuPeriods: 20, cpuThrottledPeriods: 5 };
  assert.equal(ratesBetween(before, after, 2), { cpu: 50, read: 0, written: null, throttled: 50 });
  assert.equal(ratesBetween(undefined, after, 2), { cpu: null, read: null, written: null, throttled: null });
  assert.is(ratesBetween(after, after, 2).throttled, 0);
});

const row = (name: string, depth: number, stats: Partial<CgroupStats>, cpu: number | null = null): StatsRow => ({
  stack: 'web',
  address: depth === 0 ? null : `container/${name}`,
  cgroup: `/tsbox/web${depth === 0 ? '' : `/${name}`}`,
  name,
  depth,
  stats: { ...NO_STATS, ...stats },
  rates: { cpu, read: null, written: null, throttled: null },
});

const ROWS = [
  row('web', 0, { memory: 3 * 1024 * 1024, pids: 9 }, 60),
  row('alpha', 1, { memory: 1024 * 1024, memoryLimit: 2 * 1024 * 1024, pids: 4, frozen: true }, 10),
  row('beta', 1, { memory: 2 * 1024 * 1024, memoryLimit: 'max', pids: 5, oomKills: 1 }, 50),
];

test('bytes in at most five characters', () => {
  assert.equal([0, 999, 1000, 1536, 10 * 1024, 999 * 1024 * 1024, 1024 ** 4, 'max' as const, null].map(shortBytes), [
    '0B',
    '999B',
    '1.0K',
    '1.5K',
    '10K',
    '999M',
    '1.0T',
    'max',
    '-',
  ]);
  for (let n = 1; n < 2 ** 55; n = Math.ceil(n * 1.37)) {
    assert.ok(shortBytes(n).length <= 5, `${n}: ${shortBytes(n)}`);
  }
});

test('the table', () => {
  assert.equal(statsTable(ROWS), [
    'CGROUP            CPU%   MEM  LIMIT  PIDS  READ/s  WRITE/s  THROTTLED%  OOM  PSI% c/m/i',
    'web               60.0  3.0M      -     9       -        -           -    -           -',
    '  alpha [frozen]  10.0  1.0M   2.0M     4       -        -           -    -           -',
    '  beta            50.0  2.0M    max     5       -        -           -    1           -',
  ]);
});

test("Prometheus' format: a type for every sample, labels escaped, nothing for what is unknown", () => {
  const odd = { ...row('x', 1, { pids: 1, memoryLimit: 'max' }), cgroup: '/a"b\\c\nd' };
  const text = prometheusText([odd, ...ROWS]);
  assert.match(text, 'tsbox_cgroup_pids{stack="web",address="container/x",cgroup="/a\\"b\\\\c\\nd"} 1\n');
  assert.not.match(text, /memory_limit_bytes\{[^}]*container\/(x|beta)/);
  assert.match(text, /memory_limit_bytes\{[^}]*container\/alpha[^}]*\} 2097152/);
  assert.not.match(text, 'NaN');
  const typed = new Set([...text.matchAll(/^# TYPE (\S+) (?:counter|gauge)$/gm)].map((m) => m[1]));
  for (const line of text
    .trimEnd()
    .split('\n')
    .filter((l) => !l.startsWith('#'))) {
    const match = /^([a-z_]+)\{(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+\} -?[\d.]+(?:e[+-]?\d+)?$/.exec(line);
    assert.ok(match !== null && typed.has(match[1] ?? ''), line);
  }
});

test('no line is wider than the terminal, and no screen is higher', () => {
  for (let width = 1; width < 130; width += 3) {
    for (const height of [1, 2, 3, 24]) {
      for (const state of [START, { ...START, help: true }, { ...START, sort: 'cpu' as const, editing: true }]) {
        const lines = topLines(ROWS, state, width, height, '12:00:00');
        assert.ok(lines.length <= height);
        assert.ok(lines.every((l) => [...l].length <= width));
      }
    }
  }
  assert.match(topLines(ROWS, START, 100, 24, '12:00:00')[2] ?? '', /^web +60\.0 /);
});

const type = (text: string, from: TopState = START): TopState =>
  keysOf(text).reduce((state, key) => press(state, key, 2, 3), from);

test('keys', () => {
  assert.equal(keysOf('c\x1b[A\x1b[5~/\x1bOB'), ['c', '\x1b[A', '\x1b[5~', '/', '\x1bOB']);
  assert.is(type('c').sort, 'cpu');
  assert.is(type('ct').sort, 'tree');
  assert.equal(type('/ab\x7fc\r').filter, 'ac');
  assert.equal(type('/q').quit, false);
  assert.equal(type('/ab\x1b'), START);
  assert.is(type('/\x03').quit, true);
  assert.is(type(' ').paused, true);
  assert.is(type('?').help, true);
  assert.is(type('??').help, false);
  assert.is(type('jjjj').scroll, 1);
  assert.is(type('jk\x1b[A').scroll, 0);
  assert.is(type('q').quit, true);
  assert.equal(type('z'), START);
});

test('order and filter', () => {
  const names = (state: Partial<TopState>): string[] => shownRows(ROWS, { ...START, ...state }).map((r) => r.name);
  assert.equal(names({}), ['web', 'alpha', 'beta']);
  assert.equal(names({ sort: 'cpu' }), ['web', 'beta', 'alpha']);
  assert.equal(names({ sort: 'oom' })[0], 'beta');
  assert.equal(names({ filter: 'ALPHA' }), ['alpha']);
});

test.run();
