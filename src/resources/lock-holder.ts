/** Who holds the lock of a stack, from /proc/locks (proc_locks(5)): shown, and never decided by. */
import { parseStat } from '../kernel/proc.ts';
import type { KernelReader } from '../kernel/reader.ts';
import { startedAt } from './processes.ts';
import { directoryIn } from './scope.ts';

export interface LockHolder {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: the pid with it is the process. */
  readonly startTime: string;
  /** Its command line, with blanks between. */
  readonly command: string;
  /** Its effective user: a name, or a number. */
  readonly user: string;
  /** When the process began; the lock is no older. */
  readonly since: Date | undefined;
}

const COMMAND_LENGTH = 200;

/** The directory whose lock is the stack's. */
export function lockDirectory(reader: KernelReader, stack: string): string {
  return directoryIn(reader.layout.primary?.mount ?? '', reader.settings.cgroupRoot, stack);
}

/** The process that holds the lock on a directory; undefined when nobody does, or it cannot be told who. */
export function lockHolder(reader: KernelReader, directory: string): LockHolder | undefined {
  const stat = reader.stats([directory])[0];
  const locks = reader.readFiles(['/proc/locks'])[0];
  if (typeof stat !== 'object' || typeof locks !== 'string') {
    return undefined;
  }
  // Waiters have '->' before their kind. '1: FLOCK  ADVISORY  WRITE 4711 00:1d:123 0 EOF': device in hex, then the inode.
  const device = `${hex(major(stat.dev))}:${hex(minor(stat.dev))}:${stat.ino}`;
  const line = locks.split('\n').find((l) => /^\d+: FLOCK /.test(l) && l.includes(` ${device} `));
  const pid = Number(/\s(\d+)\s+[0-9a-f]+:[0-9a-f]+:\d+/.exec(line ?? '')?.[1] ?? 0);
  return pid === 0 ? undefined : describe(reader, pid);
}

function hex(number: number): string {
  return number.toString(16).padStart(2, '0');
}

// makedev(3): glibc's 64-bit dev_t.
function major(dev: number): number {
  return Number((BigInt(dev) >> 8n) & 0xfffn);
}
function minor(dev: number): number {
  return Number((BigInt(dev) & 0xffn) | ((BigInt(dev) >> 12n) & ~0xffn));
}

function describe(reader: KernelReader, pid: number): LockHolder | undefined {
  const [stat, cmdline, status, passwd] = reader.readFiles([
    `/proc/${pid}/stat`,
    `/proc/${pid}/cmdline`,
    `/proc/${pid}/status`,
    '/etc/passwd',
  ]);
  const parsed = typeof stat === 'string' ? parseStat(stat) : undefined;
  if (parsed === undefined) {
    return undefined;
  }
  const command = typeof cmdline === 'string' ? cmdline.split('\0').join(' ').trim() : '';
  const uid = typeof status === 'string' ? (/^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1] ?? '') : '';
  const since = startedAt(reader, parsed.startTime);
  return {
    pid,
    startTime: parsed.startTime,
    command: (command === '' ? parsed.comm : command).slice(0, COMMAND_LENGTH),
    user: nameOf(uid, typeof passwd === 'string' ? passwd : '') ?? uid,
    since: since === undefined ? undefined : new Date(since),
  };
}

function nameOf(uid: string, passwd: string): string | undefined {
  const row = passwd.split('\n').find((line) => line.split(':')[2] === uid);
  return row?.split(':')[0];
}

/** 'process 4711 (tsbox apply) of root, running for 12 s'. */
export function holderText(holder: LockHolder | undefined, now = Date.now()): string {
  if (holder === undefined) {
    return 'another process';
  }
  const seconds =
    holder.since === undefined ? undefined : Math.max(0, Math.round((now - holder.since.getTime()) / 1000));
  const age = seconds === undefined ? '' : `, running for ${ageText(seconds)}`;
  return `process ${holder.pid} (${holder.command}) of ${holder.user}${age}`;
}

function ageText(seconds: number): string {
  return seconds < 120
    ? `${seconds} s`
    : seconds < 7200
      ? `${Math.round(seconds / 60)} min`
      : `${Math.round(seconds / 3600)} h`;
}
