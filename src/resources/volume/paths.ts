/** Where volumes are kept. */
import type { VolumeSpec } from './schema.ts';

export const VOLUME_PREFIX = 'volume/';

export function volumeAddress(name: string): string {
  return VOLUME_PREFIX + name;
}

/** The directory below which a stack's volumes are. */
export function volumesDirectory(stateDir: string, stack: string): string {
  return `${stateDir}/volumes/${stack}`;
}

/** A volume's directory: its own path, that of another stack's volume, or one of ours. */
export function volumePath(stateDir: string, stack: string, name: string, spec: VolumeSpec | undefined): string {
  if (spec?.path !== undefined && spec.path !== null) {
    return spec.path;
  }
  const [owner = stack, theirs = name] = spec?.external?.split('/') ?? [];
  return `${volumesDirectory(stateDir, owner)}/${theirs}`;
}
