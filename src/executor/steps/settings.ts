/**
 * Limits and scheduling of a running container, changed in place.
 *
 * Limits and oom score belong to a process, scheduling, i/o priority and processors to each thread. The container's own
 * process gets the new value; what else runs in its cgroup gets it where it has what that process had, that is where it
 * was inherited. What chose a value of its own keeps it, but no limit stays above the new hard one.
 */
import { TsboxError } from '../../errors.ts';
import { refused } from '../../kernel/kernel.ts';
import { SCHEDULER_HINTS } from '../../kernel/launch-hints.ts';
import type { Scheduling } from '../../kernel/reader.ts';
import { parsePids } from '../../kernel/proc.ts';
import { cpuNumbers } from '../../resources/container/process/affinity.ts';
import { exceeds, halves, limitNumber, parseLimits, RLIMITS } from '../../resources/container/process/rlimits.ts';
import { ioprioNumber, schedulerOf } from '../../resources/container/process/scheduling.ts';
import { entriesOf } from '../../resources/attribute.ts';
import { settingsText, type Settings } from '../../resources/container/process/settings.ts';
import { SETTINGS_XATTR } from '../../resources/label.ts';
import type { Step } from '../../resources/step.ts';
import { primaryDirectory, type ExecutionContext } from '../context.ts';
import { readLabel } from '../labels.ts';
import { ownSettings } from '../launch.ts';
import { readRun } from '../run-state.ts';

type Of<Op extends Step['op']> = Extract<Step, { op: Op }>;
type Kernel = ExecutionContext['kernel'];

const ESRCH = -3;
/** Looks for processes that were born with the old values while they were written. */
const PASSES = 5;

export function applySettings(context: ExecutionContext, step: Of<'settings'>): void {
  const { kernel } = context;
  const directory = primaryDirectory(context, step.path);
  const own = ownSettings(context);
  kernel.setXattr(directory, SETTINGS_XATTR, settingsText(step.settings, own.scheduling, own.score));
  const run = readRun(context, step.path);
  const main = run === undefined || run.pid === 0 ? undefined : kernel.openProcess(run.pid, run.startTime);
  if (run === undefined || main === undefined) {
    return;
  }
  try {
    const before = readState(kernel, run.pid);
    const label = readLabel(context, step.path);
    const restored = restoredLimits(step, before, label?.inherited ?? {}, entriesOf(label?.applied?.['rlimits']));
    const done = new Set<number>();
    for (let pass = 0; pass < PASSES; pass++) {
      const members = kernel.readFiles([`${directory}/cgroup.procs`])[0];
      const pids = [run.pid, ...(typeof members === 'string' ? parsePids(members) : [])].filter(
        (pid) => !done.has(pid),
      );
      if (pids.length === 0) {
        return;
      }
      for (const pid of new Set(pids)) {
        done.add(pid);
        setThreads(kernel, pid, run.pid, step, before);
        setProcess(kernel, pid, pid === run.pid, step, before, restored);
      }
    }
  } finally {
    kernel.close(main);
  }
}

/** What the container's process had before. */
interface State {
  readonly limits: Readonly<Record<string, string>>;
  readonly score: string;
  readonly scheduling: Scheduling | undefined;
}

function readState(kernel: Kernel, pid: number): State {
  const [limits, score] = kernel.readFiles([`/proc/${pid}/limits`, `/proc/${pid}/oom_score_adj`]);
  const [scheduling] = kernel.scheduling([pid]);
  return {
    limits: parseLimits(typeof limits === 'string' ? limits : ''),
    score: typeof score === 'string' ? score.trim() : '',
    scheduling: typeof scheduling === 'object' ? scheduling : undefined,
  };
}

/** A process that ended meanwhile is no failure. */
function check(result: number, call: string, subject: string, hints: Readonly<Record<string, string>> = {}): void {
  if (result !== 0 && result !== ESRCH) {
    const error = refused(call, subject, result);
    throw new TsboxError(error.code, error.message, { ...error.info, hint: hints[error.info.errnoCode ?? ''] });
  }
}

