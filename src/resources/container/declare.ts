/** What a container's spec wants, attribute by attribute. */
import { TsboxError } from '../../errors.ts';
import { NAMESPACE_TYPES, policyText, type RestartPolicy } from '../../kernel/init-spec.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import type { Stack } from '../../stack/types.ts';
import type { Value } from '../attribute.ts';
import { cgroupAddress } from '../cgroup/index.ts';
import { desiredKnobs } from '../cgroup/writes.ts';
import { containerDevices } from '../devices/steps.ts';
import type { Declared, Problem } from '../kind.ts';
import { namespaceAddress } from '../namespace/index.ts';
import { desiredNetwork } from '../network/steps.ts';
import { NAMESPACE_ROW } from '../namespace/registry.ts';
import type { NamespaceUse } from '../namespace/schema.ts';
import { resolveAccount, type Account } from './accounts.ts';
import { desiredHooks } from './hooks.ts';
import { desiredTerminal } from './terminal.ts';
import { desiredHealth } from './health.ts';
import { checkMapped, rootIsMapped } from './idmap.ts';
import { checkInitramfs } from './initramfs.ts';
import { checkOwners } from './owners.ts';
import { checkNamespacePath } from './namespaces.ts';
import { useText } from './use-text.ts';
import { desiredSets } from './process/sets.ts';
import { checkConfine } from './process/confine.ts';
import { checkSettings } from './process/settings.ts';
import { desiredFiles } from './files.ts';
import { desiredMounts, mountNeeds } from './mounts/index.ts';
import { imageNotes, packedRoot } from './image.ts';
import { UNKNOWN } from './mounts/text.ts';
import { checkLog, logText } from './log.ts';
import { MASKED_PATHS, READONLY_PATHS } from './paths.ts';
import { containerOf, leafName } from './replica-names.ts';
import { rootfsText, rootLayers } from './rootfs.ts';
import { declaredFilter } from './seccomp/use.ts';
import type { ContainerSpec } from './schema.ts';

export const PREFIX = 'container/';

export function containerAddress(name: string): string {
  return PREFIX + name;
}

/** Path of the container's leaf cgroup below the stack's directory. */
export function leafPath(spec: Pick<ContainerSpec, 'cgroup' | 'name' | 'leaf'>): string {
  if (spec.leaf !== undefined) {
    return spec.leaf;
  }
  const leaf = leafName(spec.name);
  return spec.cgroup === null ? leaf : `${spec.cgroup}/${leaf}`;
}

/** What its supervisor and its files of the run directory are called: two generations of one container differ. */
export function runName(spec: Pick<ContainerSpec, 'cgroup' | 'name' | 'leaf'>): string {
  const path = leafPath(spec);
  return path.slice(path.lastIndexOf('/') + 1);
}

/** A container of the stack itself may be named with the stack's name; it is the same container. */
function withinStack(use: NamespaceUse, stack: string): NamespaceUse {
  return use.kind === 'container' && use.stack === stack ? { ...use, stack: null } : use;
}

export { useText } from './use-text.ts';

export function restartPolicy(spec: ContainerSpec): RestartPolicy {
  return {
    policy: spec.restart.policy,
    max: spec.restart.max,
    backoffMs: spec.restart.backoff,
    backoffMaxMs: spec.restart.backoffMax,
    stopSignal: spec.stopSignal,
    graceMs: spec.stopGracePeriod,
  };
}

/** The restart and stop attributes from a policy xattr's text. */
export function policyValues(text: string): { restart: string; stop: string } {
  const words = text.trim().split(' ');
  return {
    restart: words
      .filter((w) => /^(restart|max|backoff|backoff_max)=/.test(w))
      .join(' ')
      .replace(/^restart=/, ''),
    stop: words.filter((w) => /^(signal|grace)=/.test(w)).join(' '),
  };
}

/** The container's account in numbers, or the name its passwd lacks. */
export function accountOf(spec: ContainerSpec, reader: KernelReader): Account | { readonly missing: string } {
  const numeric = typeof spec.user.user === 'number' && typeof spec.user.group === 'number';
  const roots = rootLayers(spec.rootfs);
  const needsFiles = !numeric || spec.user.groups.some((g) => typeof g === 'string');
  return resolveAccount(
    spec.user,
    needsFiles ? reader.accountFile(roots, 'passwd') : '',
    needsFiles ? reader.accountFile(roots, 'group') : '',
  );
}

