/** Containers stopped, started again and waited for by order of a person; what they are stays as it was applied. */
import { TsboxError } from '../errors.ts';
import type { RunState } from '../kernel/run-state.ts';
import { parseStatus, type ProcStatus } from '../kernel/proc.ts';
import { isAlive, readStats } from '../resources/processes.ts';
import { POLICY_XATTR } from '../resources/label.ts';
import type { ScopeEntry } from '../resources/scope.ts';
import { primaryDirectory, type ExecutionContext } from './context.ts';
import { readLabel, writeLabel } from './labels.ts';
import { readRun } from './run-state.ts';
import { thawedAbove } from './steps/freezer.ts';
import { stopContainer } from './steps/container.ts';

const SIGHUP = 1;
const SIGKILL = 9;
const SIGTERM = 15;

/** What an end, and a supervisor after it, may take beyond the grace, ms. */
const MARGIN = 10_000;

interface Member {
  readonly address: string;
  readonly entry: ScopeEntry;
}

/**
 * Containers in the order in which they stop: whoever depends on another before it, as their labels say; those of one
 * group side by side.
 */
export function stopOrder<T extends Member>(members: readonly T[]): T[][] {
  const groups: T[][] = [];
  let left = [...members];
  while (left.length > 0) {
    const needed = new Set(left.flatMap((m) => m.entry.label?.needs ?? []));
    const free = left.filter((m) => !needed.has(m.address));
    // Labels of different times may need each other in a circle: then any order is as good as another.
    groups.push(free.length === 0 ? left : free);
    left = free.length === 0 ? [] : left.filter((m) => !free.includes(m));
  }
  return groups;
}

/** The same for starting. */
export function startOrder<T extends Member>(members: readonly T[]): T[][] {
  return stopOrder(members).reverse();
}

/** True while the container's process is there. */
export function isRunning(context: ExecutionContext, run: RunState | undefined): run is RunState {
  return run !== undefined && run.pid > 0 && isAlive(readStats(context.kernel, [run.pid])[0], run.startTime);
}

function isSupervised(context: ExecutionContext, run: RunState): boolean {
  return run.supervisor > 0 && isAlive(readStats(context.kernel, [run.supervisor])[0], run.supervisorStartTime);
}

/**
 * Stops a container by its own signal and grace, or the given one, ms.
 * @returns false when there was nothing to stop
 */
export async function stopNow(context: ExecutionContext, path: string, graceMs: number | undefined): Promise<boolean> {
  const run = readRun(context, path);
  if (run === undefined || !(isRunning(context, run) || isSupervised(context, run))) {
    return false;
  }
  await byHand(context, [path], () =>
    withPolicy(
      context,
      path,
      (text) => withGrace(text, graceMs),
      () => stopContainer(context, { op: 'stop', path }),
    ),
  );
  return true;
}

/** Ends containers and leaves on each that a person did: whoever finds it stopped meanwhile leaves it so, if it may. */
export async function byHand(
  context: ExecutionContext,
  paths: readonly string[],
  end: () => Promise<void>,
): Promise<void> {
  const mark = (stopped: number | undefined): void => {
    for (const path of paths) {
      const label = readLabel(context, path);
      if (label !== undefined) {
        writeLabel(context, path, { address: label.address, stopped });
      }
    }
  };
  mark(Date.now());
  try {
    await end();
  } catch (error) {
    mark(undefined);
    throw error;
  }
}

function withGrace(policy: string, graceMs: number | undefined): string {
  return graceMs === undefined ? policy : policy.replace(/\bgrace=\d+/, `grace=${graceMs}`);
}

/** Does something while the supervisor goes by another policy; the one that was applied comes back after. */
async function withPolicy(
  context: ExecutionContext,
  path: string,
  change: (policy: string) => string,
  body: () => Promise<void>,
): Promise<void> {
  const { kernel } = context;
  const dir = primaryDirectory(context, path);
  const before = kernel.getXattrs([dir], POLICY_XATTR)[0];
  const changed = typeof before === 'string' ? change(before) : before;
  if (typeof before !== 'string' || typeof changed !== 'string' || changed === before) {
    return body();
  }
  kernel.setXattr(dir, POLICY_XATTR, changed);
  tell(context, path);
  try {
    await body();
  } finally {
    kernel.setXattr(dir, POLICY_XATTR, before);
    tell(context, path);
  }
}

/** Makes the supervisor, if there is one, read its policy. */
function tell({ kernel, ...rest }: ExecutionContext, path: string): void {
  const run = readRun({ kernel, ...rest }, path);
  const fd = run === undefined ? undefined : kernel.openProcess(run.supervisor, run.supervisorStartTime);
  if (fd !== undefined) {
    kernel.signal(fd, SIGHUP);
    kernel.close(fd);
  }
}

/**
 * Ends the running process of a container by its stop signal, then lets its supervisor start it again: the same cgroup,
 * the same description, whatever the restart policy says. Works without the stack file.
 * @throws TsboxError TSB2004 when nothing runs, or nobody supervises it; TSB3002 when it does not come back
 */
