/** Reading device rules back from the live kernel: BPF programs on v2, devices.list on v1. */
import type { KernelReader } from '../../kernel/reader.ts';
import { directoryIn } from '../scope.ts';
import { decodePrograms } from './decode.ts';
import { canonicalFromList } from './v1.ts';

/** What devices.list says where nothing was ever restricted. */
const UNRESTRICTED = 'a *:* rwm';

/**
 * Canonical rules in force on each cgroup itself. On a hybrid machine the v1 devices controller filters too; when
 * somebody narrowed it, its entries follow with a 'v1:' in front.
 */
export function observeDevices(reader: KernelReader, stack: string, paths: readonly string[]): string[][] {
  const root = reader.settings.cgroupRoot;
  const v1 = reader.layout.byController.get('devices');
  const lists =
    v1?.version === 1
      ? reader.readFiles(paths.map((p) => `${directoryIn(v1.mount, root, stack, p)}/devices.list`))
      : [];
  const primary = reader.layout.primary;
  if (primary?.version !== 2) {
    return paths.map((_, i) => fromList(lists[i]));
  }
  const programs = reader.devicePrograms(paths.map((p) => directoryIn(primary.mount, root, stack, p)));
  const decoded = new Map<string, string[]>();
  return paths.map((_, i) => {
    const own = programs[i];
    if (typeof own === 'number' || own === undefined) {
      return [`unreadable (errno ${own === undefined ? 0 : -own})`];
    }
    const tags = own.map((p) => p.tag).join('+');
    let rules = decoded.get(tags);
    if (rules === undefined) {
      const code = own.map((p) => p.xlated);
      const readable = code.filter((c): c is Uint8Array => typeof c !== 'number');
      const result = readable.length === code.length ? decodePrograms(readable) : 'opaque';
      rules = result === 'opaque' ? [`program ${tags} that cannot be read back`] : [...result];
      decoded.set(tags, rules);
    }
    const list = lists[i];
    return typeof list === 'string' && list.trim() !== UNRESTRICTED
      ? [
          ...rules,
          ...list
            .trim()
            .split('\n')
            .map((l) => `v1: ${l}`),
        ]
      : rules;
  });
}

function fromList(text: string | number | undefined): string[] {
  return typeof text === 'string' ? [...canonicalFromList(text)] : ['unreadable'];
}
