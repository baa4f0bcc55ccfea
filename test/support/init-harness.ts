/** Runs dist/tsbox-init without the addon: it only needs its description on fd 3 and a pipe on fd 4. */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  rmdirSync,
  writeFileSync,
  readdirSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeInitSpec } from '../../src/kernel/init-encode.ts';
import { parseReport } from '../../src/kernel/init-report.ts';
import type {
  CapabilitySets,
  ExecSpec,
  InitSpec,
  NamespaceSetup,
  PinSpec,
  ProcessSpec,
  RestartPolicy,
  RootOp,
  SuperviseSpec,
} from '../../src/kernel/init-spec.ts';
import type { InitReport } from '../../src/kernel/init-report.ts';

function findUp(from: string, name: string): string {
  for (let dir = from; ; dir = dirname(dir)) {
    if (existsSync(join(dir, name))) return join(dir, name);
    if (dir === '/') throw new Error(`${name} not found above ${from}`);
  }
}

const REPOSITORY = dirname(findUp(dirname(fileURLToPath(import.meta.url)), 'package.json'));
export const INIT = join(REPOSITORY, 'dist', 'tsbox-init');

export const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

export async function until<T>(what: string, probe: () => T | undefined | false, timeoutMs = 5000): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const value = probe();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > end) throw new Error(`timed out waiting for ${what}`);
    await sleep(5);
  }
}

