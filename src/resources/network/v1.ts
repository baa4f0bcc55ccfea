/** The v1 form of a network tag: a class id (cgroup-v1/net_cls.rst) and a priority per interface (net_prio.rst). */
import type { KernelReader } from '../../kernel/reader.ts';
import { directoryIn } from '../scope.ts';

export const CLASSID = 'net_cls.classid';
export const IFPRIOMAP = 'net_prio.ifpriomap';

/** A cgroup's directory in the v1 hierarchy of a controller; undefined when that is not mounted. */
export function v1Directory(
  reader: Pick<KernelReader, 'layout' | 'settings'>,
  stack: string,
  path: string,
  controller: string,
): string | undefined {
  const hierarchy = reader.layout.byController.get(controller);
  return hierarchy?.version === 1 ? directoryIn(hierarchy.mount, reader.settings.cgroupRoot, stack, path) : undefined;
}

/** Priority by interface; the kernel lists those of the host's network namespace only. */
export function parsePriorityMap(text: string): Map<string, string> {
  return new Map(
    text
      .split('\n')
      .map((line) => line.trim().split(' '))
      .flatMap(([name = '', value]) => (value === undefined ? [] : [[name, value] as const])),
  );
}
