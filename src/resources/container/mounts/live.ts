/** The mounts of a running container, read from its mountinfo. */
import { layerDirectory } from '../../../kernel/layer-store.ts';
import { parseMountInfo } from '../../../kernel/proc.ts';
import type { KernelReader } from '../../../kernel/reader.ts';
import { entriesOf, type Value } from '../../attribute.ts';
import type { Extra } from '../../kind.ts';
import { storedLayers } from '../../image/stored.ts';
import { volumePath } from '../../volume/paths.ts';
import type { VolumeSpec } from '../../volume/schema.ts';
import { foreignEdits, partsOf } from './edits.ts';
import { hostMountTable, sourceAt, type HostMounts } from './host.ts';
import { isBelow } from './schema.ts';
import { liveText, sizeOf, stackAt, type LiveContext, type StackedLayer } from './text.ts';

/** What is the same for all containers of one observation. */
export interface MountsReading {
  readonly table: HostMounts;
  readonly stack: string;
  readonly stateDir: string;
  readonly volumes: ReadonlyMap<string, VolumeSpec>;
  /** Layers of an image, the topmost first: the same for every container of it. */
  readonly layers: (digest: string) => readonly StackedLayer[];
}

export function mountsReading(
  reader: KernelReader,
  stack: string,
  volumes: ReadonlyMap<string, VolumeSpec> | undefined,
): MountsReading {
  const { stateDir } = reader.settings;
  const table = hostMountTable(reader);
  const known = new Map<string, readonly StackedLayer[]>();
  const layers = (digest: string): readonly StackedLayer[] => {
    const found =
      known.get(digest) ??
      storedLayers(reader, digest)
        .map((key) => ({ key, at: sourceAt(table, layerDirectory(stateDir, key)) }))
        .reverse();
    known.set(digest, found);
    return found;
  };
  return { table, stack, stateDir, volumes: volumes ?? new Map(), layers };
}

export interface MountsSubject {
  readonly container: string;
  readonly path: string;
  /** Text of /proc/PID/mountinfo, uid_map and gid_map. */
  readonly mountinfo: string;
  readonly uidMap: string;
  readonly gidMap: string;
  readonly desired: Readonly<Record<string, Value>> | undefined;
  readonly applied: Readonly<Record<string, Value>> | null;
  /** The mount table as it was recorded. */
  readonly recorded: readonly string[] | undefined;
}

/** Attributes whose keys are targets of mounts. */
const BY_TARGET = ['mounts', 'secrets', 'configs'] as const;

/** Every target that something was declared or applied for. */
function ownTargets(s: MountsSubject): Set<string> {
  return new Set(
    BY_TARGET.flatMap((a) => [...Object.keys(entriesOf(s.desired?.[a])), ...Object.keys(entriesOf(s.applied?.[a]))]),
  );
}

export interface LiveMounts {
  readonly live: Readonly<Record<string, Value | undefined>>;
  readonly extras: readonly Extra[];
}

export function observeMounts(reading: MountsReading, s: MountsSubject): LiveMounts {
  const mounts = parseMountInfo(s.mountinfo);
  const own = ownTargets(s);
  const context: LiveContext = {
    mounts,
    maps: { uid: s.uidMap, gid: s.gidMap },
    own,
    source: (kind, name) => {
      const [volume = '', ...within] = name.split('/');
      const path =
        kind === 'bind'
          ? name
          : [volumePath(reading.stateDir, reading.stack, volume, reading.volumes.get(volume)), ...within].join('/');
      return sourceAt(reading.table, path);
    },
    layers: reading.layers,
  };
  const desired = entriesOf(s.desired?.['mounts']);
  const applied = entriesOf(s.applied?.['mounts']);
  const texts: Record<string, string> = {};
  for (const target of [...new Set([...Object.keys(desired), ...Object.keys(applied)])].sort()) {
    const expected = [applied[target], desired[target]].filter((t) => t !== undefined);
    const text = liveText(context, target, expected);
    if (text !== undefined) {
      texts[target] = text;
    }
  }
  const shm = stackAt(mounts, SHM).at(-1);
  return {
    live: { mounts: texts, shm_size: shmText(shm === undefined ? undefined : sizeOf(shm)) },
    extras: foreignMounts(s, own),
  };
}

export const SHM = '/dev/shm';

function shmText(size: number | null | undefined): string {
  return size === undefined ? 'gone' : size === null ? 'default' : String(size);
}

/** One line per mount: where, what, whether it is read-only, and whether it is idmapped. */
export function mountLines(mountinfo: string): string[] {
  return parseMountInfo(mountinfo)
    .map(
      ({ target, fstype, options }) =>
        `${target} ${fstype} ${options.includes('ro') ? 'ro' : 'rw'}${options.includes('idmapped') ? ' idmapped' : ''}`,
    )
    .sort();
}

/** Below a bind that follows its source, mounts come and go with those of the host. */
function follows(s: MountsSubject): string[] {
  return Object.entries({ ...entriesOf(s.applied?.['mounts']), ...entriesOf(s.desired?.['mounts']) }).flatMap(
    ([target, text]) => (/[ ,]r?(slave|shared)\b/.test(text.split(' ')[1] ?? '') ? [target] : []),
  );
}

/** Mounts that were not there when the table was recorded, or are gone, or are writable by now. */
function foreignMounts(s: MountsSubject, own: ReadonlySet<string>): Extra[] {
  if (s.recorded === undefined) {
    return [];
  }
  const now = mountLines(s.mountinfo);
  if (now.length === s.recorded.length && now.every((line, i) => line === s.recorded?.[i])) {
    return [];
  }
  const following = follows(s);
  const mine = (line: string): boolean => {
    const { target } = partsOf(line);
    return own.has(target) || following.some((f) => target !== f && isBelow(target, f));
  };
  const before = counts(s.recorded.filter((l) => !mine(l)));
  const after = counts(now.filter((l) => !mine(l)));
  const lines: Array<{ line: string; more: boolean }> = [];
  for (const line of new Set([...before.keys(), ...after.keys()])) {
    const difference = (after.get(line) ?? 0) - (before.get(line) ?? 0);
    if (difference !== 0) {
      lines.push({ line, more: difference > 0 });
    }
  }
  const targets = new Set(lines.map(({ line }) => partsOf(line).target));
  const edits = foreignEdits(targets, s.mountinfo, s.recorded);
  return lines.map(({ line, more }, i): Extra => ({
    what: 'mount',
    text: `mount ${line} ${more ? 'appeared' : 'is gone'}`,
    steps: i === 0 ? [{ op: 'mounts', container: s.container, path: s.path, edits }] : [],
  }));
}

function counts(lines: readonly string[]): Map<string, number> {
  const result = new Map<string, number>();
  for (const line of lines) {
    result.set(line, (result.get(line) ?? 0) + 1);
  }
  return result;
}
