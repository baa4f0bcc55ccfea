/**
 * Mounts as attribute values: `bind rw,nosuid,nodev /srv/data`, `tmpfs rw,nosuid,nodev,size=67108864,mode=1777`. The
 * declared text says what mountinfo will show, and the live one is made from what it shows.
 */
import { idInside, overlayLowers, parseIdMap, type MountInfo } from '../../../kernel/proc.ts';
import { nearestSource, sourceAt, sourcePath, wholePath, type HostMounts, type Places, type Source } from './host.ts';
import { imageText } from '../rootfs.ts';
import { idmapWord, liveIdmap } from './idmap.ts';
import { hidepidNumber, isBelow, type HidePid, type MountSpec } from './schema.ts';

export type FlagName = 'nosuid' | 'nodev' | 'noexec';
const FLAGS: readonly FlagName[] = ['nosuid', 'nodev', 'noexec'];

/** Flags that hold when the stack says nothing. */
const DEFAULTS: Readonly<Record<MountSpec['kind'], readonly FlagName[]>> = {
  bind: ['nosuid', 'nodev'],
  volume: ['nosuid', 'nodev'],
  image: ['nosuid', 'nodev'],
  tmpfs: ['nosuid', 'nodev'],
  proc: FLAGS,
  sysfs: FLAGS,
  mqueue: FLAGS,
  cgroup: FLAGS,
  devpts: ['nosuid', 'noexec'],
};

/** Flags to set on a mount: what the stack says, else the kind's default. */
export function flagsOf(spec: MountSpec): FlagName[] {
  return FLAGS.filter((f) => spec.flags[f] ?? DEFAULTS[spec.kind].includes(f));
}

/** Flags that the stack takes off: a copy would have them from its source. */
export function clearedFlags(spec: MountSpec): FlagName[] {
  return FLAGS.filter((f) => spec.flags[f] === false);
}

/** What a text shows that only the apply will know. */
export const UNKNOWN = '(known after apply)';

const PAGE = 4096;

/** The kernel rounds the size of a tmpfs up to whole pages. */
export function tmpfsBytes(size: number): number {
  return Math.ceil(size / PAGE) * PAGE;
}

const FSTYPE: Readonly<Partial<Record<MountSpec['kind'], string>>> = {
  tmpfs: 'tmpfs',
  proc: 'proc',
  sysfs: 'sysfs',
  mqueue: 'mqueue',
  devpts: 'devpts',
  cgroup: 'cgroup2',
};

/** The text that a declared mount will have once it is there. */
export function declaredText(spec: MountSpec, table: HostMounts, places: Places): string {
  if (spec.kind === 'bind' || spec.kind === 'volume') {
    const whole = wholePath(sourcePath(spec, places));
    const inherited = (sourceAt(table, whole) ?? nearestSource(table, whole))?.options ?? [];
    const set = flagsOf(spec);
    const flags = FLAGS.filter((f) => set.includes(f) || (inherited.includes(f) && spec.flags[f] !== false));
    const readonly = spec.readonly === 'top' ? 'ro-top' : spec.readonly || inherited.includes('ro') ? 'ro' : 'rw';
    const propagation = spec.kind === 'bind' && !spec.propagation.endsWith('private') ? [spec.propagation] : [];
    const recursion = spec.kind === 'bind' && !spec.recursive ? ['single'] : [];
    const ids = spec.idmap === null ? [] : [idmapWord(spec.idmap)];
    const source = spec.kind === 'bind' ? spec.source : spec.volume + (spec.subpath === '' ? '' : `/${spec.subpath}`);
    return `${spec.kind} ${[readonly, ...flags, ...propagation, ...recursion, ...ids].join(',')} ${source}`;
  }
  const options = [spec.readonly === false ? 'rw' : 'ro', ...flagsOf(spec)];
  if (spec.kind === 'image') {
    return `image ${options.join(',')} ${imageText(spec.use, spec.found)}${spec.found === null ? ` ${UNKNOWN}` : ''}`;
  }
  if (spec.kind === 'tmpfs') {
    options.push(...tmpfsWords({ ...spec, size: spec.size === null ? null : tmpfsBytes(spec.size) }));
    options.push(...(spec.copyUp ? [COPIED] : []));
  } else if (spec.kind === 'proc') {
    options.push(...procWords(spec.hidepid, spec.subset));
  }
  return `${spec.kind} ${options.join(',')}`;
}

/** What a tmpfs began with is not shown by the kernel: believed where it was applied. */
const COPIED = 'copy_up';

