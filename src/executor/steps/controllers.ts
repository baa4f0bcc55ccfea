/** Handing controllers down on v2: cgroup.subtree_control of every cgroup above. */
import { TsboxError } from '../../errors.ts';
import { EBUSY, ESRCH, refused } from '../../kernel/kernel.ts';
import { parsePids } from '../../kernel/proc.ts';
import { describeProcesses } from '../../resources/processes.ts';
import { ENABLED_XATTR } from '../../resources/label.ts';
import { remedy } from '../../resources/cgroup/delegation.ts';
import { directoryIn, EVACUATED } from '../../resources/scope.ts';
import type { ExecutionContext } from '../context.ts';
import { isLabelled } from '../labels.ts';

/** Switches controllers on in every ancestor's cgroup.subtree_control (cgroup-v2.rst, "Enabling and Disabling"). */
export function enableControllers(context: ExecutionContext, path: string, controllers: readonly string[]): void {
  const { kernel, stackName } = context;
  const v2 = kernel.layout.hierarchies.find((h) => h.version === 2);
  if (v2 === undefined) {
    return;
  }
  const full = directoryIn('', kernel.settings.cgroupRoot, stackName, path);
  const parts = full.split('/').filter((p) => p !== '');
  const ancestors = parts.map((_, i) => (i === 0 ? v2.mount : `${v2.mount}/${parts.slice(0, i).join('/')}`));
  const enabledAtRoot: string[] = [];
  ancestors.forEach((dir, i) => {
    if (i > 0 && !path.startsWith('/') && !context.cache.directories.has(dir)) {
      kernel.makeDirs([dir]);
      context.cache.directories.add(dir);
    }
    if (controllers.length === 0) {
      return;
    }
    const [text, offered] = kernel.readFiles([`${dir}/cgroup.subtree_control`, `${dir}/cgroup.controllers`]);
    const on = new Set(typeof text === 'string' ? text.trim().split(' ') : []);
    const available = new Set(typeof offered === 'string' ? offered.trim().split(' ') : []);
    for (const controller of controllers.filter((c) => !on.has(c))) {
      if (!available.has(controller)) {
        throw new TsboxError('TSB1009', `the '${controller}' controller is not offered to ${dir}`, {
          hint: `an ancestor does not hand it on: see cgroup.subtree_control above it`,
        });
      }
      if (!isOurs(context, dir, v2.mount)) {
        throw new TsboxError(
          'TSB1009',
          `the '${controller}' controller is not handed on by ${dir}, which is not ours`,
          {
            hint: remedy([{ controller, ancestor: dir.slice(v2.mount.length), unit: undefined }]),
          },
        );
      }
      const result = enableOne(context, dir, controller);
      if (result !== 0) {
        throw innerProcesses(context, dir, controller, result);
      }
      if (i === 0) {
        enabledAtRoot.push(controller);
      }
    }
  });
  if (enabledAtRoot.length > 0) {
    rememberEnabled(context, `${v2.mount}${kernel.settings.cgroupRoot}`, enabledAtRoot);
  }
}

function rememberEnabled(context: ExecutionContext, root: string, controllers: readonly string[]): void {
  const text = context.kernel.getXattrs([root], ENABLED_XATTR)[0];
  const known = new Set(typeof text === 'string' ? text.split(' ').filter((c) => c !== '') : []);
  controllers.forEach((c) => known.add(c));
  context.kernel.setXattr(root, ENABLED_XATTR, [...known].join(' '));
}

/** The hierarchy's root takes orders from whoever may write there; below it only our own root and what is in it does. */
function isOurs(context: ExecutionContext, dir: string, mount: string): boolean {
  const root = `${mount}${context.kernel.settings.cgroupRoot}`;
  if (dir === mount || dir === root || dir.startsWith(`${root}/`)) {
    return true;
  }
  return isLabelled(context, dir.slice(mount.length));
}

/** How often a busy cgroup is tried again, 1 ms apart: for a moment after a move the kernel still sees the process. */
const BUSY_RETRIES = 200;

/**
 * Switches one controller on; processes that are in our own root leave it first, as the plan said. That cannot wait for
 * an EBUSY: a threaded controller (pids, cpu) is enabled beside processes, and makes every child 'domain invalid'.
 */
function enableOne(context: ExecutionContext, dir: string, controller: string): number {
  const { kernel } = context;
  const v2 = kernel.layout.hierarchies.find((h) => h.version === 2)?.mount ?? '';
  if (dir !== v2 && hasProcesses(context, dir)) {
    if (dir !== `${v2}${kernel.settings.cgroupRoot}`) {
      return -EBUSY;
    }
    evacuate(context, dir);
  }
  let result = kernel.tryWrite(`${dir}/cgroup.subtree_control`, `+${controller}`);
  for (let i = 0; result === -EBUSY && i < BUSY_RETRIES && !hasProcesses(context, dir); i++) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    result = kernel.tryWrite(`${dir}/cgroup.subtree_control`, `+${controller}`);
  }
  return result;
}

function hasProcesses(context: ExecutionContext, dir: string): boolean {
  const [text] = context.kernel.readFiles([`${dir}/cgroup.procs`]);
  return typeof text === 'string' && text !== '';
}

/** Moves every process of a cgroup into a leaf below it; those that fork meanwhile are caught by another round. */
function evacuate(context: ExecutionContext, dir: string): void {
  const { kernel } = context;
  const leaf = `${dir}/${EVACUATED}`;
  kernel.makeDirs([leaf]);
  for (let round = 0; round < 10; round++) {
    const [text] = kernel.readFiles([`${dir}/cgroup.procs`]);
    const pids = typeof text === 'string' ? parsePids(text) : [];
    if (pids.length === 0) {
      return;
    }
    for (const pid of pids) {
      const result = kernel.tryWrite(`${leaf}/cgroup.procs`, String(pid));
      if (result !== 0 && result !== -ESRCH) {
        throw refused('write', `${leaf}/cgroup.procs`, result, String(pid));
      }
    }
  }
}

/** The no-internal-process rule, with the processes that break it. */
function innerProcesses(context: ExecutionContext, dir: string, controller: string, result: number): TsboxError {
  const text = context.kernel.readFiles([`${dir}/cgroup.procs`])[0];
  const pids = typeof text === 'string' ? parsePids(text) : [];
  if (result === -EBUSY && pids.length > 0) {
    const names = describeProcesses(context.kernel, pids.slice(0, 10)).map((p) => p.text);
    return new TsboxError(
      'TSB3001',
      `'${controller}' cannot be enabled in ${dir}: processes are in it: ${names.join(', ')}`,
      {
        syscall: 'write',
        errno: EBUSY,
        errnoCode: 'EBUSY',
        subject: `${dir}/cgroup.subtree_control`,
        hint: 'a v2 cgroup has either processes or controllers for its children; move them to a child of their own',
      },
    );
  }
  return refused('write', `${dir}/cgroup.subtree_control`, result, `+${controller}`);
}
