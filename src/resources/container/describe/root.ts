/** What a running process sees as /, as a stack says it. Documentation/filesystems/overlayfs.rst. */
import { isBelow } from '../mounts/schema.ts';
import { overlayLowers, superOptions, type MountInfo } from '../../../kernel/proc.ts';
import type { ProcessFacts, Tell } from './facts.ts';

export interface DescribedRoot {
  readonly fields: Readonly<Record<string, unknown>>;
  /** Whether its root is the machine's own, where mounts are the machine's too. */
  readonly host: boolean;
}

/** @param applied the rootfs of the container that it is the process of, as a plan writes it */
export function describeRoot(facts: ProcessFacts, applied: string | undefined, tell: Tell): DescribedRoot {
  const root = facts.mounts.filter((m) => m.target === '/').at(-1);
  const hostRoot = facts.hostMounts.filter((m) => m.target === '/').at(-1);
  const link = facts.link('root');
  if (link !== undefined && link !== '/') {
    tell('rootfs', `it was moved to ${link} by chroot, which is not described`);
  }
  if (root === undefined || hostRoot === undefined) {
    tell('rootfs', 'cannot be told: the root of the host stands for it');
    return { fields: {}, host: true };
  }
  if (root.device === hostRoot.device && root.root === hostRoot.root) {
    tell('rootfs', "it has the host's own root; in a copy that is read-only, with a /tmp, /run and /dev of its own");
    return { fields: {}, host: true };
  }
  const readonly = root.options.includes('ro') ? { readonly: true } : {};
  const known = applied === undefined ? undefined : fromText(applied);
  if (known !== undefined) {
    tell('rootfs', 'as its stack has it: what it has written there is not in a copy');
    return { fields: { rootfs: { ...known, ...readonly } }, host: false };
  }
  if (root.fstype === 'overlay') {
    return { fields: { rootfs: overlay(root, readonly, tell) }, host: false };
  }
  const dir = hostPath(facts.hostMounts, root);
  if (dir === undefined) {
    tell('rootfs', `${root.fstype} ${root.source} is mounted nowhere on the host: the root of the host stands for it`);
    return { fields: {}, host: true };
  }
  return { fields: { rootfs: { dir, overlay: false, ...readonly } }, host: false };
}

/** The source that rootfsText writes: the kernel does not show layers that were opened before they were mounted. */
function fromText(text: string): Record<string, unknown> | undefined {
  const [, kind, rest = '', how = ''] =
    /^(dir|overlay|tar|[a-z-]+):(.*?)(?:@[a-z0-9]+:[0-9a-f]+)?(?: \((.*)\))?$/.exec(text) ?? [];
  switch (kind) {
    case undefined:
      return undefined;
    case 'dir':
      return { dir: rest, ...(how.split(', ').includes('overlay') ? {} : { overlay: false }) };
    case 'overlay':
      // Each is a full path.
      return { overlay: rest.split(/:(?=\/)/) };
    case 'tar':
      return { tar: rest };
    default:
      return { image: `${kind}:${rest}` };
  }
}

/** The layers, with what it has written as the topmost: that one it goes on writing to, and a copy only reads. */
function overlay(root: MountInfo, readonly: object, tell: Tell): Record<string, unknown> {
  const lower = overlayLowers(root);
  const [upper] = superOptions(root, 'upperdir');
  const own = upper?.startsWith('/') === true && !('readonly' in readonly);
  if (own) {
    tell('rootfs', `what it has written, ${upper}, is the topmost layer of a copy, whose own writes stay in memory`);
  }
  const layers = [...(own ? [upper] : []), ...lower];
  const lost = layers.filter((l) => !l.startsWith('/'));
  if (lost.length > 0) {
    tell('rootfs', `layers that are not named by a full path are left out: ${lost.join(', ')}`);
  }
  const dirs = layers.filter((l) => l.startsWith('/'));
  return dirs.length === 0 ? { dir: '/', ...readonly } : { overlay: dirs, ...readonly };
}

/** The path on the host of what a mount shows. */
export function hostPath(hostMounts: readonly MountInfo[], mount: MountInfo): string | undefined {
  const above = hostMounts
    .filter((h) => h.device === mount.device && isBelow(mount.root, h.root))
    .filter((h) => uncovered(hostMounts, h))
    .sort((a, b) => b.root.length - a.root.length)[0];
  if (above === undefined) {
    return undefined;
  }
  const rest = above.root === '/' ? mount.root : mount.root.slice(above.root.length);
  const path = `${above.target === '/' ? '' : above.target}${rest === '/' ? '' : rest}` || '/';
  // A mount between hides it.
  const between = hostMounts.some(
    (h) => h !== above && h.target !== above.target && isBelow(h.target, above.target) && isBelow(path, h.target),
  );
  return between ? undefined : path;
}

/** Whether it is the last one on its target. */
function uncovered(mounts: readonly MountInfo[], mount: MountInfo): boolean {
  return mounts.filter((m) => m.target === mount.target).at(-1) === mount;
}
