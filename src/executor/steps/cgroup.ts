/** Steps on cgroup directories: make, write, freeze, evict, enter, remove. */
import { TsboxError } from '../../errors.ts';
import { EACCES, EBUSY, EINVAL, ENODEV, ENOENT, ENOTDIR, EOPNOTSUPP, ESRCH, refused } from '../../kernel/kernel.ts';
import { parsePids } from '../../kernel/proc.ts';
import { describeProcesses } from '../../resources/processes.ts';
import { ENABLED_XATTR } from '../../resources/label.ts';
import { remedy } from '../../resources/cgroup/delegation.ts';
import { directoryIn, EVACUATED } from '../../resources/scope.ts';
import type { KnobWrite, Step } from '../../resources/step.ts';
import { allDirectories, primaryDirectory, type ExecutionContext } from '../context.ts';
import { isLabelled, readLabel, writeLabel } from '../labels.ts';
import { readRun } from '../run-state.ts';

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

/**
 * Writes knob files. Some values are refused while another still stands (EINVAL: burst above quota, memory above
 * memory+swap, a period under the old quota): those are tried again after the others, until a round changes nothing.
 */
export function writeKnobs(context: ExecutionContext, step: Of<'cgroup-write'>): void {
  const { kernel } = context;
  const hierarchy = kernel.layout.byController.get(step.controller);
  if (hierarchy?.version === 2) {
    enableControllers(context, step.path, [step.controller]);
  }
  const dir =
    hierarchy === undefined
      ? primaryDirectory(context, step.path)
      : directoryIn(hierarchy.mount, kernel.settings.cgroupRoot, context.stackName, step.path);
  let pending = step.writes;
  while (pending.length > 0) {
    const refusals: Array<{ write: KnobWrite; result: number }> = [];
    for (const write of pending) {
      if (write.attribute === 'memory.max') {
        reclaimFirst(context, dir, write.data);
      }
      if (hierarchy?.version === 1) {
        makeRoomBelow(context, step.path, dir, write);
      }
      const result = kernel.tryWrite(`${dir}/${write.file}`, write.data);
      if (result !== 0) {
        refusals.push({ write, result });
      }
    }
    const [first] = refusals;
    const hopeless =
      refusals.find(({ result }) => result !== -EINVAL) ?? (refusals.length === pending.length ? first : undefined);
    if (hopeless !== undefined) {
      throw knobRefused(`${dir}/${hopeless.write.file}`, hopeless.write, hopeless.result);
    }
    pending = refusals.map(({ write }) => write);
  }
}

/**
 * On v1 a cpuset may not lose what a child has (EBUSY), and a child without lists of its own only holds a copy of its
 * parent's: before a parent changes, copies follow, and lists that reach beyond the new one are cut to it. What is
 * declared below is written after, by its own change (cgroup-v1/cpusets.rst).
 */
function makeRoomBelow(context: ExecutionContext, path: string, dir: string, write: KnobWrite): void {
  const { kernel } = context;
  if (write.attribute !== 'cpuset.cpus' && write.attribute !== 'cpuset.mems') {
    return;
  }
  const walked = kernel.walkDirs(dir, 10_000);
  const names = Array.isArray(walked) ? walked.map((d) => d.path).filter((p) => p !== '') : [];
  if (names.length === 0) {
    return;
  }
  const below = names.map((name) => `${dir}/${name}`);
  const [own, ...texts] = kernel.readFiles([dir, ...below].map((d) => `${d}/${write.file}`));
  const before = typeof own === 'string' ? own.trim() : '';
  const allowed = listMembers(write.data);
  const following: string[] = [];
  below.forEach((child, i) => {
    const text = texts[i];
    const list = typeof text === 'string' ? text.trim() : '';
    const declared = readLabel(context, `${path}/${names[i] ?? ''}`)?.applied?.[write.attribute];
    if (list === before && list !== write.data && declared === undefined) {
      following.push(child);
    }
  });
  // Deepest first: a child must never have what its parent lacks.
  [...below.entries()].reverse().forEach(([i, child]) => {
    const text = texts[i];
    const kept = typeof text === 'string' ? [...listMembers(text.trim())].filter((n) => allowed.has(n)) : [];
    const all = typeof text === 'string' ? listMembers(text.trim()).size : 0;
    if (kept.length < all) {
      kernel.tryWrite(`${child}/${write.file}`, kept.length === 0 ? write.data : kept.join(','));
    }
  });
  const wider = [...allowed].some((n) => !listMembers(before).has(n));
  if (wider && following.length > 0) {
    kernel.write([{ path: `${dir}/${write.file}`, data: write.data }]);
    following.forEach((child) => kernel.tryWrite(`${child}/${write.file}`, write.data));
  }
}

/** '0-3,7' as numbers. */
function listMembers(list: string): Set<number> {
  const all = new Set<number>();
  for (const part of list.split(',').filter((p) => p !== '')) {
    const [from = 0, to = from] = part.split('-').map(Number);
    for (let n = from; n <= to; n++) {
      all.add(n);
    }
  }
  return all;
}

/**
 * A limit below what is in use makes the kernel reclaim and then kill. Reclaim is asked for by itself first, so that
 * killing is left for what really cannot go (cgroup-v2.rst, memory.reclaim). v1 refuses the limit instead (EBUSY).
 */
function reclaimFirst(context: ExecutionContext, dir: string, limit: string): void {
  const { kernel } = context;
  const [text] = kernel.readFiles([`${dir}/memory.current`]);
  if (typeof text !== 'string' || limit === 'max') {
    return;
  }
  const excess = Number(text) - Number(limit);
  if (excess > 0) {
    // EAGAIN: not as much could be had. ENOENT: kernels before 5.19. Either way the limit decides.
    kernel.tryWrite(`${dir}/memory.reclaim`, String(excess));
  }
}

