/** Steps on cgroup directories: make, evict, enter, remove. */
import { TsboxError } from '../../errors.ts';
import { EBUSY, ENODEV, ENOENT, ENOTDIR, ESRCH, refused } from '../../kernel/kernel.ts';
import { parsePids } from '../../kernel/proc.ts';
import { describeProcesses } from '../../resources/processes.ts';
import { directoryIn } from '../../resources/scope.ts';
import type { Step } from '../../resources/step.ts';
import { allDirectories, primaryDirectory, type ExecutionContext } from '../context.ts';
import { writeLabel } from '../labels.ts';
import { readRun } from '../run-state.ts';
import { enableControllers } from './controllers.ts';

type Of<Op extends Step['op']> = Extract<Step, { op: Op }>;

/**
 * Makes the directory in every hierarchy, the primary one first: its label is what finds the others again. Controllers
 * are enabled above it on v2 before, top-down, and verified.
 */
export function makeCgroup(context: ExecutionContext, step: Of<'cgroup-make'>): void {
  const { kernel } = context;
  enableControllers(context, step.path, step.controllers);
  const directories = allDirectories(context, step.path);
  const primary = directories.find((d) => d.mount === kernel.layout.primary?.mount);
  if (primary === undefined) {
    return;
  }
  kernel.makeDirs([primary.dir]);
  writeLabel(context, step.path, step.label);
  const others = directories.filter((d) => d !== primary);
  for (const other of others) {
    makeWithAncestors(context, other.mount, step.path);
  }
}

/** Makes our root, the stack's directory and every level down to `path` in one hierarchy. */
export function makeWithAncestors(context: ExecutionContext, mount: string, path: string): void {
  const { kernel, stackName } = context;
  if (path.startsWith('/')) {
    // Below an adopted cgroup: it may stand in some hierarchies only, and what is above it is not ours to make.
    const parent = `${mount}${path.slice(0, path.lastIndexOf('/'))}`;
    if (typeof kernel.stats([parent])[0] === 'object') {
      kernel.makeDirs([`${mount}${path}`]);
      if (kernel.layout.byController.get('cpuset')?.mount === mount) {
        fillCpuset(context, parent, `${mount}${path}`);
      }
    }
    return;
  }
  const full = directoryIn('', kernel.settings.cgroupRoot, stackName, path);
  const parts = full.split('/').filter((p) => p !== '');
  const levels = parts.map((_, i) => `${mount}/${parts.slice(0, i + 1).join('/')}`);
  const cpuset = kernel.layout.byController.get('cpuset');
  if (cpuset?.version === 1 && cpuset.mount === mount) {
    for (const [i, level] of levels.entries()) {
      if (!context.cache.directories.has(level)) {
        kernel.makeDirs([level]);
        fillCpuset(context, i === 0 ? mount : (levels[i - 1] ?? mount), level);
      }
    }
  } else {
    kernel.makeDirs(levels.filter((l) => !context.cache.directories.has(l)));
  }
  // The last level may be removed and made again in one run (a replacement); those above it stay.
  levels.slice(0, -1).forEach((l) => context.cache.directories.add(l));
}

/** A v1 cpuset takes no process while its lists are empty (cpusets.rst): they start as the parent's. */
function fillCpuset(context: ExecutionContext, parent: string, dir: string): void {
  const names = ['cpuset.cpus', 'cpuset.mems'];
  const own = context.kernel.readFiles(names.map((n) => `${dir}/${n}`));
  const above = context.kernel.readFiles(names.map((n) => `${parent}/${n}`));
  names.forEach((name, i) => {
    const inherited = above[i];
    if (own[i] === '\n' && typeof inherited === 'string') {
      context.kernel.write([{ path: `${dir}/${name}`, data: inherited.trim() }]);
    }
  });
}

/** Moves processes that are not ours to the root of each hierarchy they are in here; the v2 and v1 roots take any. */
export function evict(context: ExecutionContext, step: Of<'evict'>): void {
  for (const { dir, mount } of allDirectories(context, step.path)) {
    const text = context.kernel.readFiles([`${dir}/cgroup.procs`])[0];
    const inside = new Set(typeof text === 'string' ? parsePids(text) : []);
    for (const pid of step.pids.filter((p) => inside.has(p))) {
      const result = context.kernel.tryWrite(`${mount}/cgroup.procs`, String(pid));
      if (result !== 0 && result !== -ESRCH) {
        throw refused('write', `${mount}/cgroup.procs`, result, String(pid));
      }
    }
  }
}

/** Moves a container's process (back) into its leaf in every hierarchy; one that came after it has started there. */
export function enter(context: ExecutionContext, step: Of<'enter'>): void {
  const { kernel } = context;
  const run = readRun(context, step.path);
  const process = run?.pid === step.pid ? kernel.openProcess(step.pid, run.startTime) : undefined;
  if (process === undefined) {
    return;
  }
  try {
    for (const { dir } of allDirectories(context, step.path)) {
      const result = kernel.tryWrite(`${dir}/cgroup.procs`, String(step.pid));
      if (result !== 0 && result !== -ESRCH) {
        throw refused('write', `${dir}/cgroup.procs`, result, String(step.pid));
      }
    }
  } finally {
    kernel.close(process);
  }
}

const REMOVE_TIMEOUT = 10_000;

