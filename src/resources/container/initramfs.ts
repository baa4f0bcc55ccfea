/**
 * A host whose / is the kernel's own initramfs: the one mount without a parent, which pivot_root(2) cannot move away from
 * and nobody can unmount. A container's root is mounted over it and entered by chroot, as switch_root(8) does.
 */
import { parseMountInfo } from '../../kernel/proc.ts';
import { TsboxError } from '../../errors.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import type { Problem } from '../kind.ts';
import type { ContainerSpec } from './schema.ts';

/** The mount of /, when it is its own parent. */
const PARENTLESS = /^(\d+) \1 \S+ \S+ \/ /m;

/** Where something is mounted right on the initramfs that is /; undefined where / is another file system. */
export function mountedOnInitramfs(mountinfo: string): readonly string[] | undefined {
  const id = PARENTLESS.exec(mountinfo)?.[1];
  return id === undefined
    ? undefined
    : parseMountInfo(mountinfo)
        .filter((m) => m.parent === Number(id) && m.target !== '/')
        .map((m) => m.target);
}

/** Tells what that leaves open. */
export function checkInitramfs(
  spec: ContainerSpec,
  reader: KernelReader,
  address: string,
  report: (problem: Problem) => void,
  locate: () => Problem['error']['info']['at'],
): void {
  if (spec.namespaces.mnt.kind !== 'new' || !spec.capabilities.includes('SYS_ADMIN')) {
    return;
  }
  if (PARENTLESS.test(String(reader.readFiles(['/proc/self/mountinfo'])[0]))) {
    report({
      severity: 'warning',
      error: new TsboxError(
        'TSB1009',
        `${address}: / is the initramfs, which stays mounted beneath the container's root: SYS_ADMIN lets it get out to it`,
        { at: locate(), address, hint: 'leave SYS_ADMIN out, or boot into a root that is a mount of its own' },
      ),
    });
  }
}
