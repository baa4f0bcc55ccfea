/**
 * Where tsbox keeps what it makes. Defaults suit a machine; tests and delegated subtrees choose their own by environment.
 */
import { TsboxError } from '../errors.ts';

export interface Settings {
  /** Path of our root below every cgroup mount, '/tsbox'. Starts with a slash, has no trailing one. */
  readonly cgroupRoot: string;
  /** Pins, journals and logs of this boot, '/run/tsbox'. */
  readonly runDir: string;
  /** What outlives a boot, '/var/lib/tsbox'. */
  readonly stateDir: string;
}

/** Reads TSBOX_CGROUP_ROOT, TSBOX_RUN_DIR and TSBOX_STATE_DIR; each must be an absolute path without '..'. */
export function settingsFrom(env: NodeJS.ProcessEnv): Settings {
  return {
    cgroupRoot: absolute(env['TSBOX_CGROUP_ROOT'], '/tsbox', 'TSBOX_CGROUP_ROOT'),
    runDir: absolute(env['TSBOX_RUN_DIR'], '/run/tsbox', 'TSBOX_RUN_DIR'),
    stateDir: absolute(env['TSBOX_STATE_DIR'], '/var/lib/tsbox', 'TSBOX_STATE_DIR'),
  };
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
