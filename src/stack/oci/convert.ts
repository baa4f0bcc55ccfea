/** From the config.json of an OCI bundle to a stack of one container that behaves the same. */
import { convertDevices, type DeviceAt } from './devices.ts';
import { Fields, parseWide, type Note } from './fields.ts';
import { fit } from '../fit.ts';
import { convertHooks } from './hooks.ts';
import { convertLinux } from './linux.ts';
import { convertMounts, convertRoot } from './mounts.ts';
import { convertNamespaces } from './namespaces.ts';
import { convertProcess } from './process.ts';
import { convertResources } from './resources.ts';

export interface Converted {
  readonly stack: Readonly<Record<string, unknown>>;
  /** What was not carried over or is done otherwise, in the order of the file. */
  readonly notes: readonly Note[];
}

/** Platforms that this is not. */
const OTHERS = ['solaris', 'windows', 'vm', 'zos', 'freebsd'];

/**
 * Converts a bundle.
 * @param text of its config.json
 * @param bundle its directory, absolute: relative paths start there
 * @param deviceAt numbers of a device node of the host
 * @throws TsboxError TSB1003 for a file that is not what the specification says; SyntaxError for no JSON
 */
export function convertBundle(text: string, bundle: string, name: string, deviceAt: DeviceAt): Converted {
  const notes: Note[] = [];
  const config = new Fields(parseWide(text), '', notes);
  const version = config.string('ociVersion') ?? '';
  if (!/^1\.[0-3]\./.test(version)) {
    config.note('ociVersion', `${version === '' ? 'is missing' : `is ${version}`}; 1.0 to 1.3 are known`);
  }
  const container: Record<string, unknown> = {};
  const process = config.object('process');
  if (process === undefined) {
    config.note('process', 'is missing: a container of a stack runs something');
  } else {
    convertProcess(process, container);
  }
  const linux = config.object('linux') ?? new Fields({}, 'linux', notes);
  convertNamespaces(config, linux, container);
  convertRoot(config, bundle, container);
  convertMounts(config, bundle, container);
  const resources = linux.object('resources');
  convertDevices(linux, resources, container, deviceAt);
  if (resources !== undefined) {
    convertResources(resources, container);
  }
  convertLinux(linux, container);
  linux.finish();
  convertHooks(config, container);
  const annotations = config.texts('annotations');
  for (const other of OTHERS) {
    if (config.take(other) !== undefined) {
      config.note(other, 'is of another platform');
    }
  }
  config.finish();
  fit(container, (path, text) => notes.push({ field: `container key ${path || '(all)'}`, text }));
  return {
    stack: {
      tsbox: 1,
      name,
      ...(annotations === undefined || Object.keys(annotations).length === 0 ? {} : { 'x-annotations': annotations }),
      containers: { [name]: container },
    },
    notes,
  };
}

export { literal } from '../fit.ts';
