/** Where a knob lives on this machine: its hierarchy, version and files. */
import type { CgroupLayout, Hierarchy } from '../../kernel/layout.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import { directoryIn } from '../scope.ts';
import type { Knob, KnobFiles } from './knob.ts';
import { fileMissing } from './probe.ts';

export interface KnobAccess {
  readonly hierarchy: Hierarchy;
  readonly files: KnobFiles;
  /** The controller's name in that hierarchy. */
  readonly controller: string;
}

type Where = Pick<KernelReader, 'layout' | 'release' | 'walkDirs' | 'stats' | 'readFiles'>;

const known = new WeakMap<CgroupLayout, Map<string, KnobAccess | string>>();

/** How the knob is reached here; undefined when this kernel has no such thing. */
export function knobAccess(reader: Where, knob: Knob): KnobAccess | undefined {
  const found = lookUp(reader, knob);
  return typeof found === 'string' ? undefined : found;
}

/** Why a knob cannot be had here, for people. */
export function whyMissing(reader: Where, knob: Knob): string {
  const found = lookUp(reader, knob);
  return typeof found === 'string' ? found : '';
}

/** One answer per knob and run: a machine does not gain a controller in between. */
function lookUp(reader: Where, knob: Knob): KnobAccess | string {
  let answers = known.get(reader.layout);
  if (answers === undefined) {
    answers = new Map();
    known.set(reader.layout, answers);
  }
  let answer = answers.get(knob.name);
  if (answer === undefined) {
    answer = find(reader, knob);
    answers.set(knob.name, answer);
  }
  return answer;
}

function find(reader: Where, knob: Knob): KnobAccess | string {
  const { layout } = reader;
  const core = knob.core === true && layout.primary?.version === 2 && knob.v2 !== undefined;
  const hierarchy = core
    ? layout.primary
    : (layout.byController.get(knob.controller) ?? layout.byController.get(knob.v1Controller ?? ''));
  if (hierarchy === undefined) {
    return knob.core === true
      ? `cgroup v2 is not mounted here, and v1 has no ${knob.name}`
      : `this kernel offers no '${knob.controller}' controller in its ${layout.mode} cgroup hierarchies`;
  }
  const controller = hierarchy.version === 1 ? (knob.v1Controller ?? knob.controller) : knob.controller;
  const candidates = hierarchy.version === 2 ? [knob.v2, knob.v2Else] : [knob.v1, knob.v1Else];
  const offered = candidates.filter((files): files is KnobFiles => files !== undefined);
  if (offered.length === 0) {
    return `the '${controller}' controller is on cgroup v${hierarchy.version} here, which has no ${knob.name}`;
  }
  const reasons: string[] = [];
  for (const files of offered) {
    const reason = whyAbsent(reader, hierarchy, controller, files, knob.core === true);
    if (reason === undefined) {
      return { hierarchy, files, controller };
    }
    reasons.push(reason);
  }
  return reasons.join('; ');
}

function whyAbsent(
  reader: Where,
  hierarchy: Hierarchy,
  controller: string,
  files: KnobFiles,
  core: boolean,
): string | undefined {
  const [name = ''] = typeof files.files === 'function' ? [] : files.files;
  if (files.since !== undefined && olderThan(reader.release, files.since)) {
    return `it came with Linux ${files.since}, and this is ${reader.release}`;
  }
  if (
    files.conditional !== undefined &&
    fileMissing(reader, hierarchy, core ? '' : controller, name, files.conditional)
  ) {
    return `this kernel has no ${name}: its configuration or the hardware lacks what it is for`;
  }
  return undefined;
}

/** Compares '6.1.0-56-cloud' with '6.7' by their first two numbers. */
export function olderThan(release: string, version: string): boolean {
  const [a = 0, b = 0] = release.split(/[.-]/).map(Number);
  const [c = 0, d = 0] = version.split('.').map(Number);
  return Number.isFinite(a) && (a < c || (a === c && b < d));
}

/** Directories of a cgroup in every hierarchy, the primary first. */
export function directoriesOf(
  reader: Pick<KernelReader, 'layout' | 'settings'>,
  stack: string,
  path: string,
): string[] {
  return reader.layout.hierarchies.map((h) => directoryIn(h.mount, reader.settings.cgroupRoot, stack, path));
}
