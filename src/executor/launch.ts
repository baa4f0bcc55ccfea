/** Gathering the facts a launch needs from the live system, and the cgroup part of the description. */
import { TsboxError } from '../errors.ts';
import { NAMESPACE_TYPES, type JoinNamespace, type NamespaceType } from '../kernel/init-spec.ts';
import type { KernelReader } from '../kernel/reader.ts';
import { accountOf, containerAddress, leafPath, rootMap, useText } from '../resources/container/declare.ts';
import { mapsGroup } from '../resources/container/idmap.ts';
import { newTypes, type LaunchFacts } from '../resources/container/launch.ts';
import { fileOps } from '../resources/container/files.ts';
import { hostMountTable, NO_MOUNTS } from '../resources/container/mounts/host.ts';
import { placesOf } from '../resources/container/mounts/index.ts';
import { memberFile, namespaceFile } from '../resources/container/namespaces.ts';
import type { ContainerSpec } from '../resources/container/schema.ts';
import { containerDevices } from '../resources/devices/steps.ts';
import { readScope, type StackScope } from '../resources/scope.ts';
import type { Stack } from '../stack/types.ts';
import type { ExecutionContext } from './context.ts';
import { readLabel } from './labels.ts';

/** Group tty of the Linux Standard Base and of devpts(4). */
const TTY = 5;

/** Join order: user last, since the others may belong to anyone, and the host's rights that open them end with it. */
export const JOIN_ORDER: readonly NamespaceType[] = ['ipc', 'uts', 'net', 'cgroup', 'time', 'mnt', 'pid', 'user'];

/** Namespaces that a restarted container takes up again when its sharers kept them alive. */
const SURVIVING: readonly NamespaceType[] = ['user', 'net', 'ipc', 'uts', 'cgroup', 'time'];

export function launchFacts(context: ExecutionContext, stack: Stack, spec: ContainerSpec): LaunchFacts {
  const { kernel } = context;
  const account = accountOf(spec, kernel);
  if ('missing' in account) {
    throw new TsboxError('TSB1004', `no ${account.missing} in the container's /etc`, {
      address: containerAddress(spec.name),
    });
  }
  const devices = containerDevices(spec.devices, stack, containerAddress(spec.name), () => undefined, kernel);
  const named =
    spec.devices === null
      ? []
      : typeof spec.devices === 'string'
        ? (stack.devices.get(spec.devices) ?? [])
        : spec.devices;
  const nodes = named.flatMap((rule) => {
    const numbers = rule.allow && rule.path !== undefined ? kernel.deviceAt(rule.path) : undefined;
    return numbers === undefined || rule.path === undefined ? [] : [{ path: rule.path, ...numbers }];
  });
  context.cache.mountinfo ??= String(kernel.readFiles(['/proc/self/mountinfo'])[0]);
  const needsScope = NAMESPACE_TYPES.some(
    (t) => spec.namespaces[t].kind !== 'new' && spec.namespaces[t].kind !== 'host',
  );
  const { join, create } = resolveNamespaces(context, spec, needsScope);
  return {
    account,
    join,
    create,
    mountinfo: context.cache.mountinfo,
    ttyGroup: mapsGroup(spec, stack, TTY),
    rootMapped: rootMap(spec, stack, kernel) === 'container',
    own: ownSettings(context),
    landlockAbi: () => kernel.landlockAbi(),
    rules: devices.rules,
    nodes,
    cgroup2: kernel.layout.hierarchies.some((h) => h.version === 2),
    mounts: {
      table: spec.mounts.length === 0 ? NO_MOUNTS : hostMountTable(kernel),
      places: placesOf(stack, kernel),
    },
    files: fileOps(spec, stack),
    arch: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
  };
}

function sameNamespace(reader: KernelReader, a: string, b: string): boolean {
  const [first, second] = reader.stats([a, b]);
  return typeof first === 'object' && typeof second === 'object' && first.ino === second.ino;
}

/** What a process inherits of us. */
export function ownSettings({ kernel }: Pick<ExecutionContext, 'kernel'>): LaunchFacts['own'] {
  const [scheduling] = kernel.scheduling([process.pid]);
  const [score] = kernel.readFiles(['/proc/self/oom_score_adj']);
  return {
    scheduling: typeof scheduling === 'object' ? scheduling : undefined,
    score: typeof score === 'string' ? score.trim() : '',
  };
}

function resolveNamespaces(
  context: ExecutionContext,
  spec: ContainerSpec,
  needsScope: boolean,
): { join: JoinNamespace[]; create: NamespaceType[] } {
  const { kernel, stackName } = context;
  const address = containerAddress(spec.name);
  // Inodes of its last run, when it is being restarted.
  const label = readLabel(context, leafPath(spec));
  const restarted = label?.namespaces;
  const scope: StackScope | undefined =
    needsScope || restarted !== undefined ? readScope(kernel, stackName) : undefined;
  const join: JoinNamespace[] = [];
  const create = new Set(newTypes(spec));
  for (const type of JOIN_ORDER) {
    const use = spec.namespaces[type];
    if (use.kind === 'host' || scope === undefined) {
      continue;
    }
    if (use.kind === 'new') {
      const before = SURVIVING.includes(type) ? restarted?.[type] : undefined;
      const held = before === undefined ? undefined : memberFile(kernel, scope, type, before, address);
      if (held !== undefined) {
        join.push({ type, path: held.path, startTime: held.startTime });
        create.delete(type);
      }
      continue;
    }
    const file = namespaceFile(kernel, scope, useText(use), type);
    if (file === undefined) {
      throw new TsboxError('TSB3002', `join ${type} namespace of ${useText(use)}: there is no such namespace now`, {
        address,
        hint: use.kind === 'container' ? 'that container has to be running' : 'make it first, or name another one',
      });
    }
    const joined = label?.joined?.[type];
    if (use.kind === 'pid' && joined !== undefined && joined !== file.startTime) {
      throw new TsboxError('TSB3002', `process ${use.pid} is not the one whose ${type} namespace was joined before`, {
        address,
        hint: 'its number was given to another process; name one that runs now',
      });
    }
    if (type === 'user' && sameNamespace(kernel, file.path, '/proc/self/ns/user')) {
      // It is ours, and nobody joins the user namespace he is in (EINVAL, setns(2)).
      continue;
    }
    join.push({ type, path: file.path, startTime: file.startTime });
  }
  return { join, create: [...create] };
}
