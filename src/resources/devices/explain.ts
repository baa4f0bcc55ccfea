/**
 * What the processes of a cgroup may do with devices, and through whom: every program on the way down from the root,
 * and the lists of the v1 controller. Nothing of it needs to be ours.
 */
import type { BpfProgram, Errno, KernelReader } from '../../kernel/reader.ts';
import { LABEL_XATTR } from '../label.ts';
import { labelOn } from '../ownership.ts';
import { canonicalLines } from './canonical.ts';
import { EVERYTHING, readProgram } from './decode.ts';
import { intersect, type DeviceSpace } from './space.ts';
import { parseDevicesList, spaceOfList } from './v1-list.ts';

/** Name given to our programs (Kernel.replaceDevices). */
const OUR_PROGRAM = 'tsbox_devices';

/** Attach flags (include/uapi/linux/bpf.h). */
const ATTACH_FLAGS = [
  [1, 'override'],
  [2, 'multi'],
  [4, 'replace'],
] as const;

/** Rules as canonical lines, or why there are none. */
export type Told = { readonly rules: readonly string[] } | { readonly unreadable: string };

export interface ExplainedProgram {
  readonly id: number;
  /** '' when whoever loaded it gave none. */
  readonly name: string;
  readonly tag: string;
  readonly instructions: number | null;
  /** How it was attached: override, multi, or no flag at all, and then nothing may be attached below. */
  readonly attach: readonly string[];
  /** Address of the resource it enforces when tsbox attached it. */
  readonly ours: string | null;
  /** User who loaded it. */
  readonly uid: number;
  /** Whether it runs for the cgroup asked about: an overridable one does not when one is attached below it. */
  readonly inForce: boolean;
  readonly told: Told;
}

export interface ExplainedLevel {
  /** Path in the hierarchy, '/' for its root; null for programs from above what is mounted here. */
  readonly path: string | null;
  readonly programs: readonly ExplainedProgram[];
  readonly unreadable?: string;
}

export interface ExplainedList {
  readonly path: string;
  readonly told: Told;
}

export interface DeviceAccess {
  /** Null where the cgroup is in no v2 hierarchy. */
  readonly programs: { readonly mount: string; readonly levels: readonly ExplainedLevel[] } | null;
  /** Null where there is no v1 devices controller, or the cgroup is not in it. */
  readonly lists: { readonly mount: string; readonly levels: readonly ExplainedList[] } | null;
  /** Canonical rules of what all that is in force allows. */
  readonly effective: readonly string[];
  /** False when something in force could not be read: then no more than `effective` is allowed. */
  readonly complete: boolean;
}

/** Paths of a cgroup in the hierarchies that filter devices, '' for a root; undefined where it is in none. */
export interface DevicePaths {
  readonly v2: string | undefined;
  readonly v1: string | undefined;
}

/** '/', '/a', '/a/b' for '/a/b'. */
function ancestry(path: string): string[] {
  const parts = path.split('/').filter((p) => p !== '');
  return ['/', ...parts.map((_, i) => `/${parts.slice(0, i + 1).join('/')}`)];
}

const errnoText = (result: Errno | undefined): string => `errno ${-(result ?? 0)}`;

interface Found {
  readonly space: DeviceSpace | undefined;
  readonly told: Told;
}

function read(program: BpfProgram): Found {
  const space =
    typeof program.xlated === 'number'
      ? `the kernel does not show its instructions (${errnoText(program.xlated)})`
      : readProgram(program.xlated);
  return typeof space === 'string'
    ? { space: undefined, told: { unreadable: space } }
    : { space, told: { rules: canonicalLines(space) } };
}

/** Reads each program once: one that runs for a cgroup is seen at its level and among the effective ones. */
class Programs {
  readonly #found = new Map<number, Found>();

  of(program: BpfProgram): Found {
    const known = this.#found.get(program.id) ?? read(program);
    this.#found.set(program.id, known);
    return known;
  }
}

function explained(program: BpfProgram, label: string | null, inForce: boolean, programs: Programs): ExplainedProgram {
  const flags = ATTACH_FLAGS.filter(([bit]) => (program.attachFlags & bit) !== 0).map(([, name]) => name);
  return {
    id: program.id,
    name: program.name,
    tag: program.tag,
    instructions: typeof program.xlated === 'number' ? null : program.xlated.length / 8,
    attach: flags,
    ours: program.name === OUR_PROGRAM ? label : null,
    uid: program.uid,
    inForce,
    told: programs.of(program).told,
  };
}