function knobRefused(path: string, write: KnobWrite, result: number): TsboxError {
  if (result === -ENOENT) {
    return new TsboxError('TSB1009', `${write.attribute} cannot be set: this kernel has no ${path}`, {
      hint: "leave it out, or write 'optional: true' on the cgroup to skip what the kernel lacks",
    });
  }
  const error = refused('write', path, result, write.data.trim());
  const hint = knobHint(write.attribute, result);
  return hint === undefined ? error : new TsboxError('TSB3001', error.message, { ...error.info, hint });
}

function knobHint(attribute: string, result: number): string | undefined {
  if (result === -EBUSY && attribute === 'memory.max') {
    return 'more memory is in use than the new limit allows and it could not be reclaimed; stop something first';
  }
  if (result === -EBUSY && attribute.startsWith('cpuset.')) {
    return 'a cgroup below still has what is to be taken away, or a sibling holds it exclusively';
  }
  if ((result === -EINVAL || result === -EACCES) && attribute.startsWith('cpuset.')) {
    return "the list must be within the parent's and online";
  }
  if (result === -ENODEV && attribute.startsWith('io.')) {
    return 'the device is not there, or is a partition: limits belong to whole disks';
  }
  if (result === -EOPNOTSUPP) {
    return 'the device or its scheduler does not do this, or the cgroup is threaded';
  }
  if (result !== -EINVAL) {
    return undefined;
  }
  const hints: Readonly<Record<string, string>> = {
    'cpu.max': "on cgroup v1 a child's quota must be within its parent's",
    'cpu.max.burst': 'the burst may not be more than the quota of cpu.max',
    'cpu.weight': 'an idle cgroup (cpu.idle) takes no weight',
    'memory.swap.max': 'v1 wants memory+swap to be at least memory.max',
  };
  return hints[attribute];
}

/** How long the kernel may take to confirm a freeze, ms. */
const FREEZE_TIMEOUT = 10_000;

/** Freezes or thaws and waits for the kernel's word: freezing is asynchronous. */
export async function setFrozen(context: ExecutionContext, step: Of<'freeze'>): Promise<void> {
  const { kernel } = context;
  const primary = kernel.layout.primary;
  if (primary?.version === 2) {
    const dir = primaryDirectory(context, step.path);
    kernel.write([{ path: `${dir}/cgroup.freeze`, data: step.frozen ? '1' : '0' }]);
    const v1 = step.frozen
      ? undefined
      : allDirectories(context, step.path).find((d) => d.version === 1 && d.controllers.includes('freezer'));
    if (v1 !== undefined) {
      // Somebody may have frozen it the other way on a hybrid machine.
      const path = `${v1.dir}/freezer.state`;
      const result = kernel.tryWrite(path, 'THAWED');
      // An adopted cgroup need not stand in every hierarchy.
      if (result !== 0 && result !== -ENOENT) {
        throw refused('write', path, result, 'THAWED');
      }
    }
    // Thawing below a frozen ancestor changes nothing yet, so only freezing has something to wait for.
    if (step.frozen && !(await kernel.waitFile(`${dir}/cgroup.events`, 'frozen 1', FREEZE_TIMEOUT))) {
      kernel.write([{ path: `${dir}/cgroup.freeze`, data: '0' }]);
      throw new TsboxError('TSB3008', `${dir} did not freeze within ${FREEZE_TIMEOUT / 1000} s and was thawed again`);
    }
    return;
  }
  const freezer = allDirectories(context, step.path).find((d) => d.controllers.includes('freezer'));
  if (freezer === undefined) {
    return;
  }
  kernel.write([{ path: `${freezer.dir}/freezer.state`, data: step.frozen ? 'FROZEN' : 'THAWED' }]);
  if (step.frozen && !(await kernel.waitFile(`${freezer.dir}/freezer.state`, 'FROZEN', FREEZE_TIMEOUT))) {
    kernel.write([{ path: `${freezer.dir}/freezer.state`, data: 'THAWED' }]);
    throw new TsboxError(
      'TSB3008',
      `${freezer.dir} did not freeze within ${FREEZE_TIMEOUT / 1000} s and was thawed again`,
    );
  }
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
async function removeDirectory(context: ExecutionContext, dir: string, recursive: boolean): Promise<void> {
  const { kernel } = context;
  const deadline = Date.now() + REMOVE_TIMEOUT;
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

/**
 * Runs `body` with the frozen v1 cgroups above thawed: there, unlike on v2, a frozen process does not even die of
 * SIGKILL (freezer-subsystem.rst). What else they hold runs for that moment.
 */
export async function thawedAbove(context: ExecutionContext, path: string, body: () => Promise<void>): Promise<void> {
  const { kernel } = context;
  const freezer = kernel.layout.byController.get('freezer');
  if (freezer?.version !== 1 || kernel.layout.primary?.version === 2) {
    return body();
  }
  const parts = path.split('/');
  const above = parts
    .slice(0, -1)
    .map((_, i) =>
      directoryIn(freezer.mount, kernel.settings.cgroupRoot, context.stackName, parts.slice(0, i + 1).join('/')),
    );
  const states = kernel.readFiles(above.map((dir) => `${dir}/freezer.self_freezing`));
  const frozen = above.filter((_, i) => states[i] === '1\n');
  frozen.forEach((dir) => kernel.tryWrite(`${dir}/freezer.state`, 'THAWED'));
  try {
    await body();
  } finally {
    frozen.forEach((dir) => kernel.tryWrite(`${dir}/freezer.state`, 'FROZEN'));
  }
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
