/** The part of native/init's description that is about mounts: how they are bound, and how those of a running container are edited. */
import type { JoinNamespace, MountFlags, RootOp } from './init-spec.ts';

/** mount(2), "Changing the propagation type": the forms with r hold for everything below as well. */
export const PROPAGATIONS = [
  'private',
  'slave',
  'shared',
  'unbindable',
  'rprivate',
  'rslave',
  'rshared',
  'runbindable',
] as const;
export type Propagation = (typeof PROPAGATIONS)[number];

/** What can be said of a bind beyond its flags. */
export interface BindOptions {
  /** Path below the source, resolved beneath it and without links; '' for the source itself. */
  readonly within?: string;
  /** Attributes that the copy does not keep from its source. */
  readonly clear?: MountFlags;
  /** Read-only at the top only, not in the mounts below it. */
  readonly topOnly?: boolean;
  /** Absent: private, everywhere in the copy. */
  readonly propagation?: Propagation;
}

/** Takes the place of what is mounted on the target, without a moment between where the kernel can (Linux 6.5). */
export interface Swap {
  readonly swap?: boolean;
}

export type MountOp =
  /** A file of a tmpfs of its own, with this content. */
  | ({
      readonly op: 'file';
      readonly target: string;
      readonly content: Uint8Array;
      readonly uid: number;
      readonly gid: number;
      readonly mode: number;
    } & MountFlags &
      Swap)
  /** Takes off what is mounted topmost on the target, and what is below it. */
  | { readonly op: 'unmount'; readonly target: string }
  | {
      readonly op: 'remount';
      readonly target: string;
      readonly set: MountFlags;
      readonly clear: MountFlags;
      readonly recursive: boolean;
      readonly propagation?: Propagation;
    }
  /** New options for the file system mounted on the target. */
  | { readonly op: 'reconfigure'; readonly target: string; readonly options: readonly string[] }
  /** ESTALE unless the topmost mount on the target has this id. */
  | { readonly op: 'expect'; readonly target: string; readonly id: number }
  /** Directories stacked on each other, the topmost first and two at least, nothing of them writable. */
  | ({
      readonly op: 'overlay';
      readonly lower: readonly string[];
      readonly target: string;
      readonly create: 'none' | 'dir';
    } & MountFlags &
      Swap)
  /** The root is entered by chroot and not by pivot_root: the old one stays beneath, without what is mounted at `detach`. */
  | { readonly op: 'chroot'; readonly detach: readonly string[] };

/** Edit the mounts of a running container, from inside its namespaces. */
export interface MountsSpec {
  readonly mode: 'mounts';
  readonly title: string;
  /** Process of the container, whose root is that of the targets. */
  readonly pid: number;
  readonly startTime: string;
  /** Its namespaces; mnt must be among them. */
  readonly join: readonly JoinNamespace[];
  readonly ops: readonly RootOp[];
}

/** Tags and numbers of native/init/spec.h. */
export const MOUNT_TAGS = { blob: 40, mountsRoot: 41 } as const;
export const MOUNT_OPS = {
  file: 20,
  unmount: 21,
  remount: 22,
  reconfigure: 23,
  expect: 24,
  chroot: 25,
  overlay: 40,
} as const;

export const TOP_ONLY = 1024;
export const SWAP = 2048;
export const COPY_UP = 4096;

const MS: Readonly<Record<string, number>> = {
  unbindable: 1 << 17,
  private: 1 << 18,
  slave: 1 << 19,
  shared: 1 << 20,
};
const MS_REC = 1 << 14;

/** MS_ flags of a propagation, 0 for none. */
export function propagationBits(p: Propagation | undefined): number {
  if (p === undefined) {
    return 0;
  }
  const recursive = Object.hasOwn(MS, p) ? 0 : MS_REC;
  return (MS[recursive === 0 ? p : p.slice(1)] ?? 0) | recursive;
}
