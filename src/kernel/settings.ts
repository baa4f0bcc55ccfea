/**
 * Where tsbox keeps what it makes. Defaults suit a machine; tests and delegated subtrees choose their own by environment.
 */
import { TsboxError } from '../errors.ts';

export const DEFAULT_STATE_DIR = '/var/lib/tsbox';

export interface Settings {
  /** Path of our root below every cgroup mount, '/tsbox'. Starts with a slash, has no trailing one. */
  readonly cgroupRoot: string;
  /** Pins, journals and logs of this boot, '/run/tsbox'. */
  readonly runDir: string;
  /** What outlives a boot, '/var/lib/tsbox'. */
  readonly stateDir: string;
  /** Ids for user namespaces, of users and groups alike; null: those of 'containers' in /etc/subuid and /etc/subgid. */
  readonly subIds: ReadonlyArray<{ readonly start: number; readonly count: number }> | null;
  /** The name of this installation; null: see installationOf. */
  readonly installation: string | null;
}

/**
 * Reads TSBOX_CGROUP_ROOT, TSBOX_RUN_DIR and TSBOX_STATE_DIR, each an absolute path without '..', TSBOX_SUBIDS, a list
 * START:COUNT[,START:COUNT], and TSBOX_INSTALLATION, a name.
 */
export function settingsFrom(env: NodeJS.ProcessEnv): Settings {
  return {
    cgroupRoot: absolute(env['TSBOX_CGROUP_ROOT'], '/tsbox', 'TSBOX_CGROUP_ROOT'),
    runDir: absolute(env['TSBOX_RUN_DIR'], '/run/tsbox', 'TSBOX_RUN_DIR'),
    stateDir: absolute(env['TSBOX_STATE_DIR'], DEFAULT_STATE_DIR, 'TSBOX_STATE_DIR'),
    subIds: ranges(env['TSBOX_SUBIDS']),
    installation: installationName(env['TSBOX_INSTALLATION']),
  };
}

function ranges(value: string | undefined): Settings['subIds'] {
  if (value === undefined || value === '') {
    return null;
  }
  return value.split(',').map((part) => {
    const match = /^(\d{1,10}):(\d{1,10})$/.exec(part.trim());
    const start = Number(match?.[1]);
    const count = Number(match?.[2]);
    // 0 is the host's root, and the last id stands for none.
    if (match === null || start < 1 || count < 1 || start + count > 4_294_967_295) {
      throw new TsboxError('TSB2001', `TSBOX_SUBIDS must be START:COUNT of ids from 1 to 4294967294, not '${part}'`);
    }
    return { start, count };
  });
}

function installationName(value: string | undefined): string | null {
  if (value === undefined || value === '') {
    return null;
  }
  if (!/^[^\p{Cc}]{1,255}$/u.test(value)) {
    throw new TsboxError('TSB2001', 'TSBOX_INSTALLATION must be a name of at most 255 printable characters');
  }
  return value;
}

function absolute(value: string | undefined, fallback: string, name: string): string {
  if (value === undefined || value === '') {
    return fallback;
  }
  const parts = value.split('/').filter((p) => p !== '');
  if (!value.startsWith('/') || parts.length === 0 || parts.includes('..') || parts.includes('.')) {
    throw new TsboxError('TSB2001', `${name} must be an absolute path below /, not '${value}'`);
  }
  return `/${parts.join('/')}`;
}
