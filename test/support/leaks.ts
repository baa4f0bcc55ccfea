/** What a test may leave behind, looked at from outside: processes, mounts, cgroups, netdevs, run files. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseMountInfo } from '../../src/kernel/proc.ts';
import { hierarchies } from './sandbox.ts';
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

/** Supervisors, and anything in a test's cgroup. */
function processes(): string[] {
  return readdirSync('/proc')
    .filter((n) => /^\d+$/.test(n))
    .flatMap((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        const cmdline = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        const cgroup = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        const ours = cmdline.startsWith('tsbox:') || stat.includes('(tsbox') || cgroup.includes('/tsbox-test-');
        const entry = `process ${pid} started ${fields[19]}: ${cmdline} in ${placeOf(cgroup)}`;
        const isAnothers = (): boolean => ![undefined, process.pid].includes(testAbove(Number(fields[1])));
        return ours && fields[0] !== 'Z' && (ownerOf(entry) !== undefined || !isAnothers()) ? [entry] : [];
      } catch {
        return [];
      }
    });
}

/** The nearest test among a process and those above it; undefined where there is none. */
function testAbove(pid: number): number | undefined {
  if (pid <= 1 || readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('.test.mjs')) {
    return pid <= 1 ? undefined : pid;
  }
  return testAbove(Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0));
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
  return hierarchies().flatMap(({ mount }) =>
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