/** Addresses of our labels on directories; a name alone anybody can give. */
function labelsOn(reader: KernelReader, directories: readonly string[]): Array<string | null> {
  const stats = reader.stats(directories);
  return reader.getXattrs(directories, LABEL_XATTR).map((text, i) => {
    const stat = stats[i];
    const label = typeof stat === 'object' ? labelOn(text, stat.ino) : undefined;
    return label === undefined ? null : `${label.address} of stack ${label.stack}`;
  });
}

interface Part<T> {
  readonly levels: readonly T[];
  readonly space: DeviceSpace;
  readonly complete: boolean;
}

function explainPrograms(reader: KernelReader, mount: string, path: string): Part<ExplainedLevel> {
  const paths = ancestry(path);
  const directories = paths.map((p) => (p === '/' ? mount : `${mount}${p}`));
  const attached = reader.devicePrograms(directories);
  const labels = labelsOn(reader, directories);
  const effective = reader.effectiveDevicePrograms([directories.at(-1) ?? mount])[0];
  const running = typeof effective === 'object' ? effective : attached.flatMap((l) => (typeof l === 'object' ? l : []));
  const inForce = new Set(running.map((p) => p.id));
  const programs = new Programs();
  const levels = paths.map((level, i): ExplainedLevel => {
    const own = attached[i];
    if (typeof own !== 'object') return { path: level, programs: [], unreadable: errnoText(own) };
    return {
      path: level,
      programs: own.map((p) => explained(p, labels[i] ?? null, inForce.has(p.id), programs)),
    };
  });
  const seen = new Set(levels.flatMap((l) => l.programs.map((p) => p.id)));
  const above = running.filter((p) => !seen.has(p.id)).map((p) => explained(p, null, true, programs));
  const spaces = running.map((p) => programs.of(p).space);
  const readable = spaces.filter((s) => s !== undefined);
  return {
    levels: above.length === 0 ? levels : [{ path: null, programs: above }, ...levels],
    space: readable.reduce(intersect, EVERYTHING),
    complete: typeof effective === 'object' && readable.length === spaces.length,
  };
}

/**
 * The kernel asks only the process's own list (devcgroup_legacy_check_permission); those above have bounded what could
 * be written there.
 */
function explainLists(reader: KernelReader, mount: string, path: string): Part<ExplainedList> {
  const paths = ancestry(path);
  let own: DeviceSpace | undefined;
  const levels = reader
    .readFiles(paths.map((p) => `${mount}${p === '/' ? '' : p}/devices.list`))
    .map((text, i): ExplainedList => {
      const list = typeof text === 'string' ? parseDevicesList(text) : undefined;
      own = list === undefined ? undefined : spaceOfList(list);
      const unreadable = typeof text === 'string' ? 'devices.list has lines that are not known' : errnoText(text);
      return {
        path: paths[i] ?? '/',
        told: own === undefined ? { unreadable } : { rules: canonicalLines(own) },
      };
    });
  return { levels, space: own ?? EVERYTHING, complete: own !== undefined };
}

/** Everything that decides about devices for the processes of a cgroup. Needs CAP_SYS_ADMIN for programs. */
export function explainDevices(reader: KernelReader, paths: DevicePaths): DeviceAccess {
  const v2 = reader.layout.hierarchies.find((h) => h.version === 2);
  const v1 = reader.layout.byController.get('devices');
  const programs = v2 === undefined || paths.v2 === undefined ? undefined : explainPrograms(reader, v2.mount, paths.v2);
  const lists = v1?.version !== 1 || paths.v1 === undefined ? undefined : explainLists(reader, v1.mount, paths.v1);
  const parts = [programs, lists].filter((p) => p !== undefined);
  return {
    programs: programs === undefined || v2 === undefined ? null : { mount: v2.mount, levels: programs.levels },
    lists: lists === undefined || v1 === undefined ? null : { mount: v1.mount, levels: lists.levels },
    effective: canonicalLines(parts.map((p) => p.space).reduce(intersect, EVERYTHING)),
    complete: parts.every((p) => p.complete),
  };
}
