/** Writing the knob files of a cgroup, in an order that the kernel takes. */
import { TsboxError } from '../../errors.ts';
import { EACCES, EBUSY, EINVAL, ENODEV, ENOENT, EOPNOTSUPP, refused } from '../../kernel/kernel.ts';
import { directoryIn } from '../../resources/scope.ts';
import type { KnobWrite, Step } from '../../resources/step.ts';
import { primaryDirectory, type ExecutionContext } from '../context.ts';
import { readLabel } from '../labels.ts';
import { enableControllers } from './controllers.ts';

type Of<Op extends Step['op']> = Extract<Step, { op: Op }>;

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