export function maskedPaths(spec: ContainerSpec): readonly string[] {
  return spec.maskedPaths === 'default' ? MASKED_PATHS : spec.maskedPaths;
}

export function readonlyPaths(spec: ContainerSpec): readonly string[] {
  return spec.readonlyPaths === 'default' ? READONLY_PATHS : spec.readonlyPaths;
}

/** The path, or the nearest directory above it that exists. */
function existing(path: string, reader: KernelReader): string {
  const there = path === '' || typeof reader.stats([path])[0] === 'object';
  return there ? path || '/' : existing(path.slice(0, path.lastIndexOf('/')), reader);
}

/** Says which directory of a root is not there: overlayfs only says that one of them is not. */
function checkLayers(
  spec: ContainerSpec,
  stack: Stack,
  reader: KernelReader,
  report: (problem: Problem) => void,
): void {
  const { rootfs } = spec;
  if (spec.namespaces.mnt.kind !== 'new' || (rootfs.kind !== 'dir' && rootfs.kind !== 'overlay')) {
    return;
  }
  const address = containerAddress(spec.name);
  rootLayers(rootfs).forEach((path, index) => {
    const found = reader.locate(path);
    if (found?.kind === 'dir') {
      return;
    }
    const place = rootfs.kind === 'dir' ? ['dir'] : ['overlay', index];
    const message = found === undefined ? `there is no ${path} for its root` : `${path} is no directory`;
    report({
      severity: 'error',
      error: new TsboxError('TSB1004', `${address}: ${message}`, {
        at: stack.locate(address, ['rootfs', ...place]),
        address,
        hint: 'a relative path starts at the directory of the file it stands in',
      }),
    });
  });
}

/** Says what is given up by a root that is entered by chroot. */
function checkPivot(spec: ContainerSpec, stack: Stack, report: (problem: Problem) => void): void {
  const { rootfs } = spec;
  if (spec.namespaces.mnt.kind !== 'new' || rootfs.kind === 'host' || rootfs.pivot) {
    return;
  }
  const address = containerAddress(spec.name);
  const able = spec.capabilities.filter((c) => c === 'SYS_CHROOT' || c === 'SYS_ADMIN');
  const who = able.length === 0 ? 'SYS_CHROOT or SYS_ADMIN would let it' : `${able.join(' and ')} lets it`;
  report({
    severity: 'warning',
    error: new TsboxError(
      'TSB1009',
      `${address}: pivot: false leaves the host's root mounted beneath the container's: ${who} get out to it`,
      { at: stack.locate(address, ['rootfs', 'pivot']), address, hint: 'leave pivot out where pivot_root works' },
    ),
  });
}

/** Whether the root of a container is idmapped; 'none' also where there is nothing to map. */
export function rootMap(
  spec: ContainerSpec,
  stack: Stack,
  reader: KernelReader,
  report?: (problem: Problem) => void,
): 'container' | 'none' {
  // The host's root stays as it is: what only the host's root may read is none of the container's root's business.
  const { rootfs } = spec;
  const own = spec.namespaces.mnt.kind === 'new' && rootfs.kind !== 'host';
  // Layers are on the file system of the state directory, unpacked or not.
  const layers = packedRoot(spec) === undefined ? rootLayers(rootfs) : [existing(reader.settings.stateDir, reader)];
  return own && rootIsMapped(spec, layers, rootfs.idmap, stack, reader, report) ? 'container' : 'none';
}

/** Stands in where the container's passwd is not there to be read yet. */
const NOBODY: Account = { uid: 0, gid: 0, groups: [] };

