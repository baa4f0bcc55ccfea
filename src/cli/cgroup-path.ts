/** Paths of cgroups as people give them. */
import { TsboxError } from '../errors.ts';

/**
 * '/sys/fs/cgroup/memory/a/b' and '/a/b' are both /a/b; the root is ''.
 * @param mounts mount points of the hierarchies
 * @throws TsboxError TSB2001 for a path that goes up
 */
export function withinHierarchy(given: string, mounts: readonly string[]): string {
  const clean = `/${given
    .split('/')
    .filter((p) => p !== '' && p !== '.')
    .join('/')}`;
  if (clean.split('/').includes('..')) {
    throw new TsboxError('TSB2001', `'${given}' goes up by '..'`);
  }
  const mount = mounts.filter((m) => clean === m || clean.startsWith(`${m}/`)).sort((a, b) => b.length - a.length)[0];
  const path = mount === undefined ? clean : clean.slice(mount.length);
  return path === '/' ? '' : path;
}
