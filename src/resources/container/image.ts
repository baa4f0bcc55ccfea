/** What an image says of the container that runs it, under what the stack says, as Compose puts them together. */
import { TsboxError, type SourceSpan } from '../../errors.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import type { Stack } from '../../stack/types.ts';
import { findImage, layerDirectories, type FoundImage } from '../image/find.ts';
import { referenceText } from '../image/reference.ts';
import type { Problem } from '../kind.ts';
import { parseSignal } from '../signals.ts';
import { ValueError } from '../values.ts';
import { mergedArgv } from './command.ts';
import { imageText, type FoundRoot, type RootfsSpec } from './rootfs.ts';
import type { ContainerSpec } from './schema.ts';
import { userSchema } from './user.ts';

/** What has to be fetched or unpacked before it can be mounted. */
export type Packed =
  | Pick<Extract<RootfsSpec, { kind: 'tar' }>, 'kind' | 'path' | 'found'>
  | Pick<Extract<RootfsSpec, { kind: 'image' }>, 'kind' | 'use' | 'found'>;

/** The root of a container that has to be fetched or unpacked; undefined for the others. */
export function packedRoot(spec: ContainerSpec): Extract<RootfsSpec, { kind: 'tar' | 'image' }> | undefined {
  const { rootfs } = spec;
  const packed = rootfs.kind === 'tar' || rootfs.kind === 'image';
  return packed && spec.namespaces.mnt.kind === 'new' ? rootfs : undefined;
}

/** Everything of a container that is packed, by the target it is mounted on. */
export function packedParts(spec: ContainerSpec): Array<{ readonly target: string; readonly packed: Packed }> {
  const root = packedRoot(spec);
  const mounts = spec.namespaces.mnt.kind === 'new' ? spec.mounts : [];
  return [
    ...(root === undefined ? [] : [{ target: '/', packed: root }]),
    ...mounts.flatMap((m) => (m.kind === 'image' ? [{ target: m.target, packed: m }] : [])),
  ];
}

export function packedText(packed: Packed): string {
  const { found } = packed;
  return packed.kind === 'image'
    ? imageText(packed.use, found)
    : `tar:${packed.path}${found === null ? '' : `@${found.digest}`}`;
}

/** A plain archive is an image of one layer without a word about itself. */
function findArchive(reader: KernelReader, path: string): FoundImage {
  const file = reader.packedFile(path);
  if (file === undefined) {
    throw new TsboxError('TSB1010', `${path} is not there`);
  }
  const { digest } = file;
  const range = { path, start: 0, size: file.size };
  const layer = { what: `archive ${path}`, range, digest, diffId: null, key: digest.slice('sha256:'.length) };
  return { digest, config: null, layers: [layer], size: file.size, documents: new Map() };
}

function find(reader: KernelReader, rootfs: Packed): FoundRoot | null {
  const { stateDir } = reader.settings;
  const found =
    rootfs.kind === 'tar'
      ? findArchive(reader, rootfs.path)
      : findImage(reader, rootfs.use.reference, rootfs.use.platform);
  if (found === undefined) {
    return null;
  }
  const directories = layerDirectories(stateDir, found);
  const missing = reader.stats(directories).filter((s) => typeof s === 'number').length;
  return { ...found, directories, missing };
}

/**
 * The spec with its images looked up, and that of its root merged. What is not known before it is fetched or unpacked
 * is named in `unknown`.
 * @param locate the place of something of the container in its file
 * @throws TsboxError TSB1010
 */
export function withImage(
  given: ContainerSpec,
  reader: KernelReader,
  locate: (path: readonly (string | number)[]) => SourceSpan | undefined = () => undefined,
): ContainerSpec {
  const plain = given.plain ?? given;
  const spec = withRootImage(plain, reader);
  if (plain.namespaces.mnt.kind !== 'new' || !plain.mounts.some((m) => m.kind === 'image')) {
    return spec;
  }
  const mounts = spec.mounts.map((m, i) => {
    try {
      return m.kind === 'image' ? { ...m, found: find(reader, m) } : m;
    } catch (error) {
      throw error instanceof TsboxError
        ? new TsboxError(error.code, `${m.target}: ${error.message}`, {
            ...error.info,
            at: locate(['mounts', i, 'image']),
          })
        : error;
    }
  });
  return { ...spec, plain, mounts };
}

