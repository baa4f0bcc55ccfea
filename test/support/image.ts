/** Roots and images for tests, made from Debian's busybox-static. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const APPLETS = ['sh', 'sleep', 'cat', 'ls', 'id', 'env', 'pwd', 'true', 'rm', 'echo', 'stat'];

/** Fills a directory with a root that has a shell; returns it. */
export function busyboxRoot(directory: string): string {
  for (const name of ['bin', 'etc', 'tmp']) {
    mkdirSync(join(directory, name), { recursive: true });
  }
  copyFileSync('/bin/busybox', join(directory, 'bin/busybox'));
  for (const name of APPLETS) {
    symlinkSync('busybox', join(directory, 'bin', name));
  }
  return directory;
}

/** A tar archive by hand, so that it can hold what no archiver writes. */
export interface Entry {
  readonly name: string;
  readonly type?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly data?: string | Buffer;
  readonly link?: string;
  readonly major?: number;
  readonly minor?: number;
  /** Claimed size, when it is not that of the data. */
  readonly size?: number;
  readonly pax?: Readonly<Record<string, string | Buffer>>;
}

export function tar(entries: readonly Entry[], end = true): Buffer {
  const blocks = entries.flatMap((e) => [...(e.pax === undefined ? [] : paxHeader(e.pax)), ...member(e)]);
  return Buffer.concat([...blocks, ...(end ? [Buffer.alloc(1024)] : [])]);
}

function member(e: Entry): Buffer[] {
  const data = Buffer.from(e.data ?? '');
  const header = Buffer.alloc(512);
  header.write(e.name, 0, 100, 'latin1');
  const octal = (value: number, at: number, size: number): void => {
    header.write(
      `${Math.trunc(value)
        .toString(8)
        .padStart(size - 1, '0')}\0`,
      at,
      'latin1',
    );
  };
  octal(e.mode ?? 0o644, 100, 8);
  octal(e.uid ?? 0, 108, 8);
  octal(e.gid ?? 0, 116, 8);
  octal(e.size ?? data.length, 124, 12);
  octal(e.mtime ?? 1_700_000_000, 136, 12);
  header.write(e.type ?? '0', 156, 'latin1');
  header.write(e.link ?? '', 157, 100, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  octal(e.major ?? 0, 329, 8);
  octal(e.minor ?? 0, 337, 8);
  header.fill(' ', 148, 156);
  const sum = header.reduce((a, b) => a + b, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return [header, data, Buffer.alloc(-data.length & 511)];
}

function paxHeader(records: Readonly<Record<string, string | Buffer>>): Buffer[] {
  const body = Buffer.concat(
    Object.entries(records).map(([key, value]) => {
      const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')]);
      let length = rest.length + 1;
      while (String(length).length + rest.length !== length) {
        length++;
      }
      return Buffer.concat([Buffer.from(String(length)), rest]);
    }),
  );
  return member({ name: 'pax', type: 'x', data: body });
}

export function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export interface LayerInput {
  readonly tar: Buffer;
  readonly as?: 'tar' | 'gzip' | 'zstd';
}

export interface BuiltImage {
  readonly digest: string;
  readonly diffIds: readonly string[];
}

/** Writes an image as an OCI layout, adding it to what is there. */
export function writeImage(
  directory: string,
  tag: string,
  layers: readonly LayerInput[],
  config: Readonly<Record<string, unknown>> = {},
  architecture = OURS,
): BuiltImage {
  mkdirSync(join(directory, 'blobs/sha256'), { recursive: true });
  const blob = (bytes: Buffer): { digest: string; size: number } => {
    const digest = sha256(bytes);
    writeFileSync(join(directory, 'blobs/sha256', digest.slice(7)), bytes);
    return { digest, size: bytes.length };
  };
  const type = 'application/vnd.oci.image';
  const packed = layers.map(({ tar: bytes, as = 'gzip' }) => {
    const data =
      as === 'tar'
        ? bytes
        : as === 'gzip'
          ? gzipSync(bytes)
          : execFileSync('zstd', ['-qc'], { input: bytes, maxBuffer: 2 ** 30 });
    return { mediaType: `${type}.layer.v1.tar${as === 'tar' ? '' : `+${as}`}`, ...blob(data) };
  });
  const diffIds = layers.map((l) => sha256(l.tar));
  const document = { os: 'linux', architecture, config, rootfs: { type: 'layers', diff_ids: diffIds } };
  const manifest = {
    schemaVersion: 2,
    mediaType: `${type}.manifest.v1+json`,
    config: { mediaType: `${type}.config.v1+json`, ...blob(Buffer.from(JSON.stringify(document))) },
    layers: packed,
  };
  const descriptor = {
    mediaType: manifest.mediaType,
    ...blob(Buffer.from(JSON.stringify(manifest))),
    platform: { os: 'linux', architecture },
    annotations: { 'org.opencontainers.image.ref.name': tag },
  };
  const index = join(directory, 'index.json');
  const before = existsSync(index)
    ? (JSON.parse(readFileSync(index, 'utf8')) as { manifests: Array<typeof descriptor> }).manifests
    : [];
  const others = before.filter(
    (d) => d.annotations['org.opencontainers.image.ref.name'] !== tag || d.platform.architecture !== architecture,
  );
  writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(index, JSON.stringify({ schemaVersion: 2, manifests: [...others, descriptor] }));
  return { digest: descriptor.digest, diffIds };
}

/** A root with a shell as a layer, by GNU tar. */
export function busyboxLayer(directory: string): Buffer {
  const root = busyboxRoot(directory);
  return execFileSync('tar', ['-C', root, '-c', '--owner=0', '--group=0', '--numeric-owner', '.'], {
    maxBuffer: 2 ** 30,
  });
}

const OURS = process.arch === 'x64' ? 'amd64' : process.arch;
export const OTHER_ARCHITECTURE = OURS === 'amd64' ? 'arm64' : 'amd64';
