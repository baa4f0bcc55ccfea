/**
 * Accounting of cgroups: what they have used and what they are waiting for, in base units, from v2 and v1 files.
 * Sources: cgroup-v2.rst (cpu.stat, memory.*, io.stat, pids.*, PSI), accounting/psi.rst; cgroup-v1/cpuacct.rst, memory.rst,
 * blkio-controller.rst, pids.rst, freezer-subsystem.rst.
 */
import type { CgroupLayout, Hierarchy } from '../../kernel/layout.ts';
import type { KernelReader } from '../../kernel/reader.ts';

/** One line of a pressure file. */
export interface Pressure {
  /** Share of the last 10 s in which somebody (some) or everybody (full) waited, percent. */
  readonly avg10: number;
  /** Time waited since the cgroup was made, microseconds. */
  readonly total: number;
}

export type PressureKind = 'some' | 'full';
export const PRESSURE_RESOURCES = ['cpu', 'memory', 'io'] as const;
export type PressureResource = (typeof PRESSURE_RESOURCES)[number];

/** Everything that is told of one cgroup, its descendants included; null where this kernel does not say. */
export interface CgroupStats {
  /** Processor time, microseconds. */
  readonly cpuUsage: number | null;
  readonly cpuUser: number | null;
  readonly cpuSystem: number | null;
  /** Periods of cpu.max with anything to run, those that ran into it, and the time lost to it, microseconds. */
  readonly cpuPeriods: number | null;
  readonly cpuThrottledPeriods: number | null;
  readonly cpuThrottled: number | null;
  /** Bytes. A limit is 'max' where there is none. */
  readonly memory: number | null;
  readonly memoryLimit: number | 'max' | null;
  readonly memoryPeak: number | null;
  readonly swap: number | null;
  readonly oomKills: number | null;
  /** Bytes and operations of all disks together. */
  readonly ioRead: number | null;
  readonly ioWritten: number | null;
  readonly ioReads: number | null;
  readonly ioWrites: number | null;
  readonly pids: number | null;
  readonly pidsLimit: number | 'max' | null;
  readonly pressure: Readonly<Record<PressureResource, Readonly<Record<PressureKind, Pressure | null>> | null>>;
  readonly populated: boolean | null;
  readonly frozen: boolean | null;
  readonly descendants: number | null;
}

type Draft = { -readonly [K in keyof CgroupStats]: CgroupStats[K] } & {
  pressure: Record<PressureResource, Record<PressureKind, Pressure | null> | null>;
};

export const NO_STATS: CgroupStats = {
  cpuUsage: null,
  cpuUser: null,
  cpuSystem: null,
  cpuPeriods: null,
  cpuThrottledPeriods: null,
  cpuThrottled: null,
  memory: null,
  memoryLimit: null,
  memoryPeak: null,
  swap: null,
  oomKills: null,
  ioRead: null,
  ioWritten: null,
  ioReads: null,
  ioWrites: null,
  pids: null,
  pidsLimit: null,
  pressure: { cpu: null, memory: null, io: null },
  populated: null,
  frozen: null,
  descendants: null,
};

/** A file and what it says; later ones see what earlier ones found. */
export interface StatFile {
  readonly file: string;
  readonly mount: string;
  readonly parse: (text: string, into: Draft) => void;
}

/** 'key 12' lines. */
function flat(text: string): Map<string, number> {
  const values = new Map<string, number>();
  for (const [, key = '', value] of text.matchAll(/^(\S+) (\d+)$/gm)) {
    values.set(key, Number(value));
  }
  return values;
}

function number(text: string): number | null {
  const trimmed = text.trim();
  return /^\d+$/.test(trimmed) ? Number(trimmed) : null;
}

const scaled = (value: number | null | undefined, factor: number): number | null =>
  value === null || value === undefined ? null : value * factor;

const limit = (text: string): number | 'max' | null => (text.trim() === 'max' ? 'max' : number(text));

/** 'some avg10=0.00 avg60=0.00 avg300=0.00 total=0' and 'full …' (psi.rst). */
export function parsePressure(text: string): Record<PressureKind, Pressure | null> {
  const line = (kind: PressureKind): Pressure | null => {
    const match = new RegExp(`^${kind} avg10=([\\d.]+) .*total=(\\d+)$`, 'm').exec(text);
    return match === null ? null : { avg10: Number(match[1]), total: Number(match[2]) };
  };
  return { some: line('some'), full: line('full') };
}

