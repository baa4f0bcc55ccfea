/**
 * One stack, one writer: a non-blocking flock(2) on the stack's cgroup directory. The kernel drops it with its holder,
 * so it cannot go stale; the descriptor is close-on-exec, so a container cannot inherit it.
 */
import { TsboxError } from '../errors.ts';
import { EAGAIN, ENOENT, refused, type Kernel } from '../kernel/kernel.ts';
import { directoryIn } from '../resources/scope.ts';
import type { ExecutionContext } from './context.ts';

export interface StackLock {
  /** Lets go, and removes the directories again if nothing was made in them. */
  release(): void;
}

/** Takes the lock, making our root and the stack's directory if need be. */
export async function lockStack(context: ExecutionContext, timeoutMs: number): Promise<StackLock> {
  const { kernel, stackName } = context;
  const mount = kernel.layout.primary?.mount;
  if (mount === undefined) {
    throw new TsboxError('TSB1009', 'no cgroup hierarchy is mounted', { hint: 'mount cgroup2 on /sys/fs/cgroup' });
  }
  const dir = directoryIn(mount, kernel.settings.cgroupRoot, stackName);
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    makePath(kernel, mount, kernel.settings.cgroupRoot);
    kernel.makeDirs([dir]);
    const fd = kernel.lockDir(dir);
    if (fd >= 0) {
      // A destroy that held it may have removed the directory meanwhile: then the lock is on nothing.
      const stat = kernel.stats([dir])[0];
      if (typeof stat === 'object' && stat.ino === kernel.inodeOf(fd)) {
        return {
          release: () => {
            for (const h of kernel.layout.hierarchies) {
              kernel.removeDirs([directoryIn(h.mount, kernel.settings.cgroupRoot, stackName)]);
            }
            kernel.close(fd);
          },
        };
      }
      kernel.close(fd);
      continue;
    }
    if (fd !== -EAGAIN && fd !== -ENOENT) {
      throw refused('flock', dir, fd);
    }
    if (Date.now() >= deadline) {
      throw new TsboxError('TSB3004', `stack ${stackName} is locked by ${holder(kernel, dir)}`, {
        hint: timeoutMs === 0 ? 'wait for it, or give --lock-timeout 30s' : 'it did not finish in time',
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function makePath(kernel: Kernel, mount: string, path: string): void {
  const parts = path.split('/').filter((p) => p !== '');
  kernel.makeDirs(parts.map((_, i) => `${mount}/${parts.slice(0, i + 1).join('/')}`));
}

/** The process that holds the lock, from /proc/locks (proc_locks(5)). */
function holder(kernel: Kernel, dir: string): string {
  const stat = kernel.stats([dir])[0];
  const locks = kernel.readFiles(['/proc/locks'])[0];
  if (typeof stat !== 'object' || typeof locks !== 'string') {
    return 'another apply';
  }
  const line = locks.split('\n').find((l) => l.includes(' FLOCK ') && l.includes(`:${stat.ino} `));
  const pid = /\s(\d+)\s+[0-9a-f]+:[0-9a-f]+:\d+/.exec(line ?? '')?.[1];
  if (pid === undefined) {
    return 'another apply';
  }
  const command = kernel.readFiles([`/proc/${pid}/cmdline`])[0];
  const text = typeof command === 'string' ? command.split('\0').join(' ').trim() : '';
  return `process ${pid}${text === '' ? '' : ` (${text.slice(0, 100)})`}`;
}
