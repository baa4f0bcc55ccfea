/** Declared mounts as operations of native/init, in the order in which the kernel can do them. */
import { TsboxError } from '../../../errors.ts';
import type { MountFlags, RootOp } from '../../../kernel/init-spec.ts';
import { imageText } from '../rootfs.ts';
import { idmapField } from './idmap.ts';
import { sourceAt, sourcePath, wholePath, type HostMounts, type Places } from './host.ts';
import {
  hidepidNumber,
  isBelow,
  type BindSpec,
  type ImageMountSpec,
  type MountSpec,
  type TmpfsSpec,
  type VolumeMountSpec,
} from './schema.ts';
import { clearedFlags, flagsOf } from './text.ts';

/** What the live system says that the operations need. */
export interface MountFacts {
  readonly table: HostMounts;
  readonly places: Places;
  /** Whether the container has network and cgroup namespaces of its own, whose views it may then mount. */
  readonly ownNet: boolean;
}

function flagFields(names: readonly string[]): MountFlags {
  return Object.fromEntries(names.map((n) => [n, true]));
}

/** A target on the host's mounts below a bind, for what holds at its top only. */
function submounts(table: HostMounts, source: string): string[] {
  return [...new Set([...table.byId.values()].map((m) => m.target))]
    .filter((t) => t !== source && isBelow(t, source))
    .sort();
}

function bindOps(spec: BindSpec | VolumeMountSpec, facts: MountFacts): RootOp[] {
  const place = sourcePath(spec, facts.places);
  const recursive = spec.kind === 'bind' && spec.recursive;
  const propagation = spec.kind === 'bind' && spec.propagation !== 'rprivate' ? spec.propagation : undefined;
  const wanted = spec.kind === 'bind' ? spec.create : 'auto';
  const op: RootOp = {
    op: 'bind',
    source: place.path,
    within: place.within,
    target: spec.target,
    recursive,
    create: wanted === 'auto' ? (sourceAt(facts.table, wholePath(place))?.kind ?? 'dir') : wanted,
    ro: spec.readonly !== false,
    topOnly: spec.readonly === 'top',
    ...flagFields(flagsOf(spec)),
    clear: flagFields(clearedFlags(spec)),
    ...(propagation === undefined ? {} : { propagation }),
    ...idmapField(spec.idmap, recursive),
  };
  if (propagation === undefined || !recursive || propagation.startsWith('r')) {
    return [op];
  }
  // Without the r it holds at the top: what came along below is private.
  const below = submounts(facts.table, place.path).map((path): RootOp => ({
    op: 'remount',
    target: spec.target + path.slice(place.path.length),
    set: {},
    clear: {},
    recursive: false,
    propagation: 'private',
  }));
  return [op, ...below];
}

/** fsconfig options of a tmpfs. */
export function tmpfsOptions(spec: TmpfsSpec): string[] {
  return [
    ...(spec.size === null ? [] : [`size=${spec.size}`]),
    ...(spec.inodes === null ? [] : [`nr_inodes=${spec.inodes}`]),
    `mode=${spec.mode.toString(8).padStart(4, '0')}`,
    ...(spec.uid === 0 ? [] : [`uid=${spec.uid}`]),
    ...(spec.gid === 0 ? [] : [`gid=${spec.gid}`]),
  ];
}

/** One layer is mounted itself: the kernel stacks two at least. */
function imageOp(spec: ImageMountSpec): RootOp {
  const { target, found } = spec;
  const [only, ...more] = found?.directories ?? [];
  if (found === null || only === undefined) {
    throw new TsboxError('TSB1010', `${imageText(spec.use, found)} is not there, or has no layers`);
  }
  const common = { target, create: 'dir', ro: true, ...flagFields(flagsOf(spec)) } as const;
  return more.length === 0
    ? { op: 'bind', source: only, recursive: false, clear: flagFields(clearedFlags(spec)), ...common }
    : { op: 'overlay', lower: found.directories, ...common };
}

/** The operations of one declared mount. */
export function opsOf(spec: MountSpec, facts: MountFacts): RootOp[] {
  if (spec.kind === 'image') {
    return [imageOp(spec)];
  }
  if (spec.kind === 'bind' || spec.kind === 'volume') {
    return bindOps(spec, facts);
  }
  const common = {
    target: spec.target,
    create: 'dir',
    ro: spec.readonly !== false,
    ...flagFields(flagsOf(spec)),
  } as const;
  switch (spec.kind) {
    case 'tmpfs':
      return [{ op: 'mount', fstype: 'tmpfs', options: tmpfsOptions(spec), copyUp: spec.copyUp, ...common }];
    case 'proc': {
      const options = [
        ...(spec.hidepid === 'off' ? [] : [`hidepid=${hidepidNumber(spec.hidepid)}`]),
        ...(spec.subset === null ? [] : [`subset=${spec.subset}`]),
      ];
      return [{ op: 'mount', fstype: 'proc', options, ...common }];
    }
    case 'sysfs':
      // sysfs shows the network of whoever mounts it, and may only be mounted by that network's owner.
      return facts.ownNet
        ? [{ op: 'mount', fstype: 'sysfs', options: [], ...common }]
        : [{ op: 'bind', source: '/sys', recursive: false, ...common }];
    case 'mqueue':
      return [{ op: 'mount', fstype: 'mqueue', options: [], ...common }];
    case 'devpts':
      return [{ op: 'mount', fstype: 'devpts', options: ['newinstance', 'ptmxmode=0666', 'mode=0620'], ...common }];
    case 'cgroup':
      return [{ op: 'mount', fstype: 'cgroup2', options: [], ...common }];
  }
}

/**
 * The root's operations with the declared ones: in the place of a default with the same target, and otherwise before
 * what covers paths. A path that is masked by default and lies in a declared mount is not masked.
 */
export function withMounts(defaults: readonly RootOp[], covers: readonly RootOp[], own: readonly RootOp[][]): RootOp[] {
  const byTarget = new Map(own.map((ops) => [targetOf(ops[0]), ops]));
  const taken = new Set<string>();
  const placed = defaults.flatMap((op): readonly RootOp[] => {
    const target = targetOf(op);
    const mine = op.op === 'mount' || op.op === 'bind' ? byTarget.get(target) : undefined;
    if (mine === undefined) {
      return [op];
    }
    taken.add(target ?? '');
    return mine;
  });
  const rest = [...byTarget].filter(([target]) => !taken.has(target ?? ''));
  rest.sort(([a = ''], [b = '']) => (a < b ? -1 : 1));
  const targets = [...byTarget.keys()].filter((t): t is string => t !== undefined && t !== '/proc' && t !== '/sys');
  return [
    ...placed,
    ...rest.flatMap(([, ops]) => ops),
    ...covers.filter((op) => !targets.some((t) => isBelow(targetOf(op) ?? '', t))),
  ];
}

/** The target of an operation that has one. */
export function targetOf(op: RootOp | undefined): string | undefined {
  return op !== undefined && 'target' in op ? op.target : undefined;
}
