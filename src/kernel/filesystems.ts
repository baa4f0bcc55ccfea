/** Which file system a path is on, and which of them this kernel can show with other ids. */
import { parseMountInfo } from './proc.ts';

/**
 * Type of the file system that holds a path.
 * @param real the path without links; undefined when it is not there
 */
export function fileSystemOf(real: string | undefined, mountinfo: string): string | undefined {
  if (real === undefined) {
    return undefined;
  }
  let found: { readonly length: number; readonly fstype: string } | undefined;
  for (const { target, fstype } of parseMountInfo(mountinfo)) {
    const within = target === '/' || real === target || real.startsWith(`${target}/`);
    // Of two mounts on one directory the later covers the other.
    if (within && target.length >= (found?.length ?? 0)) {
      found = { length: target.length, fstype };
    }
  }
  return found?.fstype;
}

/**
 * The first release whose mounts of each file system can be idmapped: FS_ALLOW_IDMAP in the kernel's source. An
 * overlay is not among them; its layers are.
 */
const IDMAPPED_SINCE: Readonly<Record<string, readonly [number, number]>> = {
  ext4: [5, 12],
  vfat: [5, 12],
  msdos: [5, 12],
  xfs: [5, 12],
  btrfs: [5, 15],
  ntfs3: [5, 15],
  f2fs: [5, 18],
  erofs: [5, 19],
  squashfs: [6, 2],
  tmpfs: [6, 3],
  ceph: [6, 7],
  fuse: [6, 12],
  virtiofs: [6, 12],
};

/** File systems whose server has a say: whether it takes idmapped mounts shows only when one is made. */
const SERVED = new Set(['fuse', 'virtiofs']);

/**
 * Whether mounts of the type can be idmapped by a kernel of this release ('6.1.0-56-cloud-amd64'); 'perhaps' where
 * somebody else decides.
 */
export function idmapSupport(fstype: string, release: string): 'yes' | 'perhaps' | 'no' {
  const type = fstype.startsWith('fuse') ? 'fuse' : fstype;
  const since = IDMAPPED_SINCE[type];
  const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
  if (since === undefined || major < since[0] || (major === since[0] && minor < since[1])) {
    return 'no';
  }
  return SERVED.has(type) ? 'perhaps' : 'yes';
}
