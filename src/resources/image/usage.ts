/**
 * Who uses what of the store of images: from the labels of every cgroup of the machine, and from the mounts of every
 * process, whoever made them. There is no file of uses.
 */
import { TsboxError } from '../../errors.ts';
import { storedImages, type StoredImage } from '../../kernel/image-store.ts';
import { parseRunState } from '../../kernel/run-state.ts';
import { overlayLowers, parseMountInfo } from '../../kernel/proc.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import { storeContents } from '../../kernel/store-contents.ts';
import type { Value } from '../attribute.ts';
import { isAlive, readStats } from '../processes.ts';
import { LABEL_XATTR, RUN_XATTR, type Label } from '../label.ts';
import { isOfInstallation, labelOn } from '../ownership.ts';
import { REF_NAME } from './find.ts';
import { partsOf, type Parts } from './stored.ts';

export interface ImageUser {
  readonly stack: string;
  readonly container: string;
  /** '/' for its root, else the target of a mount. */
  readonly target: string;
}

export interface ImageUse {
  /** Its line in the store's index; null when it has none any more. */
  readonly line: string | null;
  /** As stacks name it; null for one that a container has and whose tag leads elsewhere by now. */
  readonly name: string | null;
  /** null for a plain archive. */
  readonly platform: string | null;
  readonly digest: string;
  /** Bytes as packed, null where nothing says. */
  readonly size: number | null;
  /** Keys of its layers, the lowest first. */
  readonly layers: readonly string[];
  /** Digests of its documents and packed layers. */
  readonly blobs: readonly string[];
  readonly usedBy: readonly ImageUser[];
}

export interface StoreUse {
  readonly images: readonly ImageUse[];
  /** Layers that are mounted somewhere. */
  readonly mounted: ReadonlySet<string>;
  /** Containers of which nothing says what they are made of. */
  readonly unclear: readonly string[];
}

const MAX_DIRECTORIES = 1_000_000;
const DIGEST = /@(sha256:[0-9a-f]{64})(?: |$)/;
const LAYER_PATH = /\/layers\/sha256\/([0-9a-f]{64})(?=$|[:/])/g;

interface Holder {
  readonly label: Label;
  /** Of its process, 0 for none. */
  readonly pid: number;
  /** Whether something will start its process again. */
  readonly supervised: boolean;
}

/** Containers of every root and stack of the machine. */
function holders(reader: KernelReader): Holder[] {
  const mount = reader.layout.primary?.mount ?? '';
  const walked = reader.walkDirs(mount, MAX_DIRECTORIES);
  if (typeof walked === 'number') {
    throw new TsboxError('TSB3001', `cannot read the cgroups on ${mount} (errno ${-walked})`);
  }
  const paths = walked.map((d) => (d.path === '' ? mount : `${mount}/${d.path}`));
  const labels = reader.getXattrs(paths, LABEL_XATTR);
  const runs = reader.getXattrs(paths, RUN_XATTR);
  return walked.flatMap(({ ino }, i) => {
    const label = labelOn(labels[i], ino);
    if (label === undefined || !label.address.startsWith('container/')) {
      return [];
    }
    const run = typeof runs[i] === 'string' ? parseRunState(runs[i]) : undefined;
    const supervisor = readStats(reader, [run?.supervisor ?? 0])[0];
    return [{ label, pid: run?.pid ?? 0, supervised: isAlive(supervisor, run?.supervisorStartTime ?? '') }];
  });
}

/** Digests of the images in a label, by target. */
function digestsOf(applied: Readonly<Record<string, Value>>): Array<{ target: string; digest: string }> {
  const root = applied['rootfs'];
  const mounts = applied['mounts'];
  const texts: Array<[string, string]> = [
    ...(typeof root === 'string' ? [['/', root] as [string, string]] : []),
    ...(typeof mounts === 'object' && !Array.isArray(mounts)
      ? Object.entries(mounts as Readonly<Record<string, string>>).filter(([, t]) => t.startsWith('image '))
      : []),
  ];
  return texts.flatMap(([target, text]) => {
    const digest = DIGEST.exec(text)?.[1];
    return digest === undefined ? [] : [{ target, digest }];
  });
}

/** Layers in one mount table: below overlays and mounted themselves. */
function layersIn(mountinfo: string): { keys: string[]; unnamed: boolean } {
  const keys: string[] = [];
  let unnamed = false;
  for (const mount of parseMountInfo(mountinfo)) {
    const lowers = mount.fstype === 'overlay' ? overlayLowers(mount) : [];
    keys.push(...[mount.root, ...lowers].flatMap((t) => LAYER_PATH.exec(t)?.[1] ?? []));
    // Idmapped layers have names of the moment: /proc/0, or 0:1:2.
    unnamed ||= lowers.some((l) => /^(\/proc\/)?\d+$/.test(l));
  }
  return { keys, unnamed };
}

