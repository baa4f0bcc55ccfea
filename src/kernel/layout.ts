/**
 * Where each cgroup controller lives on this machine: unified (v2 only), hybrid (both) or v1.
 *
 * Read from /proc/self/mountinfo and the v2 root's cgroup.controllers; see cgroups(7) and the kernel's cgroup-v2.rst.
 */
import { parseMountInfo } from './proc.ts';

export type CgroupVersion = 1 | 2;

export interface Hierarchy {
  /** Mount point. */
  readonly mount: string;
  readonly version: CgroupVersion;
  /** v1: the controllers mounted together. v2: those the root offers. */
  readonly controllers: readonly string[];
  /** Short name for people: 'unified' or the v1 controllers joined by commas. */
  readonly name: string;
}

export interface CgroupLayout {
  readonly mode: 'unified' | 'hybrid' | 'v1' | 'none';
  /** v2 first when mounted; v1 hierarchies without a controller (name=systemd) are left out. */
  readonly hierarchies: readonly Hierarchy[];
  /** The hierarchy whose directories carry our labels: v2 where there is one. */
  readonly primary: Hierarchy | undefined;
  /** The hierarchy that holds a controller. */
  readonly byController: ReadonlyMap<string, Hierarchy>;
}

/** Order in which a pure v1 machine's hierarchies are tried as the primary one. */
const V1_PRIMARY = ['freezer', 'pids', 'memory'];

/** v1 mount options that are not controllers. */
const V1_OPTIONS = new Set([
  'rw',
  'ro',
  'xattr',
  'clone_children',
  'noprefix',
  'all',
  'none',
  'release_agent',
  'favordynmods',
]);

/**
 * Builds the layout.
 * @param mountinfo text of /proc/self/mountinfo
 * @param controllersOf text of cgroup.controllers at a v2 mount point, '' when unreadable
 */
export function cgroupLayout(mountinfo: string, controllersOf: (mount: string) => string): CgroupLayout {
  const hierarchies: Hierarchy[] = [];
  const seen = new Set<string>();
  let v2: Hierarchy | undefined;
  for (const m of parseMountInfo(mountinfo)) {
    if (m.fstype === 'cgroup2' && v2 === undefined) {
      const controllers = controllersOf(m.target)
        .split(/\s+/)
        .filter((c) => c !== '');
      v2 = { mount: m.target, version: 2, controllers, name: 'unified' };
    } else if (m.fstype === 'cgroup') {
      const controllers = m.superOptions.filter((o) => !V1_OPTIONS.has(o) && !o.includes('='));
      const name = controllers.join(',');
      if (controllers.length > 0 && !seen.has(name)) {
        seen.add(name);
        hierarchies.push({ mount: m.target, version: 1, controllers, name });
      }
    }
  }
  return layoutOf(v2 === undefined ? hierarchies : [v2, ...hierarchies]);
}

/** The layout of these hierarchies, v2 first when mounted. */
export function layoutOf(hierarchies: readonly Hierarchy[]): CgroupLayout {
  const v2 = hierarchies.find((h) => h.version === 2);
  const others = hierarchies.length - (v2 === undefined ? 0 : 1);
  const mode = v2 === undefined ? (others > 0 ? 'v1' : 'none') : others > 0 ? 'hybrid' : 'unified';
  const byController = new Map<string, Hierarchy>();
  for (const h of hierarchies) {
    for (const c of h.controllers) {
      byController.set(c, h);
    }
  }
  const primary = v2 ?? V1_PRIMARY.map((c) => byController.get(c)).find((h) => h !== undefined) ?? hierarchies[0];
  return { mode, hierarchies, primary, byController };
}
