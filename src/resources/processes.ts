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

/** Ms since the epoch for a start time; undefined where the kernel does not tell when it was started itself. */
export function startedAt(reader: KernelReader, startTime: string): number | undefined {
  const system = reader.readFiles(['/proc/stat'])[0];
  const boot = typeof system === 'string' ? /^btime (\d+)$/m.exec(system)?.[1] : undefined;
  return boot === undefined ? undefined : Number(boot) * 1000 + (Number(startTime) / TICKS) * 1000;
}

/** True when the pid is the process that had this start time, and neither a zombie nor about to be one. */
export function isAlive(stat: ProcStat | undefined, startTime: string): boolean {
  return (
    stat !== undefined && stat.startTime === startTime && !stat.exiting && stat.state !== 'Z' && stat.state !== 'X'
  );
}
