/** What a test may leave behind, looked at from outside: processes, mounts, cgroups, netdevs, run files. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseMountInfo } from '../../src/kernel/proc.ts';
import { cgroupMounts } from './sandbox.ts';
import { pause } from './wait.ts';

export type Snapshot = ReadonlySet<string>;

export async function snapshot(): Promise<Snapshot> {
  return new Set([...(await settled()), ...mounts(), ...cgroups(), ...netdevs(), ...runFiles()].filter(isOurs));
}

/** Tests running beside this one have names with their own pid; what they make is theirs to remove. */
function isOurs(entry: string): boolean {
  const owner = ownerOf(entry);
  return owner === undefined || owner === String(process.pid);
}

function ownerOf(entry: string): string | undefined {
  return /tsbox-(?:test|bench|docs|dev)-?(\d*)/.exec(entry)?.[1];
}

/** A process of a test beside this one has no name of it for a moment, when it begins and when it ends. */
async function settled(): Promise<string[]> {
  const first = processes();
  if (first.every((entry) => ownerOf(entry) !== undefined)) {
    return first;
  }
  await pause(300);
  const again = new Set(processes());
  return first.filter((entry) => ownerOf(entry) !== undefined || again.has(entry));
}

/** Throws with every thing that is there now and was not before. */
export function assertNoLeaks(before: Snapshot, after: Snapshot): void {
  const leaks = [...after].filter((x) => !before.has(x));
  if (leaks.length > 0) {
    throw new Error(`left behind:\n  ${leaks.join('\n  ')}`);
  }
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
  readonly entry: string;
  readonly isTsbox: boolean;
}

/** Supervisors, and anything in a test's cgroup; not what is of a test beside this one. */
function processes(): string[] {
  const all = readdirSync('/proc').flatMap((pid) => (/^\d+$/.test(pid) ? readProcess(pid) : []));
  const byPid = new Map(all.map((p) => [p.pid, p]));
  return all
    .filter((p) => p.isTsbox)
    .filter((p) => ownerOf(p.entry) !== undefined || [undefined, process.pid].includes(testOf(p, byPid, all)))
    .map((p) => p.entry);
}

/** Nothing where it ended, or is ending. */
function readProcess(pid: string): Process[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    const cgroup = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const entry = `process ${pid} started ${fields[19]}: ${command} in ${placeOf(cgroup)}`;
    const isTsbox = command.startsWith('tsbox:') || stat.includes('(tsbox') || cgroup.includes('/tsbox-test-');
    return fields[0] === 'Z' ? [] : [{ pid: Number(pid), parent: Number(fields[1]), command, entry, isTsbox }];
  } catch {
    return [];
  }
}

/** The nearest test above a process, or, of a detached one, that of what it holds; undefined where there is none. */
function testOf(of: Process, byPid: ReadonlyMap<number, Process>, all: readonly Process[]): number | undefined {
  for (let above = byPid.get(of.parent); above !== undefined; above = byPid.get(above.parent)) {
    if (above.command.includes('.test.mjs')) {
      return above.pid;
    }
  }
  const owner = all
    .filter((p) => p.parent === of.pid)
    .map((p) => ownerOf(p.entry))
    .find((o) => o !== undefined);
  return owner === undefined ? undefined : Number(owner);
}

/** The line of /proc/PID/cgroup that names a test, in whichever hierarchy, or else the last. */
function placeOf(cgroup: string): string {
  const lines = cgroup.trim().split('\n');
  return lines.find((line) => line.includes('/tsbox-test-')) ?? lines.at(-1) ?? '';
}

function mounts(): string[] {
  return parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8')).map((m) => `mount ${m.target} (${m.fstype})`);
}

function cgroups(): string[] {
  const below = (dir: string): string[] =>
    existsSync(dir)
      ? [
          `cgroup ${dir}`,
          ...readdirSync(dir, { withFileTypes: true })
            .filter((e) => e.isDirectory())
            .flatMap((e) => below(join(dir, e.name))),
        ]
      : [];
  return cgroupMounts().flatMap((mount) =>
    readdirSync(mount, { withFileTypes: true })
      .filter((e) => e.isDirectory() && e.name.startsWith('tsbox') && isOurs(e.name))
      .flatMap((e) => below(join(mount, e.name))),
  );
}

function netdevs(): string[] {
  return existsSync('/sys/class/net') ? readdirSync('/sys/class/net').map((n) => `netdev ${n}`) : [];
}

function runFiles(): string[] {
  return readdirSync('/run')
    .filter((n) => n.startsWith('tsbox') && isOurs(n))
    .flatMap((n) => [
      `file /run/${n}`,
      ...readdirSync(join('/run', n), { recursive: true }).map((f) => `file /run/${n}/${String(f)}`),
    ]);
}
