/** The accounting of cgroups as a table, as JSON and in Prometheus' text format. */
import {
  PRESSURE_RESOURCES,
  type CgroupRates,
  type CgroupStats,
  type PressureKind,
} from '../resources/cgroup/stats.ts';
import { metricBlock, type Labels, type Sample } from './exposition.ts';
import { escapeControls } from './values.ts';

export interface StatsRow {
  readonly stack: string;
  /** null for a cgroup that is no resource's. */
  readonly address: string | null;
  readonly cgroup: string;
  readonly name: string;
  readonly depth: number;
  readonly stats: CgroupStats;
  readonly rates: CgroupRates;
}

export interface Column {
  readonly title: string;
  readonly text: (row: StatsRow) => string;
}

const UNITS = ['B', 'K', 'M', 'G', 'T', 'P'] as const;

/** At most five characters: '999B', '1.5M', '12G', '-' for what is not known. */
export function shortBytes(value: number | 'max' | null): string {
  if (value === null || value === 'max') {
    return value ?? '-';
  }
  let scaled = value;
  let unit = 0;
  while (scaled >= 999.5 && unit < UNITS.length - 1) {
    scaled /= 1024;
    unit++;
  }
  const text = unit === 0 || scaled >= 9.95 ? scaled.toFixed(0) : scaled.toFixed(1);
  return `${text}${UNITS[unit] ?? ''}`;
}

const orDash = (value: number | null, digits = 0): string => (value === null ? '-' : value.toFixed(digits));

/** Pressure of processor, memory and disks: percent of the last 10 s in which somebody waited. */
function pressureText({ stats }: StatsRow): string {
  const parts = PRESSURE_RESOURCES.map((r) => stats.pressure[r]?.some?.avg10 ?? null);
  return parts.every((p) => p === null) ? '-' : parts.map((p) => orDash(p)).join('/');
}

export const COLUMNS: readonly Column[] = [
  { title: 'CPU%', text: (r) => orDash(r.rates.cpu, 1) },
  { title: 'MEM', text: (r) => shortBytes(r.stats.memory) },
  { title: 'LIMIT', text: (r) => shortBytes(r.stats.memoryLimit) },
  { title: 'PIDS', text: (r) => orDash(r.stats.pids) },
  { title: 'READ/s', text: (r) => shortBytes(r.rates.read) },
  { title: 'WRITE/s', text: (r) => shortBytes(r.rates.written) },
  { title: 'THROTTLED%', text: (r) => orDash(r.rates.throttled) },
  { title: 'OOM', text: (r) => orDash(r.stats.oomKills) },
  { title: 'PSI% c/m/i', text: pressureText },
];

/** The name of a row, indented in a tree, with what is unusual about it. */
export function nameText(row: StatsRow, tree: boolean): string {
  const name = escapeControls(tree ? row.name : (row.address ?? row.cgroup));
  const text = tree ? `${'  '.repeat(row.depth)}${name}` : row.address === null ? name : `${row.stack}:${name}`;
  return row.stats.frozen === true ? `${text} [frozen]` : text;
}

