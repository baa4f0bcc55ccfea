/**
 * One stack, one writer: a non-blocking flock(2) on the stack's cgroup directory. The kernel drops it with its holder,
 * so it cannot go stale; the descriptor is close-on-exec, so a container cannot inherit it.
 */
import { TsboxError } from '../errors.ts';
import { EAGAIN, ENOENT, refused, type Kernel } from '../kernel/kernel.ts';
import { holderText, lockHolder } from '../resources/lock-holder.ts';
import { directoryIn } from '../resources/scope.ts';
import type { ExecutionContext } from './context.ts';

export interface StackLock {
  /** Lets go, and removes the directories again if nothing was made in them. */
  release(): void;
}

/**
 * Takes the lock, making our root and the stack's directory if need be.
 * @param onWait told once, when somebody else has it and there is time to wait
 */
export async function lockStack(
  context: ExecutionContext,
  timeoutMs: number,
  onWait?: (holder: string) => void,
): Promise<StackLock> {
  const { kernel, stackName } = context;
  const mount = kernel.layout.primary?.mount;
  if (mount === undefined) {
    throw new TsboxError('TSB1009', 'no cgroup hierarchy is mounted', { hint: 'mount cgroup2 on /sys/fs/cgroup' });
  }
  const dir = directoryIn(mount, kernel.settings.cgroupRoot, stackName);
  const deadline = Date.now() + timeoutMs;
  let told = false;
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
      throw new TsboxError('TSB3004', `stack ${stackName} is locked by ${holderText(lockHolder(kernel, dir))}`, {
        hint:
          timeoutMs === 0
            ? `wait for it: --lock-timeout 30; tsbox unlock --stack ${stackName} tells more`
            : `it did not finish in time; tsbox unlock --stack ${stackName} tells more`,
      });
    }
    if (!told) {
      told = true;
      onWait?.(holderText(lockHolder(kernel, dir)));
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function makePath(kernel: Kernel, mount: string, path: string): void {
  const parts = path.split('/').filter((p) => p !== '');
  kernel.makeDirs(parts.map((_, i) => `${mount}/${parts.slice(0, i + 1).join('/')}`));
}
