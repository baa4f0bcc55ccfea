/** The files of a running container, seen from outside of it: every path is resolved within its root by the kernel. */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { TsboxError } from '../errors.ts';
import type { Kernel } from './kernel.ts';
import { errnoName } from './native.ts';

/** Open as a handle only (open(2)); node has no name for it. */
export const O_PATH = 0o10000000;

export class ContainerRoot {
  readonly #kernel: Kernel;
  readonly #fd: number;

  /** @throws TsboxError TSB2004 when the process with this start time is gone */
  constructor(kernel: Kernel, pid: number, startTime: string) {
    this.#kernel = kernel;
    // The process is looked at after its root has been opened: a pid that was reused in between is noticed.
    try {
      this.#fd = openSync(`/proc/${pid}/root`, O_PATH | constants.O_DIRECTORY);
    } catch (error) {
      throw new TsboxError('TSB2004', 'the container is not running', { cause: error });
    }
    const process = kernel.openProcess(pid, startTime);
    if (process === undefined) {
      closeSync(this.#fd);
      throw new TsboxError('TSB2004', 'the container has just ended');
    }
    kernel.close(process);
  }

  /** A descriptor, or undefined where there is nothing. Throws TSB3001 for any other refusal. */
  open(path: string, flags: number): number | undefined {
    return openWithin(this.#kernel, this.#fd, path, flags);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** The same beneath any directory. */
export function openWithin(kernel: Kernel, root: number, path: string, flags: number): number | undefined {
  const fd = kernel.openInRoot(root, path, flags);
  if (fd >= 0) {
    return fd;
  }
  const name = errnoName(-fd);
  if (name === 'ENOENT') {
    return undefined;
  }
  const hint = name === 'ELOOP' ? 'links of /proc that lead out of the container are not followed' : undefined;
  throw new TsboxError('TSB3001', `open ${path}: ${name}`, {
    syscall: 'openat2',
    errnoCode: name,
    subject: path,
    hint,
  });
}

/** Whether a descriptor is a directory's. */
export function isDirectory(fd: number): boolean {
  return fstatSync(fd).isDirectory();
}