/** Lines of a table, the heading first. */
export function statsTable(rows: readonly StatsRow[]): string[] {
  const heading = ['CGROUP', ...COLUMNS.map((c) => c.title)];
  const body = rows.map((row) => [nameText(row, true), ...COLUMNS.map((c) => c.text(row))]);
  const widths = heading.map((title, i) => Math.max(title.length, ...body.map((cells) => (cells[i] ?? '').length)));
  return [heading, ...body].map((cells) =>
    cells
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

/** Raw numbers in base units (seconds, bytes), null where the kernel does not say; a limit may be "max". */
export function statsJson(rows: readonly StatsRow[]): unknown {
  const seconds = (value: number | null): number | null => (value === null ? null : value / 1e6);
  return rows.map(({ stack, address, cgroup, stats: s, rates }) => ({
    stack,
    address,
    cgroup,
    cpu: {
      percent: rates.cpu,
      usage_seconds: seconds(s.cpuUsage),
      user_seconds: seconds(s.cpuUser),
      system_seconds: seconds(s.cpuSystem),
      periods: s.cpuPeriods,
      throttled_periods: s.cpuThrottledPeriods,
      throttled_seconds: seconds(s.cpuThrottled),
    },
    memory: {
      current_bytes: s.memory,
      max_bytes: s.memoryLimit,
      peak_bytes: s.memoryPeak,
      swap_bytes: s.swap,
      oom_kills: s.oomKills,
    },
    io: {
      read_bytes: s.ioRead,
      written_bytes: s.ioWritten,
      reads: s.ioReads,
      writes: s.ioWrites,
      read_bytes_per_second: rates.read,
      written_bytes_per_second: rates.written,
    },
    pids: { current: s.pids, max: s.pidsLimit },
    pressure: Object.fromEntries(
      PRESSURE_RESOURCES.map((resource) => {
        const lines = s.pressure[resource];
        const line = (kind: PressureKind): unknown => {
          const p = lines?.[kind];
          return p === undefined || p === null ? null : { avg10: p.avg10, total_seconds: p.total / 1e6 };
        };
        return [resource, lines === null ? null : { some: line('some'), full: line('full') }];
      }),
    ),
    populated: s.populated,
    frozen: s.frozen,
    descendants: s.descendants,
  }));
}

interface Metric {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly value: (stats: CgroupStats) => number | null;
}

const micro = (value: number | null): number | null => (value === null ? null : value / 1e6);
const finite = (value: number | 'max' | null): number | null => (value === 'max' ? null : value);
const flag = (value: boolean | null): number | null => (value === null ? null : Number(value));
const counter = (name: string, help: string, value: Metric['value']): Metric => ({
  name,
  type: 'counter',
  help,
  value,
});
const gauge = (name: string, help: string, value: Metric['value']): Metric => ({ name, type: 'gauge', help, value });

const METRICS: readonly Metric[] = [
  counter('cpu_usage_seconds_total', 'Processor time used.', (s) => micro(s.cpuUsage)),
  counter('cpu_user_seconds_total', 'Processor time used in user mode.', (s) => micro(s.cpuUser)),
  counter('cpu_system_seconds_total', 'Processor time used in the kernel.', (s) => micro(s.cpuSystem)),
  counter('cpu_periods_total', 'Periods of cpu.max with anything to run.', (s) => s.cpuPeriods),
  counter('cpu_throttled_periods_total', 'Periods that ran into cpu.max.', (s) => s.cpuThrottledPeriods),
  counter('cpu_throttled_seconds_total', 'Time lost to cpu.max.', (s) => micro(s.cpuThrottled)),
  gauge('memory_bytes', 'Memory in use.', (s) => s.memory),
  gauge('memory_limit_bytes', 'memory.max, where there is one.', (s) => finite(s.memoryLimit)),
  gauge('memory_peak_bytes', 'Most memory ever in use.', (s) => s.memoryPeak),
  gauge('memory_swap_bytes', 'Swap in use.', (s) => s.swap),
  counter('oom_kills_total', 'Processes ended for want of memory.', (s) => s.oomKills),
  counter('io_read_bytes_total', 'Bytes read from disks.', (s) => s.ioRead),
  counter('io_written_bytes_total', 'Bytes written to disks.', (s) => s.ioWritten),
  counter('io_reads_total', 'Reads from disks.', (s) => s.ioReads),
  counter('io_writes_total', 'Writes to disks.', (s) => s.ioWrites),
  gauge('pids', 'Processes and threads.', (s) => s.pids),
  gauge('pids_limit', 'pids.max, where there is one.', (s) => finite(s.pidsLimit)),
  gauge('populated', 'Whether there is any process.', (s) => flag(s.populated)),
  gauge('frozen', 'Whether it is frozen.', (s) => flag(s.frozen)),
];

/** Prometheus' text exposition format, version 0.0.4. What is not known has no sample. */
export function prometheusText(rows: readonly StatsRow[]): string {
  const labels = ({ stack, address, cgroup }: StatsRow): Labels => ({ stack, address: address ?? '', cgroup });
  const block = (name: string, type: 'gauge' | 'counter', help: string, samples: readonly Sample[]): string =>
    samples.length === 0 ? '' : metricBlock(name, type, help, samples);
  const plain = METRICS.map((metric) =>
    block(
      `tsbox_cgroup_${metric.name}`,
      metric.type,
      metric.help,
      rows.flatMap((row) => {
        const value = metric.value(row.stats);
        return value === null ? [] : [[labels(row), value] as const];
      }),
    ),
  );
  const pressure = rows.flatMap((row) =>
    PRESSURE_RESOURCES.flatMap((resource) =>
      (['some', 'full'] as const).flatMap((kind) => {
        const line = row.stats.pressure[resource]?.[kind];
        return line === undefined || line === null
          ? []
          : [[{ ...labels(row), resource, kind }, line.total / 1e6] as const];
      }),
    ),
  );
  const help = 'Time in which some or all processes waited for a resource.';
  return [...plain, block('tsbox_cgroup_pressure_seconds_total', 'counter', help, pressure)].join('');
}
