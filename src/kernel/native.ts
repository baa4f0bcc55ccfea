/** Loading the addon: found beside the bundle, or in dist/ above the running file. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getSystemErrorName } from 'node:util';
import type { Native } from '../../native/index.d.ts';
import { errnoOf, TsboxError } from '../errors.ts';

let loaded: { native: Native; directory: string } | undefined;

/** The addon, loaded at first use. */
export function loadNative(): Native {
  return load().native;
}

/** The static supervisor that stands beside the addon. */
export function initPath(): string {
  return join(load().directory, 'tsbox-init');
}

/** 'EPERM' for 1; 'errno 4711' for a number nobody knows. */
export function errnoName(errno: number): string {
  try {
    return getSystemErrorName(-errno);
  } catch {
    return `errno ${errno}`;
  }
}

/**
 * A pidfd of the process; undefined when there is none with this number. That of a thread, which a pid that was given
 * again may be, is none either: ENOENT, and EINVAL before Linux 6.16.
 */
export function openPidfd(pid: number): number | undefined {
  try {
    return loadNative().pidfdOpen(pid);
  } catch (error) {
    if (['ESRCH', 'ENOENT', 'EINVAL'].includes(errnoOf(error))) {
      return undefined;
    }
    throw error;
  }
}

function load(): { native: Native; directory: string } {
  if (loaded !== undefined) {
    return loaded;
  }
  const attempts: string[] = [];
  for (const directory of candidates()) {
    const path = join(directory, 'tsbox.node');
    if (!existsSync(path)) {
      attempts.push(`${path}: not there`);
      continue;
    }
    try {
      const require = createRequire(import.meta.url);
      loaded = { native: require(path) as Native, directory };
      return loaded;
    } catch (error) {
      attempts.push(`${path}: ${(error as Error).message.split('\n')[0]}`);
    }
  }
  throw new TsboxError('TSB9001', `the native addon cannot be loaded; tried ${attempts.join('; ')}`, {
    hint: 'npm run build makes it (a C++ compiler is needed)',
  });
}

/** Our own directory, then every dist/ above it. */
function candidates(): string[] {
  let directory = dirname(fileURLToPath(import.meta.url));
  const list = [directory];
  for (;;) {
    list.push(join(directory, 'dist'));
    const parent = dirname(directory);
    if (parent === directory) {
      return list;
    }
    directory = parent;
  }
}
