/** Taking the last traces of a stack away: the supervisors' leaf, the stack's directories, our root with the last stack. */
import { MAX_DIRECTORIES } from '../kernel/reader.ts';
import { ENABLED_XATTR } from '../resources/label.ts';
import { ADOPTED, SUPERVISORS } from '../resources/scope.ts';
import { allDirectories, primaryDirectory, stackRunDir, type ExecutionContext } from './context.ts';
import { anyTitleOf, endOrphans } from './orphans.ts';
import { readOrEmpty } from './read.ts';
import { removeDirectory } from './steps/cgroup.ts';

/** @throws TsboxError TSB3008 naming somebody else's process that lives in it */
export async function removeStackRoot(context: ExecutionContext): Promise<void> {
  const { kernel } = context;
  if (holdsForgotten(context)) {
    return;
  }
  await endOrphans(context, anyTitleOf(context.stackName));
  const primary = primaryDirectory(context, '');
  const hierarchies = allDirectories(context, '');
  const ordered = [...hierarchies.filter((h) => h.dir !== primary), ...hierarchies.filter((h) => h.dir === primary)];
  for (const { dir } of ordered) {
    await removeDirectory(context, `${dir}/${SUPERVISORS}`, false, BUSY_TIMEOUT);
    kernel.removeDirs([`${dir}/${ADOPTED}`, dir]);
  }
  const rootParts = kernel.settings.cgroupRoot.split('/').filter((p) => p !== '');
  const v2 = kernel.layout.hierarchies.find((h) => h.version === 2);
  const enabled =
    v2 === undefined ? '' : readOrEmpty(kernel.getXattrs([`${v2.mount}${kernel.settings.cgroupRoot}`], ENABLED_XATTR));
  for (const { mount, version } of ordered) {
    const levels = rootParts.map((_, i) => `${mount}/${rootParts.slice(0, rootParts.length - i).join('/')}`);
    const results = kernel.removeDirs(levels);
    if (version === 2 && results.at(-1) === 0) {
      // What we switched on in the mount's root goes off again; a controller somebody else uses by now refuses, rightly.
      for (const controller of enabled.split(' ').filter((c) => c !== '')) {
        kernel.tryWrite(`${mount}/cgroup.subtree_control`, `-${controller}`);
      }
    }
  }
  const run = stackRunDir(context);
  kernel.unmount(`${run}/ns`);
  kernel.remove(run);
  kernel.removeIfEmpty(kernel.settings.runDir);
}

/** How long the supervisors' leaf is tried, ms. */
const BUSY_TIMEOUT = 1000;

/** Whether processes live in the stack's tree that are not its any more (`removed` without destroy): they and their supervisors run on. */
function holdsForgotten(context: ExecutionContext): boolean {
  const { kernel } = context;
  const root = primaryDirectory(context, '');
  const found = kernel.walkDirs(root, MAX_DIRECTORIES);
  const others = (typeof found === 'number' ? [] : found)
    .map((dir) => dir.path)
    .filter((path) => path !== '' && path !== SUPERVISORS && path !== ADOPTED);
  return kernel
    .readFiles(others.map((path) => `${root}/${path}/cgroup.procs`))
    .some((t) => typeof t === 'string' && t !== '');
}