/** Sums of io.stat: '8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0' per device. */
function ioStat(text: string, into: Draft): void {
  const sum = (key: string): number =>
    [...text.matchAll(new RegExp(`\\b${key}=(\\d+)`, 'g'))].reduce((total, m) => total + Number(m[1]), 0);
  into.ioRead = sum('rbytes');
  into.ioWritten = sum('wbytes');
  into.ioReads = sum('rios');
  into.ioWrites = sum('wios');
}

function cpuStat(text: string, into: Draft, nanoseconds: boolean): void {
  const values = flat(text);
  const get = (key: string): number | null => values.get(key) ?? null;
  into.cpuUsage = get('usage_usec') ?? into.cpuUsage;
  into.cpuUser = get('user_usec') ?? into.cpuUser;
  into.cpuSystem = get('system_usec') ?? into.cpuSystem;
  into.cpuPeriods = get('nr_periods') ?? into.cpuPeriods;
  into.cpuThrottledPeriods = get('nr_throttled') ?? into.cpuThrottledPeriods;
  const lost = nanoseconds ? get('throttled_time') : get('throttled_usec');
  into.cpuThrottled = lost === null ? into.cpuThrottled : nanoseconds ? lost / 1000 : lost;
}

function unifiedFiles(mount: string): StatFile[] {
  const file = (name: string, parse: StatFile['parse']): StatFile => ({ file: name, mount, parse });
  return [
    file('cgroup.events', (text, s) => {
      const values = flat(text);
      s.populated = values.has('populated') ? values.get('populated') === 1 : null;
      s.frozen = values.has('frozen') ? values.get('frozen') === 1 : null;
    }),
    file('cgroup.stat', (text, s) => void (s.descendants = flat(text).get('nr_descendants') ?? null)),
    // Processor time and pressure are there without any controller.
    file('cpu.stat', (text, s) => cpuStat(text, s, false)),
    file('memory.current', (text, s) => void (s.memory = number(text))),
    file('memory.max', (text, s) => void (s.memoryLimit = limit(text))),
    file('memory.peak', (text, s) => void (s.memoryPeak = number(text))),
    file('memory.swap.current', (text, s) => void (s.swap = number(text))),
    file('memory.events', (text, s) => void (s.oomKills = flat(text).get('oom_kill') ?? null)),
    file('io.stat', ioStat),
    file('pids.current', (text, s) => void (s.pids = number(text))),
    file('pids.max', (text, s) => void (s.pidsLimit = limit(text))),
    ...PRESSURE_RESOURCES.map((resource) =>
      file(`${resource}.pressure`, (text, s) => void (s.pressure[resource] = parsePressure(text))),
    ),
  ];
}

/** What v1 shows where there is no limit: the largest number of pages, in bytes. */
const NO_LIMIT = 2 ** 60;
/** Microseconds of a clock tick: USER_HZ is 100 on every architecture we run on (time(7)). */
const TICK = 10_000;

/** '8:0 Read 123' lines. */
function blkio(text: string, operation: 'Read' | 'Write'): number {
  return [...text.matchAll(new RegExp(`^\\d+:\\d+ ${operation} (\\d+)$`, 'gm'))].reduce(
    (sum, m) => sum + Number(m[1]),
    0,
  );
}

const V1_FILES: Readonly<Record<string, ReadonlyArray<Omit<StatFile, 'mount'>>>> = {
  cpuacct: [
    { file: 'cpuacct.usage', parse: (text, s) => void (s.cpuUsage = scaled(number(text), 1 / 1000)) },
    {
      file: 'cpuacct.stat',
      parse: (text, s) => {
        const values = flat(text);
        s.cpuUser = scaled(values.get('user'), TICK);
        s.cpuSystem = scaled(values.get('system'), TICK);
      },
    },
  ],
  cpu: [{ file: 'cpu.stat', parse: (text, s) => cpuStat(text, s, true) }],
  memory: [
    { file: 'memory.usage_in_bytes', parse: (text, s) => void (s.memory = number(text)) },
    {
      file: 'memory.limit_in_bytes',
      parse: (text, s) => {
        const value = number(text);
        s.memoryLimit = value !== null && value > NO_LIMIT ? 'max' : value;
      },
    },
    { file: 'memory.max_usage_in_bytes', parse: (text, s) => void (s.memoryPeak = number(text)) },
    {
      file: 'memory.memsw.usage_in_bytes',
      parse: (text, s) => {
        const both = number(text);
        s.swap = both === null || s.memory === null ? null : Math.max(0, both - s.memory);
      },
    },
    { file: 'memory.oom_control', parse: (text, s) => void (s.oomKills = flat(text).get('oom_kill') ?? null) },
  ],
  blkio: [
    {
      file: 'blkio.throttle.io_service_bytes_recursive',
      parse: (text, s) => {
        s.ioRead = blkio(text, 'Read');
        s.ioWritten = blkio(text, 'Write');
      },
    },
    {
      file: 'blkio.throttle.io_serviced_recursive',
      parse: (text, s) => {
        s.ioReads = blkio(text, 'Read');
        s.ioWrites = blkio(text, 'Write');
      },
    },
  ],
  pids: [
    { file: 'pids.current', parse: (text, s) => void (s.pids = number(text)) },
    { file: 'pids.max', parse: (text, s) => void (s.pidsLimit = limit(text)) },
  ],
  freezer: [
    {
      file: 'freezer.state',
      // On a hybrid machine either of both may have frozen it.
      parse: (text, s) => void (s.frozen = text.trim() === 'FROZEN' || (s.frozen ?? false)),
    },
  ],
};