function setProcess(
  kernel: Kernel,
  pid: number,
  main: boolean,
  { names, settings }: Of<'settings'>,
  before: State,
  restored: Readonly<Record<string, string>>,
): void {
  const now = main ? before : readState(kernel, pid);
  if (names.includes('oom_score_adj') && (main || now.score === before.score)) {
    check(
      kernel.tryWrite(`/proc/${pid}/oom_score_adj`, settings.oom_score_adj),
      'write',
      `oom_score_adj ${settings.oom_score_adj} of process ${pid}`,
    );
  }
  if (!names.includes('rlimits')) {
    return;
  }
  for (const [name, { number }] of Object.entries(RLIMITS)) {
    const had = before.limits[name];
    const has = now.limits[name];
    const to = settings.rlimits[name] ?? restored[name];
    if (to === undefined || had === undefined || has === undefined) {
      continue;
    }
    const pair = main ? to : follow(has, had, to);
    if (pair !== has) {
      const { soft, hard } = halves(pair);
      const result = kernel.setRlimit(pid, number, limitNumber(soft), limitNumber(hard));
      check(result, 'prlimit', `${name} ${pair} of process ${pid}`, {
        EPERM:
          'a higher hard limit, and any of what runs as another user, needs CAP_SYS_RESOURCE; without it a new process has it: tsbox restart',
      });
    }
  }
}

/** Limits that are no longer declared, or were raised by somebody, go back to what the process was started with. */
function restoredLimits(
  { settings }: Of<'settings'>,
  before: State,
  inherited: Readonly<Record<string, string>>,
  applied: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(before.limits).flatMap(([name, had]) => {
      const first = inherited[name];
      const due = first !== undefined && (name in applied || exceeds(halves(had).hard, halves(first).hard));
      return due && !(name in settings.rlimits) ? [[name, first]] : [];
    }),
  );
}

/** Each half follows where it was the same, and is cut to the new hard limit where not. */
function follow(has: string, had: string, to: string): string {
  const [own, old, wanted] = [halves(has), halves(had), halves(to)];
  const cut = (value: string): string => (exceeds(value, wanted.hard) ? wanted.hard : value);
  const hard = own.hard === old.hard ? wanted.hard : cut(own.hard);
  const soft = own.soft === old.soft ? wanted.soft : cut(own.soft);
  return `${exceeds(soft, hard) ? hard : soft}:${hard}`;
}

function setThreads(
  kernel: Kernel,
  pid: number,
  main: number,
  { names, settings }: Of<'settings'>,
  before: State,
): void {
  const policy = names.includes('scheduler') || names.includes('nice');
  const [ioprio, affinity] = [names.includes('ioprio'), names.includes('cpu_affinity')];
  const old = before.scheduling;
  if (!(policy || ioprio || affinity) || old === undefined) {
    return;
  }
  const done = new Set<number>();
  for (let pass = 0; pass < PASSES; pass++) {
    const tids = kernel
      .list(`/proc/${pid}/task`)
      .map(Number)
      .filter((tid) => !done.has(tid));
    const all = kernel.scheduling(tids);
    tids.forEach((tid, i) => {
      done.add(tid);
      const now = all[i];
      if (typeof now !== 'object') {
        return;
      }
      const follows = (same: boolean): boolean => tid === main || same;
      if (policy && follows(samePolicy(now, old))) {
        check(
          kernel.setScheduler(tid, schedulerOf(settings.scheduler, settings.nice)),
          'sched_setattr',
          `${settings.scheduler} nice ${settings.nice} of thread ${tid}`,
          SCHEDULER_HINTS,
        );
      }
      if (ioprio && follows(now.ioprio === old.ioprio)) {
        check(
          kernel.setIoprio(tid, ioprioNumber(settings.ioprio)),
          'ioprio_set',
          `${settings.ioprio} of thread ${tid}`,
        );
      }
      if (affinity && follows(now.cpus.join() === old.cpus.join())) {
        const result = kernel.setAffinity(tid, wantedCpus(kernel, settings));
        check(result, 'sched_setaffinity', `${settings.cpu_affinity} of thread ${tid}`);
      }
    });
    if (tids.length === 0) {
      return;
    }
  }
}

function samePolicy(a: Scheduling, b: Scheduling): boolean {
  return a.policy === b.policy && a.nice === b.nice && a.priority === b.priority && a.flags === b.flags;
}

/** All means every processor there may be: the kernel cuts the list to the cpuset. */
function wantedCpus(kernel: Kernel, { cpu_affinity }: Settings): number[] {
  const [possible] = kernel.readFiles(['/sys/devices/system/cpu/possible']);
  return cpuNumbers(cpu_affinity === 'all' && typeof possible === 'string' ? possible : cpu_affinity);
}
