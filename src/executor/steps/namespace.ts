/** Steps on declared namespaces and on the names in uts namespaces. */
import { MS_BIND, MS_PRIVATE } from '../../kernel/kernel.ts';
import type { NamespaceSetup } from '../../kernel/init-spec.ts';
import { LABEL_VERSION, NAMESPACE_XATTR, decodeLabel, encodeLabel, type Label } from '../../resources/label.ts';
import { pinPath } from '../../resources/namespace/index.ts';
import { SUPERVISORS } from '../../resources/scope.ts';
import type { Step } from '../../resources/step.ts';
import { TsboxError } from '../../errors.ts';
import { allDirectories, primaryDirectory, stackRunDir, type ExecutionContext } from '../context.ts';
import { endOrphans, keeperTitle } from '../orphans.ts';
import { liveFiles } from './live-target.ts';
import { makeWithAncestors } from './cgroup.ts';

type Of<Op extends Step['op']> = Extract<Step, { op: Op }>;

const SPAWN_TIMEOUT = 30_000;

/** The directory of pins is a mount of its own, private: a mnt namespace may only be pinned on such a one (EINVAL). */
export function preparePins(context: ExecutionContext, name: string): string {
  const { kernel, stackName } = context;
  const dir = `${stackRunDir(context)}/ns`;
  kernel.makeRunDir(dir);
  const mounts = kernel.readFiles(['/proc/self/mountinfo'])[0];
  if (typeof mounts === 'string' && !mounts.includes(` ${dir} `)) {
    kernel.mount(dir, dir, '', MS_BIND);
    kernel.mount('', dir, '', MS_PRIVATE);
  }
  const pin = pinPath(kernel.settings.runDir, stackName, name);
  kernel.touch(pin);
  return pin;
}

/** Removes pins' directory with the last pin. */
export function releasePins(context: ExecutionContext): void {
  const dir = `${stackRunDir(context)}/ns`;
  if (context.kernel.list(dir).length === 0) {
    context.kernel.unmount(dir);
    context.kernel.removeIfEmpty(dir);
  }
}

export async function makeNamespace(context: ExecutionContext, step: Of<'namespace-make'>): Promise<void> {
  const { kernel } = context;
  await removeNamespace(context, { op: 'namespace-remove', name: step.name });
  const target = preparePins(context, step.name);
  const setup: NamespaceSetup = { create: [step.type], join: [], ...step.settings };
  const keepers = makeSupervisorsCgroup(context);
  const fields = await kernel.runInit(
    {
      mode: 'pin',
      title: keeperTitle(context.stackName, step.name),
      type: step.type,
      target,
      namespaces: setup,
      cgroupProcs: step.type === 'pid' ? keepers : [],
    },
    '',
    SPAWN_TIMEOUT,
  );
  const pid = Number(fields.get('pid') ?? 0);
  recordNamespace(context, step, target, pid === 0 ? null : { pid, startTime: fields.get('start') ?? '' });
}

/** The label of a namespace that is pinned. */
function recordNamespace(
  context: ExecutionContext,
  step: Of<'namespace-make'> | Of<'namespace-import'>,
  target: string,
  keeper: NonNullable<Label['namespace']>['keeper'],
): void {
  const { kernel } = context;
  const stat = kernel.stats([target])[0];
  const id = kernel.namespaceIds([target])[0];
  setNamespaceLabel(context, step.name, {
    v: LABEL_VERSION,
    stack: context.stackName,
    installation: kernel.installation,
    address: `namespace/${step.name}`,
    ino: typeof stat === 'object' ? stat.ino : 0,
    applied: step.applied,
    protect: step.protect,
    ignore: step.ignore,
    namespace: { type: step.type, id: typeof id === 'string' ? id : '', keeper },
  });
}

