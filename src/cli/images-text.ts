/** The store of images as text and as JSON. */
import { diskUsage } from '../kernel/store-contents.ts';
import { layerDirectory } from '../kernel/layer-store.ts';
import { escapeControls } from '../report/values.ts';
import type { Garbage, ImageUse, ImageUser, StoreUse } from '../resources/image/usage.ts';
import { formatBytes } from '../resources/units.ts';

function shared(image: ImageUse, all: readonly ImageUse[]): string[] {
  const others = new Set(all.filter((i) => i.digest !== image.digest).flatMap((i) => i.layers));
  return image.layers.filter((key) => others.has(key));
}

function rounded(bytes: number | null): string {
  return bytes === null ? '-' : formatBytes(bytes).replace(/\.(\d)\d+/, '.$1');
}

function userText({ stack, container, target }: ImageUser): string {
  return `${stack}:${container}${target === '/' ? '' : ` on ${target}`}`;
}

export function imagesText(use: StoreUse, garbage: Garbage): string {
  if (use.images.length === 0 && garbage.layers.length === 0) {
    return 'The store has no images.\n';
  }
  const rows = [
    ['IMAGE', 'PLATFORM', 'DIGEST', 'SIZE', 'LAYERS', 'USED BY'],
    ...use.images.map((image) => {
      const common = shared(image, use.images).length;
      return [
        image.name ?? '(its tag leads elsewhere)',
        image.platform ?? '-',
        image.digest.slice(7, 19),
        rounded(image.size),
        `${image.layers.length}${common === 0 ? '' : ` (${common} shared)`}`,
        image.usedBy.length === 0 ? '-' : image.usedBy.map(userText).join(', '),
      ].map(escapeControls);
    }),
  ];
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length))) ?? [];
  const lines = rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const { images, layers } = garbage;
  const unneeded =
    images.length + layers.length === 0
      ? []
      : ['', `${images.length} images and ${layers.length} layers are in nobody's use: tsbox images prune`];
  return `${[...lines, ...unneeded].join('\n')}\n`;
}

export function imagesJson(stateDir: string, use: StoreUse): unknown {
  return use.images.map((image) => {
    const common = new Set(shared(image, use.images));
    return {
      name: image.name,
      platform: image.platform,
      digest: image.digest,
      size: image.size,
      layers: image.layers.map((key) => ({
        key,
        directory: layerDirectory(stateDir, key),
        shared: common.has(key),
        mounted: use.mounted.has(key),
      })),
      used_by: image.usedBy,
    };
  });
}

export interface GarbageTold {
  readonly images: ReadonlyArray<{ readonly name: string | null; readonly digest: string }>;
  readonly layers: ReadonlyArray<{ readonly key: string; readonly bytes: number }>;
  readonly blobs: ReadonlyArray<{ readonly digest: string; readonly bytes: number }>;
  readonly bytes: number;
}

/** What is to go, measured. */
export function garbageJson(stateDir: string, garbage: Garbage): GarbageTold {
  const layers = garbage.layers.map((key) => ({ key, bytes: diskUsage(layerDirectory(stateDir, key)) }));
  const blobs = garbage.blobs.map((digest) => ({
    digest,
    bytes: diskUsage(`${stateDir}/images/blobs/${digest.replace(':', '/')}`),
  }));
  return {
    images: garbage.images.map(({ name, digest }) => ({ name, digest })),
    layers,
    blobs,
    bytes: [...layers, ...blobs].reduce((sum, part) => sum + part.bytes, 0),
  };
}

export function garbageText({ images, layers, blobs, bytes }: GarbageTold): string {
  if (images.length + layers.length + blobs.length === 0) {
    return 'Nothing to remove: every image and layer is in use.\n';
  }
  const lines = [
    ...images.map((i) => `- image ${escapeControls(i.name ?? i.digest)} (${i.digest.slice(7, 19)})`),
    ...layers.map((l) => `- layer ${l.key.slice(0, 12)}, ${rounded(l.bytes)}`),
    ...(blobs.length === 0 ? [] : [`- ${blobs.length} packed blobs and documents`]),
  ];
  return `${lines.join('\n')}\n\nTo remove: ${images.length} images, ${layers.length} layers, ${rounded(bytes)} on disk.\n`;
}