/** Declares one container. */
export function declareContainer(
  spec: ContainerSpec,
  stack: Stack,
  reader: KernelReader,
  report: (problem: Problem) => void,
): Declared {
  const address = containerAddress(spec.name);
  const account = spec.unknown.includes('user') ? NOBODY : accountOf(spec, reader);
  if ('missing' in account) {
    report({
      severity: 'error',
      error: new TsboxError('TSB1004', `${address}: no ${account.missing} in the container's /etc`, {
        at: stack.locate(address, ['user']),
        address,
        hint: 'give the number instead',
      }),
    });
  }
  if (!('missing' in account)) {
    checkMapped(spec, account, stack, report);
  }
  const user =
    'missing' in account ? '?' : `${account.uid}:${account.gid}${account.groups.map((g) => `,${g}`).join('')}`;
  checkOwners(spec, stack, reader, report);
  checkLayers(spec, stack, reader, report);
  checkPivot(spec, stack, report);
  checkInitramfs(spec, reader, address, report, () => stack.locate(address, ['capabilities']));
  checkLog(spec.log, reader, address, report, stack.locate(address, ['log']));
  checkSettings(spec.settings, reader, address, report, (field) => stack.locate(address, [field]));
  const confine = checkConfine(spec.confine, reader, address, report, (field) => stack.locate(address, [field]));
  const policy = policyValues(policyText(restartPolicy(spec)));
  const hierarchies = reader.layout.hierarchies.map((h) => h.name);
  const desired: Record<string, Value> = {
    state: 'running',
    supervisor: 'present',
    cgroup: leafPath(spec),
    hierarchies,
    placement: hierarchies,
    rootfs: spec.namespaces.mnt.kind === 'new' ? rootfsText(spec.rootfs) : 'shared',
    ...(spec.namespaces.mnt.kind === 'new' ? { rootfs_idmap: rootMap(spec, stack, reader, report) } : {}),
    command: spec.command,
    env: spec.env,
    working_dir: spec.workingDir,
    user,
    capabilities: spec.capabilities,
    no_new_privs: String(spec.noNewPrivs),
    seccomp: declaredFilter(spec.seccomp, address, stack, report),
    masked_paths: maskedPaths(spec),
    readonly_paths: readonlyPaths(spec),
    log: logText(spec.log),
    ...spec.settings,
    ...spec.start,
    ...confine,
    ...desiredSets(spec.capabilitySets, 'missing' in account ? 0 : account.uid),
    restart: policy.restart,
    stop: policy.stop,
    sysctls: spec.sysctls,
    ...desiredHealth(spec.healthcheck),
    ...desiredHooks(spec.hooks),
    ...desiredTerminal(spec.terminal),
    devices: containerDevices(spec.devices, stack, address, report, reader).canonical,
    ...desiredMounts(spec, address, stack, reader, report),
    ...desiredFiles(spec, address, stack, reader, report),
    ...desiredNetwork(spec.network, false, address, stack, reader, report),
    ...desiredKnobs(spec.knobs, false, address, stack, reader, report),
  };
  for (const name of spec.unknown) {
    desired[name] = name === 'rootfs' ? `${rootfsText(spec.rootfs)} ${UNKNOWN}` : UNKNOWN;
  }
  const needs = new Set<string>(mountNeeds(spec));
  const shares = new Set<string>();
  if (spec.cgroup !== null) {
    needs.add(cgroupAddress(spec.cgroup));
  }
  for (const type of NAMESPACE_TYPES) {
    const use = withinStack(spec.namespaces[type], stack.name);
    desired[`namespace.${type}`] = useText(use);
    if (use.kind === 'new') {
      Object.assign(desired, NAMESPACE_ROW[type].desired(use.settings, null));
    } else if (use.kind === 'declared') {
      shares.add(namespaceAddress(use.name));
    } else if (use.kind === 'container' && use.stack === null) {
      shares.add(containerAddress(use.name));
    } else if (use.kind === 'path') {
      checkNamespacePath(reader, use.path, type, { address, at: stack.locate(address, ['namespaces', type]) }, report);
    }
  }
  const waits = Object.entries(spec.dependsOn).flatMap(([name, condition]) => {
    const optional = spec.optional.has(name) || spec.optional.has(containerOf(name));
    return optional && !stack.containers.has(name) ? [] : [{ address: containerAddress(name), condition, optional }];
  });
  for (const target of [...shares, ...waits.map((w) => w.address)]) {
    needs.add(target);
  }
  return {
    address,
    kind: 'container',
    desired,
    needs: [...needs],
    shares: [...shares],
    waits,
    at: stack.locate(address, []),
    notes: imageNotes(spec),
  };
}