export async function restartNow(
  context: ExecutionContext,
  path: string,
  graceMs: number | undefined,
): Promise<{ readonly pid: number }> {
  const run = readRun(context, path);
  if (!isRunning(context, run)) {
    throw new TsboxError('TSB2004', 'it is not running', { hint: 'tsbox start starts it' });
  }
  if (!isSupervised(context, run)) {
    throw new TsboxError('TSB2004', 'it has no supervisor to start it again', { hint: 'tsbox apply puts one back' });
  }
  let after: RunState | undefined;
  await thawedAbove(context, path, () =>
    withPolicy(context, path, atOnce, async () => {
      const stop = readLabel(context, path)?.stop;
      await endProcess(context, run, stop?.signal ?? SIGTERM, graceMs ?? stop?.graceMs ?? 10_000);
      after = await nextRun(context, path, run);
    }),
  );
  if (after === undefined || after.pid === 0) {
    throw new TsboxError('TSB3002', 'it did not come back', {
      hint: 'tsbox logs shows what it said; tsbox plan what is left to do',
    });
  }
  return { pid: after.pid };
}

/** A policy by which the supervisor starts its container again as soon as it has ended. */
function atOnce(policy: string): string {
  return policy
    .replace(/\brestart=\S+/, 'restart=always')
    .replace(/\bmax=\d+/, 'max=0')
    .replace(/\bbackoff=\d+/, 'backoff=1')
    .replace(/\bbackoff_max=\d+/, 'backoff_max=1');
}

/** Ends a process by its signal, and by SIGKILL after the grace, ms, or at once where the signal is in vain. */
async function endProcess({ kernel }: ExecutionContext, run: RunState, signal: number, graceMs: number): Promise<void> {
  const fd = kernel.openProcess(run.pid, run.startTime);
  if (fd === undefined) {
    return;
  }
  try {
    const status = kernel.readFiles([`/proc/${run.pid}/status`])[0];
    const inVain = typeof status === 'string' && dropsSignal(parseStatus(status), signal);
    const ended = kernel.signal(fd, signal) && !inVain && (await kernel.waitProcess(fd, graceMs));
    if (!ended && kernel.signal(fd, SIGKILL)) {
      await kernel.waitProcess(fd, MARGIN);
    }
  } finally {
    kernel.close(fd);
  }
}

/** The first process of a pid namespace gets no signal that it has no handler for: man 7 pid_namespaces. */
function dropsSignal(status: ProcStatus, signal: number): boolean {
  const numbers = (status.get('NSpid') ?? '').split(/\s+/);
  const caught = (BigInt(`0x${status.get('SigCgt') ?? '0'}`) >> BigInt(signal - 1)) & 1n;
  return numbers.length > 1 && numbers.at(-1) === '1' && caught === 0n;
}

/** The state after another process has been started; undefined when none has in time. */
async function nextRun(context: ExecutionContext, path: string, before: RunState): Promise<RunState | undefined> {
  for (const deadline = Date.now() + MARGIN; Date.now() < deadline;) {
    const run = readRun(context, path);
    const another = run !== undefined && run.pid > 0 && run.startTime !== before.startTime;
    if (another && run.state === 'running') {
      return run;
    }
    if (run === undefined || !isSupervised(context, run)) {
      return undefined;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return undefined;
}

export interface Ended {
  /** As a shell has it: the exit code, or 128 and the signal; null when nobody knows. */
  readonly code: number | null;
  readonly signal: number;
}

/** How the last run of a container ended. */
export function endOf(run: RunState): Ended {
  return { code: run.signal > 0 ? 128 + run.signal : run.exit >= 0 ? run.exit : null, signal: run.signal };
}

/**
 * Waits until the container's process ends, told by the kernel, and its supervisor has written how. A container that is
 * not running has ended already.
 * @returns undefined when it still runs after the timeout, ms
 */
export async function waitForEnd(
  context: ExecutionContext,
  path: string,
  timeoutMs: number,
): Promise<Ended | undefined> {
  const { kernel } = context;
  const run = readRun(context, path);
  if (run === undefined) {
    throw new TsboxError('TSB2004', 'it was never started');
  }
  const fd = run.pid > 0 ? kernel.openProcess(run.pid, run.startTime) : undefined;
  if (fd !== undefined) {
    try {
      if (!(await waitLong(context, fd, timeoutMs))) {
        return undefined;
      }
    } finally {
      kernel.close(fd);
    }
  }
  for (const deadline = Date.now() + MARGIN; Date.now() < deadline;) {
    const now = readRun(context, path);
    if (now === undefined) {
      return { code: null, signal: 0 };
    }
    if (now.startTime !== run.startTime || now.pid !== run.pid || run.pid === 0) {
      return endOf(now);
    }
    if (!isSupervised(context, now)) {
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return { code: null, signal: 0 };
}

/** The longest single wait in the kernel, ms: what an int holds, with room. */
const LONGEST = 3_600_000;

async function waitLong({ kernel }: ExecutionContext, fd: number, timeoutMs: number): Promise<boolean> {
  for (let left = timeoutMs; left > 0; left -= LONGEST) {
    if (await kernel.waitProcess(fd, Math.min(left, LONGEST))) {
      return true;
    }
  }
  return false;
}
