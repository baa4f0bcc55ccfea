/** From the config.json of an OCI bundle to a stack of one container that behaves the same. */
import { containerSchema } from '../../resources/container/schema.ts';
import { convertDevices, type DeviceAt } from './devices.ts';
import { Fields, parseWide, type Note } from './fields.ts';
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
  fit(container, notes);
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

/** Text of the language in which '$' begins no interpolation. */
export function literal(value: unknown): unknown {
  if (typeof value === 'string') {
    return value.replaceAll('$', '$$$$');
  }
  if (Array.isArray(value)) {
    return value.map(literal);
  }
  return typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, literal(v)]))
    : value;
}

/** Takes out what the language refuses, with its reason: what is left is a container it accepts. */
function fit(container: Record<string, unknown>, notes: Note[]): void {
  for (let round = 0; round < 100; round++) {
    const { error } = containerSchema.safeParse(container);
    const issue = error?.issues[0];
    if (issue === undefined) {
      return;
    }
    const path = issue.path.map(String);
    const keys = issue.code === 'unrecognized_keys' ? issue.keys.map((k) => [...path, k]) : [path];
    for (const key of keys) {
      const why = issue.code === 'unrecognized_keys' ? 'the stack language has no such key' : issue.message;
      notes.push({ field: `container key ${key.join('.') || '(all)'}`, text: `${why}: left out` });
      if (!removeAt(container, key)) {
        return;
      }
    }
  }
}

/** Removes the value at a path, and with it a list's item as a whole. */
function removeAt(root: Record<string, unknown>, path: readonly string[]): boolean {
  let owner: unknown = root;
  for (const key of path.slice(0, -1)) {
    owner = (owner as Record<string, unknown> | undefined)?.[key];
  }
  const last = path.at(-1);
  if (typeof owner !== 'object' || owner === null || last === undefined) {
    return false;
  }
  if (Array.isArray(owner)) {
    owner.splice(Number(last), 1);
    return true;
  }
  const had = Object.hasOwn(owner, last);
  Reflect.deleteProperty(owner, last);
  return had;
}
