/** Whether the host can show a declared bind or volume with other ids. */
import { TsboxError } from '../../../errors.ts';
import { idmapSupport } from '../../../kernel/filesystems.ts';
import type { KernelReader } from '../../../kernel/reader.ts';
import type { Stack } from '../../../stack/types.ts';
import type { Problem } from '../../kind.ts';
import { userMaps } from '../idmap.ts';
import type { ContainerSpec } from '../schema.ts';
import { nearestSource, sourceAt, sourcePath, wholePath, type HostMounts, type Places } from './host.ts';
import { isBelow, type BindSpec, type VolumeMountSpec } from './schema.ts';

/** Reports a mount that is to be idmapped and cannot be: there are no maps, or a file system has no such mounts. */
export function checkIdmap(
  mount: BindSpec | VolumeMountSpec,
  index: number,
  container: ContainerSpec,
  stack: Stack,
  reader: KernelReader,
  host: { readonly table: HostMounts; readonly places: Places },
  report: (problem: Problem) => void,
): void {
  if (mount.idmap === null) {
    return;
  }
  const address = `container/${container.name}`;
  const refuse = (message: string, hint: string): void => {
    const at = stack.locate(address, ['mounts', index, 'idmap']);
    report({ severity: 'error', error: new TsboxError('TSB1009', `${address}: ${message}`, { at, address, hint }) });
  };
  if (mount.idmap === 'container' && userMaps(container, stack) === undefined) {
    refuse(
      `${mount.target} cannot be idmapped: the container has no user namespace whose ids it could show`,
      'give the container a user namespace, or the mount maps of its own: idmap: { uids: [{ inside, outside, count }] }',
    );
    return;
  }
  const path = wholePath(sourcePath(mount, host.places));
  const source = sourceAt(host.table, path) ?? nearestSource(host.table, path);
  const below =
    mount.kind === 'bind' && mount.recursive
      ? [...host.table.byId.values()].filter((m) => m.target !== path && isBelow(m.target, path))
      : [];
  const all = [
    ...(source === undefined ? [] : [{ path, fstype: source.fstype, options: source.options }]),
    ...below.map((m) => ({ path: m.target, fstype: m.fstype, options: m.options })),
  ];
  for (const { path: at, fstype, options } of all) {
    if (options.includes('idmapped')) {
      refuse(`${at} is on a mount that is idmapped already`, 'a mount can be idmapped once: name its source');
      return;
    }
    if (idmapSupport(fstype, reader.release) === 'no') {
      const hint = at === path ? 'leave out idmap' : 'recursive: false leaves out what is mounted below';
      refuse(`${at} is on ${fstype}, whose mounts ${reader.release} does not idmap`, hint);
      return;
    }
  }
}