/** Makes a namespace that somebody else made ours: a pin of our own on it, and a record. */
export function importNamespace(context: ExecutionContext, step: Of<'namespace-import'>): void {
  const { kernel } = context;
  const found = kernel.namespaceTypes([step.from])[0];
  if (found !== step.type) {
    const what = typeof found === 'string' && found !== '' ? `a ${found} namespace` : 'no namespace that can be opened';
    throw new TsboxError('TSB1009', `namespace/${step.name}: ${step.from} is ${what}, not one of type ${step.type}`, {
      subject: step.from,
    });
  }
  const target = preparePins(context, step.name);
  kernel.unmount(target);
  kernel.mount(step.from, target, '', MS_BIND);
  makeSupervisorsCgroup(context);
  recordNamespace(context, step, target, null);
}

/** Puts a lost pin back from a process that still lives in the namespace. */
export function repinNamespace(context: ExecutionContext, step: Of<'namespace-repin'>): void {
  const target = preparePins(context, step.name);
  context.kernel.unmount(target);
  context.kernel.mount(step.from, target, '', MS_BIND);
}

export async function removeNamespace(context: ExecutionContext, step: Of<'namespace-remove'>): Promise<void> {
  const { kernel, stackName } = context;
  const keeper = readNamespaceLabel(context, step.name)?.namespace?.keeper;
  if (keeper !== null && keeper !== undefined) {
    const fd = kernel.openProcess(keeper.pid, keeper.startTime);
    if (fd !== undefined) {
      kernel.signal(fd, 9);
      await kernel.waitProcess(fd, 5000);
      kernel.close(fd);
    }
  }
  if (context.cache.mayHaveOrphans) {
    const own = keeperTitle(stackName, step.name);
    await endOrphans(context, (title) => title === own);
  }
  const pin = pinPath(kernel.settings.runDir, stackName, step.name);
  while (kernel.unmount(pin)) {
    // A repinned namespace may be mounted more than once.
  }
  kernel.remove(pin);
  releasePins(context);
  kernel.removeXattr(primaryDirectory(context, ''), NAMESPACE_XATTR + step.name);
}

export function labelNamespace(context: ExecutionContext, step: Of<'namespace-label'>): void {
  const label = readNamespaceLabel(context, step.name);
  if (label !== undefined) {
    setNamespaceLabel(context, step.name, {
      ...label,
      applied: step.applied,
      protect: step.protect,
      ignore: step.ignore,
    });
  }
}

function readNamespaceLabel(context: ExecutionContext, name: string): Label | undefined {
  const text = context.kernel.getXattrs([primaryDirectory(context, '')], NAMESPACE_XATTR + name)[0];
  return typeof text === 'string' ? decodeLabel(text) : undefined;
}

function setNamespaceLabel(context: ExecutionContext, name: string, label: Label): void {
  context.kernel.setXattr(primaryDirectory(context, ''), NAMESPACE_XATTR + name, encodeLabel(label));
}

/** The leaf for supervisors and keepers, in every hierarchy; its cgroup.procs files of the v1 ones. */
export function makeSupervisorsCgroup(context: ExecutionContext): readonly string[] {
  if (context.cache.supervisors !== undefined) {
    return context.cache.supervisors;
  }
  const directories = allDirectories(context, SUPERVISORS);
  for (const { mount, dir } of directories) {
    const there = context.kernel.stats([dir])[0];
    if (typeof there !== 'object') {
      makeWithAncestors(context, mount, SUPERVISORS);
    }
  }
  context.cache.supervisors = directories.map(({ dir }) => `${dir}/cgroup.procs`);
  return context.cache.supervisors;
}

export async function setNames(context: ExecutionContext, step: Of<'uts'>): Promise<void> {
  const path = utsPath(context, step.target);
  await context.kernel.runInit(
    { mode: 'uts-write', path, hostname: step.hostname, domainname: step.domainname },
    '',
    SPAWN_TIMEOUT,
    true,
  );
}

/** The file of the uts namespace whose names a step sets. */
export function utsPath(context: ExecutionContext, target: Of<'uts'>['target']): string {
  return liveFiles(context, target, 'names')('uts').path;
}
