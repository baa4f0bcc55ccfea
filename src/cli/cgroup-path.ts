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

/** A name of the language from the last part of a path. */
export function nameFrom(path: string, fallback = 'imported'): string {
  const last = path.slice(path.lastIndexOf('/') + 1);
  const name = last
    .replace(/[^A-Za-z0-9_.-]+/g, '-')
    .replace(/\.{2,}/g, '.')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 63);
  return name === '' ? fallback : name;
}
