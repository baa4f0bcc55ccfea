/** Describing processes for people, from /proc. */
import { parseStat, type ProcStat } from '../kernel/proc.ts';
import type { KernelReader } from '../kernel/reader.ts';

/** 'process 4711 (sleep)' for each pid that still exists. */
export function describeProcesses(reader: KernelReader, pids: readonly number[]): Array<{ pid: number; text: string }> {
  return readStats(reader, pids).flatMap((stat, i) => {
    const pid = pids[i] ?? 0;
    return stat === undefined ? [] : [{ pid, text: `process ${pid} (${stat.comm})` }];
  });
}

/** /proc/PID/stat of each pid; undefined for one that is gone. */
export function readStats(reader: KernelReader, pids: readonly number[]): Array<ProcStat | undefined> {
  return reader
    .readFiles(pids.map((pid) => `/proc/${pid}/stat`))
    .map((text) => (typeof text === 'string' ? parseStat(text) : undefined));
}

/** Start times count in USER_HZ: 100 a second in the kernel's interface on every architecture we run on (time(7)). */
const TICKS = 100;

/**
 * Ms since the epoch for a start time, to about a tick; undefined where the kernel does not tell how long it runs. The age
 * is what counts (proc_uptime(5)): btime of /proc/stat has whole seconds only.
 */
export function startedAt(reader: KernelReader, startTime: string): number | undefined {
  const text = reader.readFiles(['/proc/uptime'])[0];
  const now = Date.now();
  const uptime = typeof text === 'string' ? Number.parseFloat(text) : Number.NaN;
  return Number.isNaN(uptime) ? undefined : Math.round(now - (uptime - Number(startTime) / TICKS) * 1000);
}

/** True when the pid is the process that had this start time, and neither a zombie nor about to be one. */
export function isAlive(stat: ProcStat | undefined, startTime: string): boolean {
  return (
    stat !== undefined && stat.startTime === startTime && !stat.exiting && stat.state !== 'Z' && stat.state !== 'X'
  );
}
