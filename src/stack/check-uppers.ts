/**
 * Directories that keep the writes of a root: two containers at once in one make an overlay whose behaviour nobody
 * defines (Documentation/filesystems/overlayfs.rst, "Sharing and copying layers").
 */
import { isBelow } from '../resources/container/mounts/schema.ts';
import { containerOf } from '../resources/container/replica-names.ts';
import { keptDirectory } from '../resources/container/rootfs.ts';
import { lineOf, report, type Checking } from './checking.ts';

export function checkUppers(checking: Checking): void {
  const kept: Array<{ readonly name: string; readonly directory: string }> = [];
  const told = new Set<string>();
  for (const container of checking.items.containers.values()) {
    const directory = container.namespaces.mnt.kind === 'new' ? keptDirectory(container.rootfs) : null;
    if (directory === null) {
      continue;
    }
    const address = `container/${container.name}`;
    const base = containerOf(container.name);
    const other = kept.find((k) => isBelow(k.directory, directory) || isBelow(directory, k.directory));
    kept.push({ name: container.name, directory });
    if (other === undefined || told.has(base)) {
      continue;
    }
    told.add(base);
    const same = other.directory === directory;
    const where = lineOf(checking, `container/${other.name}`, ['rootfs', 'upper']);
    report(
      checking,
      'TSB1003',
      address,
      ['rootfs', 'upper'],
      same
        ? `container '${other.name}' keeps its writes there, too (${where})`
        : `this and the directory where container '${other.name}' keeps its writes (${where}) lie in each other`,
      'a directory for each container',
      containerOf(other.name) === base ? 'give each replica its own: ${index} in the path' : undefined,
    );
  }
}
