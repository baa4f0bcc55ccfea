/** tsbox.json beside CRIU's images: what only tsbox can tell the restore. */
import { TsboxError } from '../../errors.ts';
import type { NamespaceType } from '../../kernel/init-spec.ts';
import type { Value } from '../../resources/attribute.ts';
import type { ExternalMount, NamespaceWay } from './inspect.ts';

export const META_FILE = 'tsbox.json';
export const UPPER_FILE = 'upper.tar';
export const IMAGES = 'images';

export interface CheckpointMeta {
  readonly v: 1;
  readonly stack: string;
  readonly address: string;
  /** Wall clock, ISO 8601. */
  readonly at: string;
  readonly kernel: string;
  /** What was applied to the container when it was written down. */
  readonly applied: Readonly<Record<string, Value>>;
  readonly mounts: readonly ExternalMount[];
  /** Keys of descriptors to be handed over, by which of ours. */
  readonly fds: ReadonlyArray<{ readonly fd: 'stdin' | 'stdout' | 'stderr'; readonly key: string }>;
  readonly namespaces: ReadonlyArray<{ readonly type: NamespaceType; readonly way: NamespaceWay }>;
  /** What the container wrote into the private layer of its root; null where it has none. */
  readonly upper: {
    readonly changed: readonly string[];
    readonly removed: readonly string[];
    /** Mount points on the root file system, which have to be there before the mounts are. */
    readonly mountpoints: ReadonlyArray<{ readonly path: string; readonly directory: boolean }>;
  } | null;
  /** Options of criu that dump and restore have to agree on. */
  readonly options: readonly string[];
}

/** @throws TsboxError TSB3020 */
export function parseMeta(text: string, where: string): CheckpointMeta {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const meta = value as Partial<CheckpointMeta> | undefined;
  if (
    meta?.v !== 1 ||
    typeof meta.address !== 'string' ||
    typeof meta.applied !== 'object' ||
    !Array.isArray(meta.mounts)
  ) {
    throw new TsboxError('TSB3020', `${where} is not a checkpoint that this version can read`);
  }
  return meta as CheckpointMeta;
}

/** A checkpoint to be taken up by the next start of a container. */
export interface Restore {
  readonly container: string;
  readonly directory: string;
  readonly meta: CheckpointMeta;
}