export const alive = (pid: number): boolean => {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

export function startTime(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

/** Directories, cgroups and processes of one test; all of them go in close(), whatever happened. */
export class Scene {
  static #count = 0;
  readonly name = `tsbox-test-${process.pid}-${Scene.#count++}`;
  readonly dir = mkdtempSync(join(tmpdir(), `${this.name}-`));
  readonly cgroup: string;
  readonly v1: readonly string[];
  readonly #pids: Array<{ pid: number; start: string }> = [];
  readonly #mounts: string[] = [];

  constructor() {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => line.split(' '));
    const at = (type: string, option: string): string | undefined =>
      mounts.find((f) => f[f.indexOf('-') + 1] === type && (f.at(-1) ?? '').split(',').includes(option))?.[4];
    const unified = at('cgroup2', 'rw');
    if (!unified) throw new Error('no cgroup2 mount');
    this.cgroup = join(unified, this.name);
    this.v1 = ['pids', 'memory', 'freezer'].flatMap((c) => at('cgroup', c) ?? []).map((dir) => join(dir, this.name));
    for (const dir of [this.cgroup, ...this.v1]) mkdirSync(dir);
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  track(pid: number): number {
    try {
      this.#pids.push({ pid, start: startTime(pid) });
    } catch {
      // Already gone.
    }
    return pid;
  }

  trackMount(path: string): void {
    this.#mounts.push(path);
  }

  async close(): Promise<void> {
    for (const { pid, start } of this.#pids) {
      try {
        if (startTime(pid) === start) process.kill(pid, 'SIGKILL');
      } catch {
        // Already gone.
      }
    }
    writeFileSync(join(this.cgroup, 'cgroup.kill'), '1');
    for (const path of this.#mounts) await run('umount', ['-l', path]);
    for (const dir of [this.cgroup, ...this.v1]) {
      await until(`${dir} to empty`, () => {
        try {
          for (const e of readdirSync(dir, { withFileTypes: true })) if (e.isDirectory()) rmdirSync(join(dir, e.name));
          rmdirSync(dir);
          return true;
        } catch {
          return !existsSync(dir);
        }
      });
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export interface Outcome {
  readonly report: InitReport;
  readonly text: string;
  readonly child: ChildProcess;
  readonly exit: Promise<number>;
  readonly stdout: () => string;
}

/** Resolves when the report pipe is closed. */
export async function init(
  scene: Scene,
  spec: InitSpec | Uint8Array,
  stdio: 'ignore' | 'pipe' = 'ignore',
  stdin?: string,
): Promise<Outcome> {
  const file = scene.path(`spec-${Math.random().toString(36).slice(2)}`);
  writeFileSync(file, spec instanceof Uint8Array ? spec : encodeInitSpec(spec));
  const fd = openSync(file, 'r');
  const child = spawn(INIT, [], {
    argv0: 'tsbox'.padEnd(64),
    stdio: [stdio, stdio, stdio, fd, 'pipe'] as StdioOptions,
  });
  closeSync(fd);
  if (child.pid) scene.track(child.pid);
  let text = '';
  let out = '';
  child.stdout?.on('data', (d: Buffer) => (out += d.toString()));
  child.stderr?.on('data', (d: Buffer) => (out += d.toString()));
  if (stdin !== undefined) child.stdin?.end(stdin);
  const exit = new Promise<number>((done) => child.on('close', (code, signal) => done(code ?? (signal ? -1 : -2))));
  const pipe = child.stdio[4] as NodeJS.ReadableStream;
  pipe.on('data', (d: Buffer) => (text += d.toString()));
  await new Promise((done) => pipe.on('close', done));
  const report = parseReport(text);
  if (report.ok && report.fields['pid'] && report.fields['pid'] !== '0') scene.track(Number(report.fields['pid']));
  return { report, text, child, exit, stdout: () => out };
}

export async function run(command: string, args: readonly string[]): Promise<{ code: number; out: string }> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  child.stdout.on('data', (d: Buffer) => (out += d.toString()));
  child.stderr.on('data', (d: Buffer) => (out += d.toString()));
  const code = await new Promise<number>((done) => {
    child.on('close', (c) => done(c ?? -1));
    child.on('error', () => done(-1));
  });
  return { code, out };
}

export const capMask = (...caps: number[]): bigint => caps.reduce((mask, cap) => mask | (1n << BigInt(cap)), 0n);

/** Docker's default set. */
const DEFAULT_CAPS = capMask(0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31);
export const NO_CAPS: CapabilitySets = { bounding: 0n, permitted: 0n, effective: 0n, inheritable: 0n, ambient: 0n };
const CAPS: CapabilitySets = { ...NO_CAPS, bounding: DEFAULT_CAPS, permitted: DEFAULT_CAPS, effective: DEFAULT_CAPS };

export function processSpec(argv: readonly string[], more: Partial<ProcessSpec> = {}): ProcessSpec {
  return {
    argv,
    env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root'],
    cwd: '/',
    uid: 0,
    gid: 0,
    groups: [],
    umask: 0o22,
    capabilities: CAPS,
    noNewPrivs: true,
    seccomp: new Uint8Array(),
    ...more,
  };
}

export function namespaces(more: Partial<NamespaceSetup> = {}): NamespaceSetup {
  return {
    create: ['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup'],
    join: [],
    uidMap: '',
    gidMap: '',
    setgroups: 'allow',
    timeOffsets: '',
    hostname: 'box',
    domainname: '',
    ...more,
  };
}

const DEVICES: ReadonlyArray<readonly [string, number, number]> = [
  ['null', 1, 3],
  ['zero', 1, 5],
  ['full', 1, 7],
  ['random', 1, 8],
  ['urandom', 1, 9],
  ['tty', 5, 0],
];

/** The host's root read-only, with a container's usual mounts. */
export function rootOps(options: { bindDevices?: boolean; extra?: readonly RootOp[] } = {}): RootOp[] {
  const safe = { nosuid: true, nodev: true, noexec: true };
  const devices = DEVICES.map(([name, major, minor]): RootOp => {
    const target = `/dev/${name}`;
    return options.bindDevices
      ? { op: 'bind-device', source: target, target, type: 'c', major, minor }
      : { op: 'mknod', target, type: 'c', major, minor, mode: 0o666 };
  });
  return [
    { op: 'root-bind', source: '/', recursive: false, ro: true },
    { op: 'mount', fstype: 'proc', target: '/proc', options: [], create: 'none', ...safe },
    {
      op: 'mount',
      fstype: 'tmpfs',
      target: '/dev',
      options: ['mode=755', 'size=64k'],
      create: 'none',
      nosuid: true,
      noexec: true,
    },
    ...devices,
    {
      op: 'mount',
      fstype: 'devpts',
      target: '/dev/pts',
      options: ['newinstance', 'ptmxmode=0666', 'mode=620', 'gid=5'],
      create: 'dir',
      nosuid: true,
      noexec: true,
    },
    { op: 'symlink', target: '/dev/ptmx', to: 'pts/ptmx' },
    { op: 'symlink', target: '/dev/fd', to: '/proc/self/fd' },
    { op: 'symlink', target: '/dev/stdout', to: '/proc/self/fd/1' },
    { op: 'mount', fstype: 'tmpfs', target: '/dev/shm', options: ['mode=1777', 'size=64m'], create: 'dir', ...safe },
    { op: 'mount', fstype: 'mqueue', target: '/dev/mqueue', options: [], create: 'dir', ...safe },
    { op: 'mount', fstype: 'sysfs', target: '/sys', options: [], create: 'none', ro: true, ...safe },
    { op: 'mount', fstype: 'tmpfs', target: '/tmp', options: ['mode=1777'], create: 'none', nosuid: true, nodev: true },
    ...(options.extra ?? []),
    { op: 'mask', target: '/proc/kcore' },
    { op: 'mask', target: '/sys/firmware' },
    { op: 'mask', target: '/proc/scsi' },
    { op: 'readonly', target: '/proc/sys' },
    { op: 'readonly', target: '/proc/no-such-thing' },
    { op: 'root-readonly' },
  ];
}

export const policy = (more: Partial<RestartPolicy> = {}): RestartPolicy => ({
  policy: 'no',
  max: 0,
  backoffMs: 50,
  backoffMaxMs: 400,
  stopSignal: 15,
  graceMs: 2000,
  ...more,
});

export const RUN = 'trusted.tsbox.run';
export const POLICY = 'trusted.tsbox.policy';

/** The container lives in SCENE/box, the supervisor stays in the caller's groups. */
export function supervise(scene: Scene, argv: readonly string[], more: Partial<SuperviseSpec> = {}): SuperviseSpec {
  const leaf = join(scene.cgroup, 'box');
  mkdirSync(leaf, { recursive: true });
  return {
    mode: 'supervise',
    title: `tsbox: test/${scene.name}`,
    labelDir: leaf,
    runXattr: RUN,
    policyXattr: POLICY,
    healthXattr: 'trusted.tsbox.health',
    probeXattr: 'trusted.tsbox.probe',
    historyXattr: 'trusted.tsbox.history',
    mailbox: scene.path('mailbox'),
    supervisorProcs: [],
    cgroup: leaf,
    cgroupProcs: scene.v1.map((dir) => join(dir, 'cgroup.procs')),
    namespaces: namespaces(),
    root: rootOps(),
    process: processSpec(argv),
    log: { path: scene.path('log'), maxBytes: 1 << 20, files: 3 },
    policy: policy(),
    adopt: null,
    ...more,
  };
}

export function execIn(pid: number, argv: readonly string[], more: Partial<ExecSpec> = {}): ExecSpec {
  const start = startTime(pid);
  const join_ = (['cgroup', 'net', 'ipc', 'uts', 'mnt', 'pid'] as const).map((type) => ({
    type,
    path: `/proc/${pid}/ns/${type}`,
    startTime: start,
  }));
  return {
    mode: 'exec',
    title: 'tsbox: exec',
    cgroup: '',
    cgroupProcs: [],
    namespaces: namespaces({ create: [], join: join_ }),
    process: processSpec(argv),
    tty: false,
    ...more,
  };
}

export function pin(type: PinSpec['type'], target: string, more: Partial<NamespaceSetup> = {}): PinSpec {
  return {
    mode: 'pin',
    title: 'tsbox: pin',
    type,
    target,
    cgroupProcs: [],
    namespaces: namespaces({ create: [type], hostname: '', ...more }),
  };
}

const PYTHON = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';

/** An extended attribute as text. Node has no call for it, and the addon is not to be needed here. */
export async function xattr(dir: string, name: string): Promise<string> {
  const script = 'import os,sys; sys.stdout.write(os.getxattr(sys.argv[1], sys.argv[2]).decode())';
  return (await run(PYTHON, ['-c', script, dir, name])).out;
}

export async function setXattr(dir: string, name: string, value: string): Promise<void> {
  const script = 'import os,sys; os.setxattr(sys.argv[1], sys.argv[2], sys.argv[3].encode())';
  const { code, out } = await run(PYTHON, ['-c', script, dir, name, value]);
  if (code !== 0) throw new Error(out);
}