/** The accounting files of this machine's hierarchies. */
export function statFiles(layout: CgroupLayout): StatFile[] {
  const v2 = layout.hierarchies.find((h) => h.version === 2);
  const v1 = (h: Hierarchy): StatFile[] =>
    h.controllers.flatMap((c) => (V1_FILES[c] ?? []).map((f): StatFile => ({ ...f, mount: h.mount })));
  return [
    ...(v2 === undefined ? [] : unifiedFiles(v2.mount)),
    ...layout.hierarchies.filter((h) => h.version === 1).flatMap(v1),
  ];
}

/** The numbers of each cgroup, all of them read in one batch. @param cgroups absolute paths within the hierarchies */
export function readCgroupStats(
  reader: Pick<KernelReader, 'layout' | 'readFiles'>,
  cgroups: readonly string[],
): CgroupStats[] {
  return readOf(reader, statFiles(reader.layout), cgroups);
}

function readOf(
  reader: Pick<KernelReader, 'layout' | 'readFiles'>,
  files: readonly StatFile[],
  cgroups: readonly string[],
): CgroupStats[] {
  const texts = reader.readFiles(cgroups.flatMap((cgroup) => files.map((f) => `${f.mount}${cgroup}/${f.file}`)));
  return cgroups.map((_, i) => {
    const stats: Draft = { ...NO_STATS, pressure: { ...NO_STATS.pressure } };
    files.forEach((f, j) => {
      const text = texts[i * files.length + j];
      if (typeof text === 'string') {
        f.parse(text, stats);
      }
    });
    return stats;
  });
}

const FROZEN_FILES = new Set(['cgroup.events', 'freezer.state']);

/** Whether each cgroup stands still, whoever ordered it and at whatever level above. */
export function readFrozen(reader: Pick<KernelReader, 'layout' | 'readFiles'>, cgroups: readonly string[]): boolean[] {
  const files = statFiles(reader.layout).filter((f) => FROZEN_FILES.has(f.file));
  return readOf(reader, files, cgroups).map((stats) => stats.frozen === true);
}

/** What a cgroup did between two samples; null where it is not known. */
export interface CgroupRates {
  /** 100 is one processor. */
  readonly cpu: number | null;
  /** Bytes per second. */
  readonly read: number | null;
  readonly written: number | null;
  /** Share of its periods in which it ran into cpu.max, percent. */
  readonly throttled: number | null;
}

export function ratesBetween(before: CgroupStats | undefined, after: CgroupStats, seconds: number): CgroupRates {
  const delta = (key: 'cpuUsage' | 'ioRead' | 'ioWritten' | 'cpuPeriods' | 'cpuThrottledPeriods'): number | null => {
    const [a, b] = [before?.[key], after[key]];
    return typeof a !== 'number' || b === null ? null : Math.max(0, b - a);
  };
  const perSecond = (value: number | null): number | null => (value === null ? null : value / seconds);
  const cpu = perSecond(delta('cpuUsage'));
  const periods = delta('cpuPeriods');
  const throttled = delta('cpuThrottledPeriods');
  return {
    cpu: cpu === null ? null : cpu / 10_000,
    read: perSecond(delta('ioRead')),
    written: perSecond(delta('ioWritten')),
    throttled: periods === null || throttled === null ? null : periods === 0 ? 0 : (throttled * 100) / periods,
  };
}