/** Kills what is inside (when told to) and removes the directory from every hierarchy, the primary one last. */
export async function removeCgroup(context: ExecutionContext, step: Of<'cgroup-remove'>): Promise<void> {
  const directories = allDirectories(context, step.path);
  if (step.kill) {
    await killAll(context, step.path);
  }
  const primary = primaryDirectory(context, step.path);
  const ordered = [...directories.filter((d) => d.dir !== primary), ...directories.filter((d) => d.dir === primary)];
  for (const { dir } of ordered) {
    await removeDirectory(context, dir, step.kill);
  }
}

/** rmdir(2) is EBUSY for a moment after the last process is gone; cgroups a container made below go first. */
export async function removeDirectory(
  context: ExecutionContext,
  dir: string,
  recursive: boolean,
  timeoutMs = REMOVE_TIMEOUT,
): Promise<void> {
  const { kernel } = context;
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const walked = recursive ? kernel.walkDirs(dir, 10_000) : undefined;
    const below = Array.isArray(walked) ? walked.filter((d) => d.path !== '').map((d) => `${dir}/${d.path}`) : [];
    const results = kernel.removeDirs([...below.reverse(), dir]);
    const last = results.at(-1) ?? 0;
    if (last === 0 || last === -ENOENT || last === -ENODEV) {
      return;
    }
    if (last !== -EBUSY && last !== -ENOTDIR) {
      throw refused('rmdir', dir, last);
    }
    if (Date.now() > deadline) {
      throw stuck(context, dir);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function stuck(context: ExecutionContext, dir: string): TsboxError {
  const text = context.kernel.readFiles([`${dir}/cgroup.procs`])[0];
  const pids = typeof text === 'string' ? parsePids(text) : [];
  const names = describeProcesses(context.kernel, pids.slice(0, 10)).map((p) => p.text);
  const walked = context.kernel.walkDirs(dir, 100);
  const children = Array.isArray(walked) ? walked.filter((d) => d.path !== '').map((d) => d.path) : [];
  const what = [...names, ...children.map((c) => `cgroup ${c}`)].join(', ');
  return new TsboxError('TSB3008', `${dir} cannot be removed: it still holds ${what === '' ? 'something' : what}`, {
    hint: 'what tsbox did not make it does not remove: move it away and apply again',
  });
}

/** How long v1 gets to freeze what is to be killed, ms: without, the killing is only tried more often. */
const KILL_FREEZE_TIMEOUT = 1000;

/** Kills a whole subtree: cgroup.kill where there is one, else freeze, signal all, thaw, until nobody is left. */
export async function killAll(context: ExecutionContext, path: string): Promise<void> {
  const { kernel } = context;
  const primary = primaryDirectory(context, path);
  const freezer = allDirectories(context, path).find((d) => d.version === 1 && d.controllers.includes('freezer'));
  if (kernel.layout.primary?.version === 2) {
    const result = kernel.tryWrite(`${primary}/cgroup.kill`, '1');
    if (result === 0) {
      // What the v1 freezer of a hybrid machine holds dies only when it lets go.
      if (freezer !== undefined) {
        kernel.tryWrite(`${freezer.dir}/freezer.state`, 'THAWED');
      }
      await kernel.waitFile(`${primary}/cgroup.events`, 'populated 0', REMOVE_TIMEOUT);
    } else if (result !== -ENOENT) {
      throw refused('write', `${primary}/cgroup.kill`, result, '1');
    }
  }
  const deadline = Date.now() + REMOVE_TIMEOUT;
  for (;;) {
    if (membersBelow(context, path).length === 0) {
      return;
    }
    if (freezer !== undefined) {
      // Children that are forked meanwhile are frozen too, so the list read afterwards is complete.
      kernel.tryWrite(`${freezer.dir}/freezer.state`, 'FROZEN');
      await kernel.waitFile(`${freezer.dir}/freezer.state`, 'FROZEN', KILL_FREEZE_TIMEOUT);
    }
    for (const { pid, startTime } of membersBelow(context, path)) {
      const fd = kernel.openProcess(pid, startTime);
      if (fd !== undefined) {
        kernel.signal(fd, 9);
        kernel.close(fd);
      }
    }
    if (freezer !== undefined) {
      kernel.tryWrite(`${freezer.dir}/freezer.state`, 'THAWED');
    }
    if (Date.now() > deadline) {
      throw stuck(context, primary);
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Processes in the cgroup and below, in any hierarchy, zombies left out. */
export function membersBelow(context: ExecutionContext, path: string): Array<{ pid: number; startTime: string }> {
  const { kernel } = context;
  const files = allDirectories(context, path).flatMap(({ dir }) => {
    const walked = kernel.walkDirs(dir, 10_000);
    return Array.isArray(walked) ? walked.map((d) => `${d.path === '' ? dir : `${dir}/${d.path}`}/cgroup.procs`) : [];
  });
  const pids = new Set<number>();
  for (const text of kernel.readFiles(files)) {
    for (const pid of typeof text === 'string' ? parsePids(text) : []) {
      pids.add(pid);
    }
  }
  const list = [...pids];
  return kernel.readFiles(list.map((p) => `/proc/${p}/stat`)).flatMap((text, i) => {
    if (typeof text !== 'string') {
      return [];
    }
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? [] : [{ pid: list[i] ?? 0, startTime: fields[19] ?? '' }];
  });
}
