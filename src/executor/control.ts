/** Acting on what runs, once and by order: freezing, thawing, signals, the end of whole subtrees. */
import { TsboxError } from '../errors.ts';
import { parseStat } from '../kernel/proc.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { readScope } from '../resources/scope.ts';
import { allDirectories, primaryDirectory, type ExecutionContext } from './context.ts';
import { byHand } from './lifecycle.ts';
import { readOrEmpty } from './read.ts';
import { killAll, membersBelow } from './steps/cgroup.ts';
import { setFrozen, thawedAbove } from './steps/freezer.ts';

/** How long a thaw may take to show, and a supervisor to end, ms. */
const THAW_TIMEOUT = 10_000;
const SUPERVISOR_TIMEOUT = 15_000;

const SIGTERM = 15;

/** Freezes a cgroup and everything below, and waits until the kernel says that all of it stands still. */
export async function freeze(context: ExecutionContext, path: string): Promise<void> {
  await setFrozen(context, { op: 'freeze', path, frozen: true });
}

/**
 * Thaws a cgroup and waits until it runs.
 * @returns the path of the frozen ancestor that keeps it from running, if there is one
 */
export async function thaw(context: ExecutionContext, path: string): Promise<string | undefined> {
  await setFrozen(context, { op: 'freeze', path, frozen: false });
  const deadline = Date.now() + THAW_TIMEOUT;
  while (isFrozen(context, path)) {
    const ancestor = frozenAbove(context, path);
    if (ancestor !== undefined) {
      return ancestor;
    }
    if (Date.now() > deadline) {
      throw new TsboxError('TSB3008', `${path} does not thaw: the kernel still says frozen`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return undefined;
}

/** True when the kernel says that the cgroup stands still, whoever ordered it. */
export function isFrozen(context: ExecutionContext, path: string): boolean {
  return allDirectories(context, path).some(({ dir, version, controllers }) => {
    if (version === 2) {
      return readOrEmpty(context.kernel.readFiles([`${dir}/cgroup.events`])).includes('frozen 1');
    }
    return (
      controllers.includes('freezer') &&
      readOrEmpty(context.kernel.readFiles([`${dir}/freezer.state`])).trim() !== 'THAWED' &&
      readOrEmpty(context.kernel.readFiles([`${dir}/freezer.state`])) !== ''
    );
  });
}

function frozenAbove(context: ExecutionContext, path: string): string | undefined {
  const parts = path.split('/');
  const above = parts
    .slice(0, -1)
    .map((_, i) => parts.slice(0, i + 1).join('/'))
    .filter((p) => p !== '');
  return above.find((p) =>
    allDirectories(context, p).some(({ dir, version, controllers }) => {
      const file =
        version === 2 ? 'cgroup.freeze' : controllers.includes('freezer') ? 'freezer.self_freezing' : undefined;
      return file !== undefined && readOrEmpty(context.kernel.readFiles([`${dir}/${file}`])).trim() === '1';
    }),
  );
}

/** Signals one process that has this start time. Throws TSB2004 when it is gone. */
export function signalProcess(kernel: Kernel, pid: number, startTime: string, signal: number): void {
  const fd = pid === 0 ? undefined : kernel.openProcess(pid, startTime);
  if (fd === undefined) {
    throw new TsboxError('TSB2004', 'it is not running');
  }
  const sent = kernel.signal(fd, signal);
  kernel.close(fd);
  if (!sent) {
    throw new TsboxError('TSB2004', 'it ended just now');
  }
}

/** Signals every process in the cgroup and below that is there now. Returns how many took it. */
export function signalAll(context: ExecutionContext, path: string, signal: number): number {
  let count = 0;
  for (const { pid, startTime } of membersBelow(context, path)) {
    const fd = context.kernel.openProcess(pid, startTime);
    if (fd !== undefined) {
      count += context.kernel.signal(fd, signal) ? 1 : 0;
      context.kernel.close(fd);
    }
  }
  return count;
}

/**
 * Ends every process of a subtree in one act (cgroup.kill; on v1 everything is frozen first, so that nobody forks away),
 * and their supervisors before, so that none is started again. Returns the containers that were ended.
 */
export async function killSubtree(context: ExecutionContext, path: string): Promise<string[]> {
  const { kernel, stackName } = context;
  const inside = [...readScope(kernel, stackName).byAddress].filter(
    ([address, e]) => address.startsWith('container/') && (e.path === path || e.path.startsWith(`${path}/`)),
  );
  const supervisors = inside.flatMap(([, e]) => {
    const run = e.run;
    const fd =
      run === undefined || run.supervisor === 0
        ? undefined
        : kernel.openProcess(run.supervisor, run.supervisorStartTime);
    return fd === undefined ? [] : [fd];
  });
  const running = inside.filter(([, e]) => {
    const stat = readOrEmpty(kernel.readFiles([`/proc/${e.run?.pid ?? 0}/stat`]));
    return parseStat(stat)?.startTime === e.run?.startTime && e.run !== undefined;
  });
  const paths = inside.map(([, e]) => e.path);
  try {
    await byHand(context, paths, async () => {
      supervisors.forEach((fd) => kernel.signal(fd, SIGTERM));
      await thawedAbove(context, path, () => killAll(context, path));
      await Promise.all(supervisors.map((fd) => kernel.waitProcess(fd, SUPERVISOR_TIMEOUT)));
      // A supervisor that was just starting its container again may have been overtaken.
      await killAll(context, path);
    });
  } finally {
    supervisors.forEach((fd) => kernel.close(fd));
  }
  return running.map(([address]) => address);
}

/** Directory of the target, for messages. */
export function cgroupOf(context: ExecutionContext, path: string): string {
  return primaryDirectory(context, path).slice((context.kernel.layout.primary?.mount ?? '').length);
}
