/** Edits by hand of what is mounted in a container, for the generic drift test. */
import { execFileSync } from 'node:child_process';
import { MOUNTS_ATTRIBUTES } from '../../src/resources/container/mounts/index.ts';
import { FILES_ATTRIBUTES } from '../../src/resources/container/files.ts';

/** One container's declared mounts, secrets and configs are edited one by one there. */
const ELSEWHERE = 'edited by hand in container/mounts.test.ts';

export const MOUNT_MUTATORS: Readonly<Record<string, ((world: { pid: () => number }) => void) | string>> = {
  ...Object.fromEntries([...MOUNTS_ATTRIBUTES, ...FILES_ATTRIBUTES].map((a) => [a.name, ELSEWHERE])),
  shm_size: ({ pid }) =>
    void execFileSync('nsenter', ['-t', String(pid()), '-m', '--', 'mount', '-o', 'remount,size=1M', '/dev/shm']),
};

export const VOLUME_MUTATORS: Readonly<Record<string, string>> = {
  path: ELSEWHERE,
  owner: ELSEWHERE,
  mode: ELSEWHERE,
};