/** Layers that are mounted in any mount namespace that has a process, and the processes whose layers have no names. */
function mountedLayers(reader: KernelReader): { mounted: Set<string>; unnamed: Set<string> } {
  const pids = reader.list('/proc').filter((name) => /^\d+$/.test(name));
  const links = reader.readLinks(pids.map((pid) => `/proc/${pid}/ns/mnt`));
  const first = new Map<string, string>();
  pids.forEach((pid, i) => {
    const link = links[i];
    if (typeof link === 'string' && !first.has(link)) {
      first.set(link, pid);
    }
  });
  const namespaces = [...first.keys()];
  const texts = reader.readFiles([...first.values()].map((pid) => `/proc/${pid}/mountinfo`));
  const mounted = new Set<string>();
  const unnamed = new Set<string>();
  texts.forEach((text, i) => {
    const found = typeof text === 'string' ? layersIn(text) : { keys: [], unnamed: false };
    found.keys.forEach((key) => mounted.add(key));
    if (found.unnamed) {
      unnamed.add(namespaces[i] ?? '');
    }
  });
  return { mounted, unnamed };
}

/** Name of an image's line, by which it is found again. */
export function lineOf(image: Pick<StoredImage, 'digest' | 'annotations'>): string {
  return `${image.annotations[REF_NAME] ?? ''} ${image.digest}`;
}

/** An image that nobody has: what is wrong with it is no reason to keep it. */
function partsOfUnused(reader: KernelReader, { digest, size }: StoredImage): Parts {
  try {
    return partsOf(reader, digest, size);
  } catch (error) {
    if (error instanceof TsboxError && error.code === 'TSB1010') {
      return { size, layers: [], blobs: [digest] };
    }
    throw error;
  }
}

function splitName(image: StoredImage): { name: string; platform: string | null } {
  const text = image.annotations[REF_NAME] ?? image.digest;
  const blank = text.lastIndexOf(' ');
  return blank < 0 || text.startsWith('tar:')
    ? { name: text, platform: null }
    : { name: text.slice(0, blank), platform: text.slice(blank + 1) };
}

/** Everything the store has an image of, or a container has of it. */
export function storeUse(reader: KernelReader): StoreUse {
  const { stateDir } = reader.settings;
  const users = new Map<string, ImageUser[]>();
  // Another installation mostly has a store of its own: of what its containers have, only what is in this one counts.
  const here = new Set(storeContents(stateDir).blobs);
  const { mounted, unnamed } = mountedLayers(reader);
  const unclear: string[] = [];
  for (const { label, pid, supervised } of holders(reader)) {
    const container = label.address.slice('container/'.length);
    if (label.applied === null) {
      // Half made: its mounts alone say what it is made of, where they do.
      const link = pid === 0 ? undefined : reader.readLinks([`/proc/${pid}/ns/mnt`])[0];
      if (typeof link === 'string' ? unnamed.has(link) : supervised) {
        unclear.push(`container/${label.stack}:${container}`);
      }
      continue;
    }
    for (const { target, digest } of digestsOf(label.applied)) {
      if (!here.has(digest) && !isOfInstallation(label, reader.installation)) {
        continue;
      }
      users.set(digest, [...(users.get(digest) ?? []), { stack: label.stack, container, target }]);
    }
  }
  const stored = storedImages(stateDir).map((image): ImageUse => {
    const usedBy = users.get(image.digest) ?? [];
    const parts = usedBy.length === 0 ? partsOfUnused(reader, image) : partsOf(reader, image.digest, image.size);
    return { line: lineOf(image), ...splitName(image), digest: image.digest, ...parts, usedBy };
  });
  const known = new Set(stored.map((i) => i.digest));
  const moved = [...users]
    .filter(([digest]) => !known.has(digest))
    .map(([digest, usedBy]): ImageUse => {
      const parts = partsOf(reader, digest, undefined);
      return { line: null, name: null, platform: null, digest, ...parts, usedBy };
    });
  const images = [...stored, ...moved].sort((a, b) => ((a.name ?? '~') < (b.name ?? '~') ? -1 : 1));
  return { images, mounted, unclear };
}

export interface Garbage {
  readonly images: readonly ImageUse[];
  readonly layers: readonly string[];
  readonly blobs: readonly string[];
}

/** What nothing uses: images, and the layers and blobs that no other image has. */
export function unused(stateDir: string, use: StoreUse): Garbage {
  const kept = use.images.filter((i) => i.usedBy.length > 0);
  const layers = new Set([...use.mounted, ...kept.flatMap((i) => i.layers)]);
  const blobs = new Set(kept.flatMap((i) => i.blobs));
  const contents = storeContents(stateDir);
  return {
    images: use.images.filter((i) => i.usedBy.length === 0),
    layers: contents.layers.filter((key) => !layers.has(key)),
    blobs: contents.blobs.filter((digest) => !blobs.has(digest)),
  };
}
