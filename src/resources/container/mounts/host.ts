/** What is known on the host of the sources of mounts: where they are, and what flags come with them. */
import { parseMountInfo, type MountInfo } from '../../../kernel/proc.ts';
import type { KernelReader } from '../../../kernel/reader.ts';
import type { VolumeSpec } from '../../volume/schema.ts';
import { volumePath } from '../../volume/paths.ts';
import type { BindSpec, VolumeMountSpec } from './schema.ts';

/** The mounts of the host. */
export interface HostMounts {
  readonly byId: ReadonlyMap<number, MountInfo>;
  readonly locate: KernelReader['locate'];
}

/** For a container that mounts nothing. */
export const NO_MOUNTS: HostMounts = { byId: new Map(), locate: () => undefined };

export function hostMountTable(reader: KernelReader): HostMounts {
  const text = reader.readFiles(['/proc/self/mountinfo'])[0];
  const byId = new Map(parseMountInfo(typeof text === 'string' ? text : '').map((m) => [m.id, m]));
  return { byId, locate: (path) => reader.locate(path) };
}

export interface Source {
  readonly kind: 'dir' | 'file';
  /** As mountinfo will show a bind of it: MAJOR:MINOR and the path within that file system. */
  readonly device: string;
  readonly root: string;
  readonly fstype: string;
  /** Options of the mount it is on: those of a copy, unless they are changed. */
  readonly options: readonly string[];
  /** Whether mounts made below it reach its peers. */
  readonly shared: boolean;
}

/** The source behind a path; undefined when there is nothing. */
export function sourceAt(table: HostMounts, path: string): Source | undefined {
  const found = table.locate(path);
  const mount = found === undefined ? undefined : table.byId.get(found.mount);
  if (found === undefined || mount === undefined) {
    return undefined;
  }
  const inside = mount.target === '/' ? found.path : found.path.slice(mount.target.length);
  return {
    kind: found.kind,
    device: mount.device,
    root: `${mount.root === '/' ? '' : mount.root}${inside}` || '/',
    fstype: mount.fstype,
    options: mount.options,
    shared: mount.optional.some((o) => o.startsWith('shared:')),
  };
}

export interface Places {
  readonly stack: string;
  readonly stateDir: string;
  readonly volumes: ReadonlyMap<string, VolumeSpec>;
}

/** The path on the host from which a bind or a volume is mounted: the directory, and what is below it. */
export function sourcePath(spec: BindSpec | VolumeMountSpec, places: Places): { path: string; within: string } {
  if (spec.kind === 'bind') {
    return { path: spec.source, within: '' };
  }
  const volume = places.volumes.get(spec.volume);
  return { path: volumePath(places.stateDir, places.stack, spec.volume, volume), within: spec.subpath };
}

export function wholePath(place: { readonly path: string; readonly within: string }): string {
  return place.within === '' ? place.path : `${place.path}/${place.within}`;
}

/** The nearest directory above that is there: its mount is the one a directory made below will be on. */
export function nearestSource(table: HostMounts, path: string): Source | undefined {
  for (let at = path; ; at = at.slice(0, at.lastIndexOf('/')) || '/') {
    const found = sourceAt(table, at);
    if (found !== undefined || at === '/') {
      return found;
    }
  }
}
