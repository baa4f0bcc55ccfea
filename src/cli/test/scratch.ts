/** A place of its own for the tests of one file: cgroup root, run and state directory, removed with all that is in it. */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { TsboxError, whyOf } from '../../errors.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { parseMountInfo, parsePids } from '../../kernel/proc.ts';
import { MAX_DIRECTORIES } from '../../kernel/reader.ts';
import { settingsFrom } from '../../kernel/settings.ts';
import { readStats } from '../../resources/processes.ts';

export interface Scratch {
  readonly env: NodeJS.ProcessEnv;
  /** Names of stacks that may have something in it, the latest last. */
  readonly stacks: Set<string>;
}

/** How to find what is in them when nobody removes it any more; undefined where nothing was made. */
export function whereabouts(scratches: readonly Scratch[]): string | undefined {
  const used = scratches.filter((s) => s.stacks.size > 0).at(-1);
  const names = ['TSBOX_CGROUP_ROOT', 'TSBOX_RUN_DIR', 'TSBOX_STATE_DIR', 'TSBOX_INSTALLATION'] as const;
  return (
    used && `${names.map((n) => `${n}=${used.env[n]}`).join(' ')} tsbox destroy --stack ${[...used.stacks].at(-1)}`
  );
}

const SIGKILL = 9;

/** Beside the places that the settings name: on the same file systems, and seen by no stack. */
export function scratch(): Scratch {
  const { cgroupRoot, runDir, stateDir } = settingsFrom(process.env);
  const id = `test-${process.pid}-${randomBytes(4).toString('hex')}`;
  const env = {
    ...process.env,
    TSBOX_CGROUP_ROOT: `${cgroupRoot}-${id}`,
    TSBOX_RUN_DIR: `${runDir}-${id}`,
    TSBOX_STATE_DIR: `${stateDir}-${id}`,
    // Made from the state directory: what a stack adopts is not taken from the installation that has it.
    TSBOX_INSTALLATION: '',
  };
  return { env, stacks: new Set() };
}

/** The directories, made before the first apply: nobody else may have put one in their place. */
export function makeScratch({ env }: Scratch): void {
  const { runDir, stateDir } = settingsFrom(env);
  for (const directory of [runDir, stateDir]) {
    mkdirSync(directory, { mode: 0o711 });
    chmodSync(directory, 0o711);
  }
}

/**
 * Destroys the stacks, the latest first, ends whatever still lives in the cgroups and removes the directories.
 * @returns what could not be removed
 */
export async function removeScratch({ env, stacks }: Scratch): Promise<TsboxError[]> {
  const { runDir, stateDir } = settingsFrom(env);
  const left: TsboxError[] = [];
  if (stacks.size > 0) {
    const { openKernel } = await import('../../kernel/kernel.ts');
    const { destroyAll } = await import('./apply.ts');
    const kernel = openKernel(env);
    for (const name of [...stacks].reverse()) {
      left.push(...(await destroyAll(kernel, name)));
    }
    left.push(...(await removeCgroups(kernel)));
  }
  const mounts = parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8')).map((m) => m.target);
  for (const directory of [runDir, stateDir].filter((d) => existsSync(d))) {
    const mounted = mounts.find((m) => m.startsWith(`${directory}/`));
    try {
      if (mounted !== undefined) {
        throw new Error(`something is mounted on ${mounted}, and would be emptied with it`);
      }
      rmSync(directory, { recursive: true });
    } catch (cause) {
      const why = whyOf(cause);
      left.push(new TsboxError('TSB3008', `${directory} could not be removed: ${why}`, { subject: directory, cause }));
    }
  }
  return left;
}

/** Containers that a stack forgot run on: here nothing does. */
async function removeCgroups(kernel: Kernel): Promise<TsboxError[]> {
  const left: TsboxError[] = [];
  for (const { mount } of kernel.layout.hierarchies) {
    const root = `${mount}${kernel.settings.cgroupRoot}`;
    const found = kernel.walkDirs(root, MAX_DIRECTORIES);
    const directories = (typeof found === 'number' ? [] : found).map((d) =>
      d.path === '' ? root : `${root}/${d.path}`,
    );
    await endAll(kernel, directories);
    kernel.removeDirs([...directories].reverse());
    if (typeof kernel.stats([root])[0] === 'object') {
      left.push(new TsboxError('TSB3008', `the cgroup ${root} could not be removed`, { subject: root }));
    }
  }
  return left;
}

async function endAll(kernel: Kernel, directories: readonly string[]): Promise<void> {
  const texts = kernel.readFiles(directories.map((d) => `${d}/cgroup.procs`));
  const pids = texts.flatMap((t) => (typeof t === 'string' ? parsePids(t) : []));
  const stats = readStats(kernel, pids);
  await Promise.all(
    pids.map(async (pid, i) => {
      const fd = kernel.openProcess(pid, stats[i]?.startTime ?? '');
      if (fd !== undefined) {
        kernel.signal(fd, SIGKILL);
        await kernel.waitProcess(fd, 5000);
        kernel.close(fd);
      }
    }),
  );
}