interface TmpfsValues {
  readonly size: number | null;
  readonly inodes: number | null;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

function tmpfsWords({ size, inodes, mode, uid, gid }: TmpfsValues): string[] {
  return [
    ...(size === null ? [] : [`size=${size}`]),
    ...(inodes === null ? [] : [`inodes=${inodes}`]),
    `mode=${mode.toString(8).padStart(4, '0')}`,
    ...(uid === 0 ? [] : [`uid=${uid}`]),
    ...(gid === 0 ? [] : [`gid=${gid}`]),
  ];
}

function procWords(hidepid: HidePid, subset: string | null): string[] {
  return [...(hidepid === 'off' ? [] : [`hidepid=${hidepid}`]), ...(subset === null ? [] : [`subset=${subset}`])];
}

/** Value of a 'key=value' option. */
export function option(mount: MountInfo, key: string): string | undefined {
  return mount.superOptions.find((o) => o.startsWith(`${key}=`))?.slice(key.length + 1);
}

/** Bytes of a tmpfs's size option ('65536k'), null where the kernel shows none: half of the memory. */
export function sizeOf(mount: MountInfo): number | null {
  const text = option(mount, 'size');
  return text === undefined ? null : text.endsWith('k') ? Number(text.slice(0, -1)) * 1024 : Number(text);
}

/** Ids as the container has them; maps are lines of 'inside outside count'. */
export interface IdMaps {
  readonly uid: string;
  readonly gid: string;
}

/** The id inside for one of the host, the same where it is not mapped. */
export function insideOrSame(map: string, id: number): number {
  return idInside(parseIdMap(map), id) ?? id;
}

function flagWords(mount: MountInfo): string[] {
  return FLAGS.filter((f) => mount.options.includes(f));
}

function propagationOf(mount: MountInfo): string[] {
  return [
    ...(mount.optional.some((o) => o.startsWith('shared:')) ? ['shared'] : []),
    ...(mount.optional.some((o) => o.startsWith('master:')) ? ['slave'] : []),
    ...(mount.optional.includes('unbindable') ? ['unbindable'] : []),
  ];
}

/** The mounts on one target, the lowest first: each next is mounted on the root of the one before. */
export function stackAt(mounts: readonly MountInfo[], target: string): MountInfo[] {
  const here = mounts.filter((m) => m.target === target);
  const ids = new Set(here.map((m) => m.id));
  const stack: MountInfo[] = [];
  for (let next = here.find((m) => !ids.has(m.parent)); next !== undefined;) {
    stack.push(next);
    const { id } = next;
    next = here.find((m) => m.parent === id && m.id !== id);
  }
  return stack;
}

/** An unpacked layer of an image, as it is on the host. */
export interface StackedLayer {
  readonly key: string;
  readonly at: Source | undefined;
}

/** What a reading of the live mounts needs besides mountinfo. */
export interface LiveContext {
  readonly mounts: readonly MountInfo[];
  readonly maps: IdMaps;
  /** Targets that have a mount of their own by declaration. */
  readonly own: ReadonlySet<string>;
  /** The source that a declared or applied text names, by that text's last part. */
  readonly source: (kind: 'bind' | 'volume', name: string) => Source | undefined;
  /** Unpacked layers of an image by its digest, the topmost first, as they are on the host. */
  readonly layers: (digest: string) => readonly StackedLayer[];
}

/**
 * The text of what is mounted on a target; undefined when nothing is. `expected` are the texts it may have, last applied
 * and declared: what the kernel does not show (how a source was called, that a bind was to be recursive) is taken
 * from the one that fits.
 */
export function liveText(context: LiveContext, target: string, expected: readonly string[]): string | undefined {
  const stack = stackAt(context.mounts, target);
  const top = stack.at(-1);
  if (top === undefined) {
    return undefined;
  }
  const beneath = stack.length > 1 ? ` over ${stack.length - 1} more` : '';
  for (const text of expected) {
    const [kind = '', options = '', ...rest] = text.split(' ');
    const name = rest.join(' ');
    const found =
      kind === 'bind' || kind === 'volume'
        ? liveBind(context, top, kind, options.split(','), name)
        : kind === 'image'
          ? liveImage(context, top, name)
          : FSTYPE[kind as MountSpec['kind']] === top.fstype && top.root === '/'
            ? `${kind} ${[...liveOptions(context, top, kind), ...options.split(',').filter((o) => o === COPIED)].join(',')}`
            : kind === 'cgroup' && top.fstype === 'cgroup2'
              ? `${kind} ${liveOptions(context, top, kind).join(',')}`
              : undefined;
    if (found !== undefined) {
      return found + beneath;
    }
  }
  const kind = (Object.keys(FSTYPE) as Array<MountSpec['kind']>).find((k) => FSTYPE[k] === top.fstype);
  const text =
    kind !== undefined && top.root === '/'
      ? `${kind} ${liveOptions(context, top, kind).join(',')}`
      : `${top.fstype} ${[readonlyWord(top), ...flagWords(top), ...propagationOf(top)].join(',')} ${top.device}:${top.root}`;
  return text + beneath;
}

function readonlyWord(mount: MountInfo): 'ro' | 'rw' {
  return mount.options.includes('ro') ? 'ro' : 'rw';
}

function liveOptions(context: LiveContext, mount: MountInfo, kind: string): string[] {
  const options: string[] = [readonlyWord(mount), ...flagWords(mount)];
  if (kind === 'tmpfs') {
    const id = (key: 'uid' | 'gid'): number => insideOrSame(context.maps[key], Number(option(mount, key) ?? 0));
    const inodes = option(mount, 'nr_inodes');
    const mode = parseInt(option(mount, 'mode') ?? '1777', 8);
    options.push(
      ...tmpfsWords({
        size: sizeOf(mount),
        inodes: inodes === undefined ? null : Number(inodes),
        mode,
        uid: id('uid'),
        gid: id('gid'),
      }),
    );
  } else if (kind === 'proc') {
    const value = option(mount, 'hidepid') ?? 'off';
    const words: readonly HidePid[] = ['off', 'noaccess', 'invisible', 'ptraceable'];
    options.push(
      ...procWords(
        words.find((w) => w === value || hidepidNumber(w) === value) ?? 'off',
        option(mount, 'subset') ?? null,
      ),
    );
  }
  return [...options, ...propagationOf(mount)];
}

/** The mount of an image, told by its layers; undefined when it is none of this one. */
function liveImage(context: LiveContext, mount: MountInfo, name: string): string | undefined {
  const layers = context.layers(/@(sha256:[0-9a-f]{64})$/.exec(name)?.[1] ?? '');
  const [only] = layers;
  const here =
    layers.length === 1
      ? isAt(mount, only?.at)
      : stacks(
          mount,
          layers.map((l) => l.key),
        );
  const words = [readonlyWord(mount), ...flagWords(mount), ...propagationOf(mount)];
  return here ? `image ${words.join(',')} ${name}` : undefined;
}

function isAt(mount: MountInfo, source: Source | undefined): boolean {
  return source !== undefined && source.device === mount.device && source.root === mount.root;
}

/** Whether an overlay is made of these layers; by their number alone where their names were too long for the kernel. */
function stacks(mount: MountInfo, keys: readonly string[]): boolean {
  if (mount.fstype !== 'overlay' || mount.root !== '/' || mount.superOptions.some((o) => o.startsWith('upperdir'))) {
    return false;
  }
  const lowers = overlayLowers(mount);
  return (
    lowers.length === keys.length &&
    lowers.every((lower, i) => /^(\/proc\/)?\d+$/.test(lower) || lower.endsWith(`/layers/sha256/${keys[i]}`))
  );
}

function liveBind(
  context: LiveContext,
  mount: MountInfo,
  kind: 'bind' | 'volume',
  wanted: readonly string[],
  name: string,
): string | undefined {
  const source = context.source(kind, name);
  if (!isAt(mount, source)) {
    return undefined;
  }
  const others = [...context.own].filter((t) => t !== mount.target && isBelow(t, mount.target));
  const below = context.mounts.filter(
    (m) => m.target !== mount.target && isBelow(m.target, mount.target) && !others.some((t) => isBelow(m.target, t)),
  );
  const ro = readonlyWord(mount);
  const everywhere = below.every((m) => m.options.includes('ro'));
  const readonly = ro === 'ro' && (wanted.includes('ro-top') || !everywhere) ? 'ro-top' : ro;
  // Whether the mounts below follow is seen in them alone.
  const propagation = propagationOf(mount).map((p) => (wanted.includes(`r${p}`) ? `r${p}` : p));
  const single = wanted.includes('single') ? ['single'] : [];
  const ids = liveIdmap(mount.options, wanted);
  return `${kind} ${[readonly, ...flagWords(mount), ...propagation, ...single, ...ids].join(',')} ${name}`;
}
