/** The mounts of a container as its other parts see them: attributes, declared values, steps. */
import { TsboxError } from '../../../errors.ts';
import type { RootOp } from '../../../kernel/init-spec.ts';
import type { KernelReader } from '../../../kernel/reader.ts';
import type { Stack } from '../../../stack/types.ts';
import type { Attribute, Value } from '../../attribute.ts';
import type { AttributeChange, Problem } from '../../kind.ts';
import type { Step } from '../../step.ts';
import type { ContainerSpec } from '../schema.ts';
import { volumeAddress } from '../../volume/paths.ts';
import { checkIdmap } from './check-idmap.ts';
import { mountEdits } from './edits.ts';
import { hostMountTable, NO_MOUNTS, sourceAt, sourcePath, wholePath, type HostMounts, type Places } from './host.ts';

import { opsOf } from './ops.ts';
import { type MountSpec, type MountsPart } from './schema.ts';
import { declaredText, tmpfsBytes } from './text.ts';

export const MOUNTS_ATTRIBUTES: readonly Attribute[] = [
  {
    name: 'mounts',
    change: 'in-place',
    observed: 'live',
    entries: 'named',
    doc: 'its declared mounts by target: source, flags, propagation, options',
    source: 'proc_pid_mountinfo(5)',
  },
  {
    name: 'shm_size',
    change: 'in-place',
    unit: 'bytes',
    observed: 'live',
    doc: 'size of /dev/shm',
    source: 'tmpfs(5)',
  },
];

/** Attributes whose change is an edit of the mounts. */
export const EDITED: readonly string[] = ['mounts', 'shm_size', 'secrets', 'configs'];

export interface MountsOwner extends MountsPart {
  readonly namespaces: Readonly<Record<'mnt' | 'net', { readonly kind: string }>>;
}

export function placesOf(stack: Pick<Stack, 'name' | 'volumes'>, reader: Pick<KernelReader, 'settings'>): Places {
  return { stack: stack.name, stateDir: reader.settings.stateDir, volumes: stack.volumes };
}

/** What is declared of a container's mounts, with everything reported that the host makes impossible. */
export function desiredMounts(
  spec: ContainerSpec,
  address: string,
  stack: Stack,
  reader: KernelReader,
  report: (problem: Problem) => void,
): Record<string, Value> {
  if (spec.namespaces.mnt.kind !== 'new') {
    return {};
  }
  const places = placesOf(stack, reader);
  const table: HostMounts = spec.mounts.length === 0 ? NO_MOUNTS : hostMountTable(reader);
  spec.mounts.forEach((m, i) => {
    checkSource(m, i, { address, stack, table, places, report });
    if (m.kind === 'bind' || m.kind === 'volume') {
      checkIdmap(m, i, spec, stack, reader, { table, places }, report);
    }
  });
  const texts = Object.fromEntries(spec.mounts.map((m) => [m.target, declaredText(m, table, places)]));
  return {
    mounts: texts,
    shm_size: spec.mounts.some((m) => m.target === '/dev/shm') ? shmOf(spec) : String(tmpfsBytes(spec.shmSize)),
  };
}

/** Where the stack mounts something of its own on /dev/shm, that says how large it is. */
function shmOf(spec: MountsPart): string {
  const own = spec.mounts.find((m) => m.target === '/dev/shm');
  return own?.kind === 'tmpfs' && own.size !== null ? String(tmpfsBytes(own.size)) : 'default';
}

interface Checking {
  readonly address: string;
  readonly stack: Stack;
  readonly table: HostMounts;
  readonly places: Places;
  readonly report: (problem: Problem) => void;
}

function checkSource(spec: MountSpec, index: number, { address, stack, table, places, report }: Checking): void {
  if (spec.kind !== 'bind' && spec.kind !== 'volume') {
    return;
  }
  const whole = wholePath(sourcePath(spec, places));
  const source = sourceAt(table, whole);
  const tell = (message: string, hint: string, key: string): void =>
    report({
      severity: 'error',
      error: new TsboxError('TSB1004', `${address}: ${message}`, {
        at: stack.locate(address, ['mounts', index, key]),
        address,
        hint,
      }),
    });
  if (spec.kind === 'volume') {
    // A volume of the stack's own is made first; what is not ours has to be there.
    return;
  }
  if (source === undefined) {
    tell(`there is no ${spec.source} to mount on ${spec.target}`, 'make it first, or use a volume', 'bind');
    return;
  }
  if (/^r?(slave|shared)$/.test(spec.propagation) && !source.shared) {
    tell(
      `${spec.source} cannot be mounted as ${spec.propagation}: it is on a private mount, from which nothing propagates`,
      'mount --make-shared on the mount it is on',
      'propagation',
    );
  }
}

/** Addresses of volumes that must exist first. */
export function mountNeeds(spec: MountsPart): string[] {
  return spec.mounts.flatMap((m) => (m.kind === 'volume' ? [volumeAddress(m.volume)] : []));
}

/** The declared mounts as operations, one list each. */
export function declaredOps(
  spec: MountsOwner,
  mounts: { readonly table: HostMounts; readonly places: Places },
): RootOp[][] {
  return spec.mounts.map((m) => opsOf(m, { ...mounts, ownNet: spec.namespaces.net.kind === 'new' }));
}

/** Targets on which a container has a mount unless it declares another. */
export function defaultTargets(spec: { readonly rootfs: { readonly kind: string } }): Set<string> {
  const always = ['/proc', '/sys', '/sys/fs/cgroup', '/dev', '/dev/pts', '/dev/shm', '/dev/mqueue'];
  return new Set([...always, ...(spec.rootfs.kind === 'host' ? ['/tmp', '/run'] : [])]);
}

/** Steps that bring a running container's mounts to what is declared, and its supervisor's description too. */
export function mountSteps(
  container: string,
  path: string,
  changes: readonly AttributeChange[],
  live: {
    readonly mountinfo: string;
    readonly defaults: ReadonlySet<string>;
    readonly supervised: boolean;
    readonly locked: boolean;
  },
): Step[] {
  const edits = mountEdits(
    changes.filter((c) => EDITED.includes(c.name)),
    live.mountinfo,
    live.defaults,
    live.locked,
  );
  return edits.length === 0
    ? []
    : [{ op: 'mounts', container, path, edits }, ...(live.supervised ? [{ op: 'describe', container } as const] : [])];
}
