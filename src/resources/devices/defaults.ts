/**
 * What a container may do with devices when its stack says nothing, and the nodes that stand in its /dev.
 *
 * Other runtimes also allow mknod of every device ("c *:* m", "b *:* m"), so that images can carry nodes. We do not:
 * a node nobody may open is of no use, and CAP_MKNOD is withheld anyway. A stack that needs it writes
 * `{ allow: "c *:* m" }`, whether or not it also grants CAP_MKNOD.
 */
import type { DeviceRule } from './schema.ts';

/** A device node made in every container's /dev. */
export interface DeviceNode {
  readonly name: string;
  readonly type: 'c';
  readonly major: number;
  readonly minor: number;
  readonly mode: number;
}

/** Numbers: Documentation/admin-guide/devices.txt of the kernel. ptmx is a link to pts/ptmx, as devpts wants it. */
export const DEFAULT_DEVICE_NODES: readonly DeviceNode[] = [
  { name: 'null', type: 'c', major: 1, minor: 3, mode: 0o666 },
  { name: 'zero', type: 'c', major: 1, minor: 5, mode: 0o666 },
  { name: 'full', type: 'c', major: 1, minor: 7, mode: 0o666 },
  { name: 'random', type: 'c', major: 1, minor: 8, mode: 0o666 },
  { name: 'urandom', type: 'c', major: 1, minor: 9, mode: 0o666 },
  { name: 'tty', type: 'c', major: 5, minor: 0, mode: 0o666 },
];

/**
 * The rules a container's own set replaces. The nodes above carry m because init makes them from inside the
 * container's cgroup, where the filter already holds; it gives nothing away that opening them would not. Ptys are
 * made by devpts itself and need r and w only.
 */
export const DEFAULT_DEVICE_RULES: readonly DeviceRule[] = [
  ...DEFAULT_DEVICE_NODES.map(({ type, major, minor }): DeviceRule => ({
    allow: true,
    type,
    major,
    minor,
    access: 'rwm',
  })),
  { allow: true, type: 'c', major: 5, minor: 2, access: 'rw' },
  { allow: true, type: 'c', major: 136, minor: '*', access: 'rw' },
];

/** Added for a container with a terminal of its own: /dev/console. */
export const CONSOLE_DEVICE_RULE: DeviceRule = { allow: true, type: 'c', major: 5, minor: 1, access: 'rw' };
