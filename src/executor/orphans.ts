/** Ending what an apply that was killed left running: supervisors and keepers that no label knows. */
import { parsePids } from '../kernel/proc.ts';
import { readStats } from '../resources/processes.ts';
import { SUPERVISORS } from '../resources/scope.ts';
import { allDirectories, type ExecutionContext } from './context.ts';

const SIGKILL = 9;
const TIMEOUT = 5000;

/** The title under which native/init runs for a container or a namespace's keeper. */
export function supervisorTitle(stack: string, name: string): string {
  return `tsbox: ${stack}/${name}`;
}

export function keeperTitle(stack: string, name: string): string {
  return `tsbox: ${stack}/namespace ${name}`;
}

/** True of every title of the stack. */
export function anyTitleOf(stack: string): (title: string) => boolean {
  return (title) => title.startsWith(`tsbox: ${stack}/`);
}

/**
 * Ends every process of ours in the stack's supervisors' leaf whose title matches. Nothing but native/init is ever
 * put there by us; whatever else is in it is left alone.
 */
export async function endOrphans(context: ExecutionContext, matches: (title: string) => boolean): Promise<void> {
  const { kernel } = context;
  const texts = kernel.readFiles(allDirectories(context, SUPERVISORS).map(({ dir }) => `${dir}/cgroup.procs`));
  const pids = [...new Set(texts.flatMap((t) => (typeof t === 'string' ? parsePids(t) : [])))];
  if (pids.length === 0) {
    return;
  }
  const lines = kernel.readFiles(pids.map((pid) => `/proc/${pid}/cmdline`));
  const ours = pids.filter((_, i) => {
    const line = lines[i];
    return typeof line === 'string' && matches(line.replace(/[\0 ]+$/, ''));
  });
  const stats = readStats(kernel, ours);
  for (const [i, pid] of ours.entries()) {
    const fd = kernel.openProcess(pid, stats[i]?.startTime ?? '');
    if (fd !== undefined) {
      kernel.signal(fd, SIGKILL);
      await kernel.waitProcess(fd, TIMEOUT);
      kernel.close(fd);
    }
  }
}