function withRootImage(spec: ContainerSpec, reader: KernelReader): ContainerSpec {
  const rootfs = packedRoot(spec);
  if (rootfs === undefined) {
    return spec;
  }
  const found = find(reader, rootfs);
  if (found === null) {
    const names = ['command', 'env', ...(spec.own.has('working_dir') ? [] : ['working_dir'])];
    const account = isNumeric(spec) && spec.own.has('user') ? [] : ['user'];
    return {
      ...spec,
      plain: spec,
      unknown: ['rootfs', ...names, ...account, ...(spec.own.has('stop_signal') ? [] : ['stop'])],
    };
  }
  const merged = merge({ ...spec, plain: spec, rootfs: { ...rootfs, found } }, found);
  return found.missing > 0 && !isNumeric(merged) ? { ...merged, unknown: ['user'] } : merged;
}

function isNumeric({ user }: ContainerSpec): boolean {
  return (
    typeof user.user === 'number' && typeof user.group === 'number' && user.groups.every((g) => typeof g === 'number')
  );
}

function merge(spec: ContainerSpec, found: FoundImage): ContainerSpec {
  const image = found.config?.config ?? {};
  const command = mergedArgv(spec.argv, { entrypoint: image.Entrypoint ?? null, command: image.Cmd ?? null });
  if (command.length === 0 || command[0] === '') {
    throw new TsboxError('TSB1010', 'neither the stack nor the image says what to start', { hint: 'give a command' });
  }
  const env = (image.Env ?? []).flatMap((pair): Array<[string, string]> => {
    const equals = pair.indexOf('=');
    return equals > 0 ? [[pair.slice(0, equals), pair.slice(equals + 1)]] : [];
  });
  return {
    ...spec,
    command,
    env: { ...Object.fromEntries(env), ...spec.env },
    workingDir: spec.own.has('working_dir') ? spec.workingDir : insidePath('WorkingDir', image.WorkingDir ?? '/'),
    user: spec.own.has('user') ? spec.user : userOf(image.User ?? ''),
    stopSignal: spec.own.has('stop_signal') ? spec.stopSignal : signalOf(image.StopSignal ?? ''),
    imageVolumes: Object.keys(image.Volumes ?? {}).map((path) => insidePath('Volumes', path)),
  };
}

function insidePath(key: string, path: string): string {
  const parts = path.split('/').filter((p) => p !== '' && p !== '.');
  if (parts.includes('..') || path.includes('\0')) {
    throw new TsboxError('TSB1010', `the image's ${key} '${path}' goes up by '..'`);
  }
  return `/${parts.join('/')}`;
}

function userOf(text: string): ContainerSpec['user'] {
  if (text === '') {
    return { user: 0, group: 0, groups: [] };
  }
  const parsed = userSchema.safeParse(text);
  if (!parsed.success) {
    throw new TsboxError('TSB1010', `the image's user ${JSON.stringify(text)} is none`, {
      hint: 'give user in the stack',
    });
  }
  return parsed.data;
}

function signalOf(text: string): number {
  try {
    return text === '' ? 15 : parseSignal(text);
  } catch (error) {
    if (error instanceof ValueError) {
      throw new TsboxError('TSB1010', `the image's stop signal: ${error.message}`, {
        hint: 'give stop_signal in the stack',
      });
    }
    throw error;
  }
}

/** The stack with every image looked up; what cannot be used is reported and left as it is. */
export function withImages(stack: Stack, reader: KernelReader, report: (problem: Problem) => void): Stack {
  if (![...stack.containers.values()].some((c) => packedParts(c).length > 0)) {
    return stack;
  }
  const containers = new Map(
    [...stack.containers].map(([name, spec]) => {
      const address = `container/${name}`;
      try {
        return [name, withImage(spec, reader, (path) => stack.locate(address, path))] as const;
      } catch (error) {
        if (!(error instanceof TsboxError)) {
          throw error;
        }
        const at = error.info.at ?? stack.locate(address, ['image']) ?? stack.locate(address, ['rootfs']);
        report({
          severity: 'error',
          error: new TsboxError(error.code, `${address}: ${error.message}`, { ...error.info, at, address }),
        });
        return [name, { ...spec, unknown: ['rootfs', 'user'] }] as const;
      }
    }),
  );
  return { ...stack, containers };
}

/** What starting it takes besides, for the plan. */
export function imageNotes(spec: ContainerSpec): string[] {
  return packedParts(spec).flatMap(({ target, packed }) => {
    const where = target === '/' ? '' : ` for ${target}`;
    if (packed.found === null) {
      return packed.kind === 'image' ? [`fetches ${referenceText(packed.use.reference)}${where}`] : [];
    }
    const { missing, layers } = packed.found;
    const again = packed.kind === 'image' && packed.use.pull === 'always' ? [`fetches the image again${where}`] : [];
    return [...again, ...(missing === 0 ? [] : [`unpacks ${missing} of ${layers.length} layers${where}`])];
  });
}
