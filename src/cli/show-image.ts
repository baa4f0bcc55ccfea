/** What a container's image says of itself, as `show` shows it: from the documents kept beside its layers. */
import { escapeControls } from '../report/values.ts';
import type { Observed } from '../resources/kind.ts';
import type { KernelReader } from '../kernel/reader.ts';
import { partsOf, storedConfig } from '../resources/image/stored.ts';
import { formatBytes } from '../resources/units.ts';

interface Shown {
  readonly digest: string;
  readonly layers: number;
  /** Bytes as packed. */
  readonly size: number | null;
  readonly config: Readonly<Record<string, unknown>>;
  readonly labels: Readonly<Record<string, string>>;
}

function imageOf(reader: KernelReader, { applied }: Observed): Shown | undefined {
  const root = applied?.['rootfs'];
  const digest = typeof root === 'string' ? /@(sha256:[0-9a-f]{64})(?: |$)/.exec(root)?.[1] : undefined;
  const document = digest === undefined ? undefined : storedConfig(reader, digest);
  if (digest === undefined || document === undefined) {
    return undefined;
  }
  const { Labels: labels, ...config } = document.config ?? {};
  const { layers, size } = partsOf(reader, digest, undefined);
  const platform = [document.os, document.architecture, document.variant].filter((p) => p !== undefined).join('/');
  return { digest, layers: layers.length, size, config: { ...config, platform }, labels: labels ?? {} };
}

/** Nothing for a container that has no image, or one whose documents are gone. */
export function imageJson(reader: KernelReader, observed: Observed): { image?: Shown } {
  const image = imageOf(reader, observed);
  return image === undefined ? {} : { image };
}

export function imageLines(reader: KernelReader, observed: Observed): string[] {
  const image = imageOf(reader, observed);
  if (image === undefined) {
    return [];
  }
  const line = (key: string, value: string): string => `    ${key.padEnd(16)}  ${escapeControls(value)}`;
  const given = Object.entries(image.config).filter(([, value]) => value !== null && value !== undefined);
  return [
    `  image ${image.digest}:`,
    line('layers', `${image.layers}${image.size === null ? '' : `, ${formatBytes(image.size)} as packed`}`),
    ...given.map(([key, value]) => line(key, typeof value === 'string' ? value : JSON.stringify(value))),
    ...Object.entries(image.labels).map(([key, value]) => line('label', `${key}=${value}`)),
  ];
}
