/** Roots and images for tests, made from Debian's busybox-static. */
import { copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

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
