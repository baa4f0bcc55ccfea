/** Where a knob lives on this machine: its hierarchy, version and files. */
import type { CgroupLayout, Hierarchy } from '../../kernel/layout.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import { directoryIn } from '../scope.ts';
import type { Knob, KnobFiles } from './knob.ts';

export interface KnobAccess {
  readonly hierarchy: Hierarchy;
  readonly files: KnobFiles;
}

/** How the knob is reached here; undefined when this kernel has no such thing. */
export function knobAccess(layout: CgroupLayout, knob: Knob): KnobAccess | undefined {
  if (knob.core === true && layout.primary?.version === 2 && knob.v2 !== undefined) {
    return { hierarchy: layout.primary, files: knob.v2 };
  }
  const hierarchy = layout.byController.get(knob.controller);
  const files = hierarchy === undefined ? undefined : hierarchy.version === 2 ? knob.v2 : knob.v1;
  return hierarchy === undefined || files === undefined ? undefined : { hierarchy, files };
}

/** Why a knob cannot be had here, for people. */
export function whyMissing(layout: CgroupLayout, knob: Knob): string {
  const hierarchy = layout.byController.get(knob.controller);
  if (hierarchy === undefined) {
    return `this kernel offers no '${knob.controller}' controller in its ${layout.mode} cgroup hierarchies`;
  }
  return `the '${knob.controller}' controller is on cgroup v${hierarchy.version} here, which has no ${knob.name}`;
}

/** Directories of a cgroup in every hierarchy, the primary first. */
export function directoriesOf(
  reader: Pick<KernelReader, 'layout' | 'settings'>,
  stack: string,
  path: string,
): string[] {
  return reader.layout.hierarchies.map((h) => directoryIn(h.mount, reader.settings.cgroupRoot, stack, path));
}
