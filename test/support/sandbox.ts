/** A place of its own for a real test: cgroup root, run directory, files; and readers that do not go through tsbox. */
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseMountInfo } from '../../src/kernel/proc.ts';

export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

export interface Sandbox {
  readonly dir: string;
  readonly cgroupRoot: string;
  readonly runDir: string;
  readonly env: NodeJS.ProcessEnv;
  write(name: string, text: string): string;
  tsbox(...args: string[]): Promise<Run>;
  /** Runs any command with the sandbox's environment. */
  run(command: string, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Run>;
  /** Directory of a path below the sandbox's root in the hierarchy of a controller, or of the v2 one ('unified'). */
  cgroupDir(controller: string, path: string): string;
  cleanup(): Promise<void>;
}

/** The repository: the directory above that holds package.json. */
export function repository(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json'))) {
    directory = dirname(directory);
  }
  return directory;
}

export const CLI = join(repository(), 'dist', 'tsbox');

interface Mounted {
  readonly mount: string;
  readonly version: 1 | 2;
  readonly controllers: readonly string[];
}

export function hierarchies(): Mounted[] {
  return parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8')).flatMap((m): Mounted[] => {
    if (m.fstype === 'cgroup2') {
      return [{ mount: m.target, version: 2, controllers: [] }];
    }
    const controllers = m.superOptions.filter((o) => !o.includes('=') && !['rw', 'ro', 'xattr'].includes(o));
    return m.fstype === 'cgroup' && controllers.length > 0 ? [{ mount: m.target, version: 1, controllers }] : [];
  });
}

/** Where any hierarchy is mounted, those without controllers too: other runtimes make directories there as well. */
export function cgroupMounts(): string[] {
  return parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8'))
    .filter((m) => m.fstype === 'cgroup' || m.fstype === 'cgroup2')
    .map((m) => m.target);
}

export function layout(): 'unified' | 'hybrid' | 'v1' {
  const all = hierarchies();
  const v2 = all.some((h) => h.version === 2);
  return v2 ? (all.some((h) => h.version === 1) ? 'hybrid' : 'unified') : 'v1';
}

let count = 0;
const open = new Set<Sandbox>();

export async function sandbox(_name: string): Promise<Sandbox> {
  const id = `tsbox-test-${process.pid}-${count++}`;
  const dir = mkdtempSync(join(tmpdir(), `${id}-`));
  const cgroupRoot = `/${id}`;
  const runDir = `/run/${id}`;
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    TSBOX_CGROUP_ROOT: cgroupRoot,
    TSBOX_RUN_DIR: runDir,
    TSBOX_STATE_DIR: join(dir, 'var'),
    NO_COLOR: '1',
  };
  const run = (command: string, args: readonly string[], extra: NodeJS.ProcessEnv = {}): Promise<Run> =>
    new Promise((resolve, reject) => {
      const began = performance.now();
      const child = spawn(command, [...args], {
        env: { ...env, ...extra },
        cwd: dir,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let stdout = '';
      let stderr = '';
      child.stdout.on('data', (d: Buffer) => (stdout += d.toString()));
      child.stderr.on('data', (d: Buffer) => (stderr += d.toString()));
      child.on('error', reject);
      child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr, ms: performance.now() - began }));
    });
  const box: Sandbox = {
    dir,
    cgroupRoot,
    runDir,
    env,
    write(name, text) {
      const path = join(dir, name);
      writeFileSync(path, text);
      return path;
    },
    tsbox: (...args) => run(process.execPath, [CLI, ...args]),
    run,
    cgroupDir(controller, path) {
      const all = hierarchies();
      const found =
        controller === 'unified'
          ? all.find((h) => h.version === 2)
          : (all.find((h) => h.version === 1 && h.controllers.includes(controller)) ??
            all.find((h) => h.version === 2));
      if (found === undefined) {
        throw new Error(`no hierarchy for ${controller}`);
      }
      return `${found.mount}${cgroupRoot}${path === '' ? '' : `/${path}`}`;
    },
    async cleanup() {
      open.delete(box);
      removeCgroups(cgroupRoot);
      unmountBelow(runDir);
      rmSync(runDir, { recursive: true, force: true });
      rmSync(dir, { recursive: true, force: true });
    },
  };
  open.add(box);
  return box;
}

// A test that is ended from outside leaves nothing either.
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    for (const box of open) {
      void box.cleanup();
    }
    process.exit(1);
  });
}
process.on('exit', () => {
  for (const box of open) {
    void box.cleanup();
  }
});

function directoriesBelow(directory: string): string[] {
  if (!existsSync(directory)) {
    return [];
  }
  const children = readdirSync(directory, { withFileTypes: true }).filter((e) => e.isDirectory());
  return [...children.flatMap((e) => directoriesBelow(join(directory, e.name))), directory];
}

/** Kills by pid whatever is still below our own root, then removes the directories, deepest first. */
function removeCgroups(root: string): void {
  const mounts = cgroupMounts();
  for (let attempt = 0; attempt < 100; attempt++) {
    let left = 0;
    for (const mount of mounts) {
      for (const dir of directoriesBelow(`${mount}${root}`)) {
        try {
          for (const [file, thawed] of [
            ['cgroup.freeze', '0'],
            ['freezer.state', 'THAWED'],
          ] as const) {
            if (existsSync(join(dir, file))) {
              writeFileSync(join(dir, file), thawed);
            }
          }
          for (const pid of readFileSync(join(dir, 'cgroup.procs'), 'utf8')
            .split('\n')
            .filter((p) => p !== '')) {
            process.kill(Number(pid), 'SIGKILL');
          }
        } catch {
          // It went away while we looked.
        }
        try {
          rmdirSync(dir);
        } catch {
          left++;
        }
      }
    }
    if (left === 0) {
      return;
    }
    execFileSync('sleep', ['0.02']);
  }
}

function unmountBelow(dir: string): void {
  const mounts = parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8')).filter(
    (m) => m.target === dir || m.target.startsWith(`${dir}/`),
  );
  for (const m of mounts.reverse()) {
    execFileSync('umount', ['-l', m.target]);
  }
}

// Readers that do not go through tsbox.

export function nsInode(pid: number, type: string): string {
  return readlinkSync(`/proc/${pid}/ns/${type}`);
}

export function procStatus(pid: number): Map<string, string> {
  return new Map(
    readFileSync(`/proc/${pid}/status`, 'utf8')
      .split('\n')
      .filter((l) => l.includes(':'))
      .map((l) => [l.slice(0, l.indexOf(':')), l.slice(l.indexOf(':') + 1).trim()]),
  );
}

export function startTime(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

export function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
