/** From a Compose file (compose-spec.io) to a stack, with everything that is not carried over. */
import { NAME_PATTERN } from '../../resources/units.ts';
import { fit } from '../fit.ts';
import { extended } from './extends.ts';
import { connected, hostsFile, namespaceName, type Networks } from './network.ts';
import { isMap, list, Part, type Data, type Note } from './part.ts';
import { convertService, type Project } from './service.ts';
import { parseCompose } from './source.ts';
import { defaults, plain, Texts } from './text.ts';

export interface ComposeOptions {
  /** Of the stack where the file gives none. */
  readonly name: string;
  /** Profiles whose services are taken too. */
  readonly profiles: readonly string[];
  readonly read: Project['read'];
}

export interface ConvertedCompose {
  readonly stack: Data;
  /** By line. */
  readonly notes: readonly Note[];
  readonly services: number;
}

/**
 * Converts one file.
 * @param file its name, for errors
 * @throws TsboxError TSB1002, TSB1003
 */
export function convertCompose(file: string, text: string, options: ComposeOptions): ConvertedCompose {
  const source = parseCompose(file, text);
  const notes: Note[] = [];
  const top = new Part(source, notes, source.data, []);
  const texts = new Texts();
  const given = top.take('name');
  top.take('version');
  top.drop(['include'], 'convert the other file too, and give both stacks with -f');
  const services = chosen(top, options);
  const networks: Networks = {
    hosts: new Map(),
    sysctls: new Map(),
    extra: new Map(),
    listening: new Map(),
    standsFor: connected(services.values()),
  };
  const replicas = (s: Data): unknown => (isMap(s['deploy']) ? s['deploy']['replicas'] : undefined) ?? s['scale'];
  const project: Project = {
    texts,
    networks,
    volumes: { used: new Set() },
    services: new Set(services.keys()),
    checked: new Set([...services].filter(([, s]) => hasCheck(s['healthcheck'])).map(([n]) => n)),
    replicated: new Set([...services].filter(([, s]) => (replicas(s) ?? 1) !== 1).map(([n]) => n)),
    read: options.read,
  };
  const containers: Data = {};
  for (const [name, service] of services) {
    const part = new Part(source, notes, service, ['services', name]);
    const container = convertService(name, part, project);
    fit(container, (path, why) => part.note('', `${path}: ${why}`), filled);
    containers[name] = container;
  }
  const volumes = convertVolumes(top, project);
  const files = { secrets: convertFiles(top, 'secrets', texts), configs: convertFiles(top, 'configs', texts) };
  for (const network of networks.hosts.keys()) {
    files.configs[`hosts-${network}`] = { content: texts.literal(hostsFile(networks, network)) };
  }
  const namespaces = convertNetworks(top, networks);
  top.drop(['models'], 'has no counterpart in the stack language');
  top.finish();
  const sections = { namespaces, volumes, ...files, containers };
  return {
    stack: {
      tsbox: 1,
      name: given === undefined ? options.name : stackName(defaults(plain(given)), options.name),
      ...(texts.variables.size === 0
        ? {}
        : {
            variables: Object.fromEntries(
              [...texts.variables].sort().map((v) => [v, { type: 'string', env: v, default: '' }]),
            ),
          }),
      ...Object.fromEntries(Object.entries(sections).filter(([, s]) => Object.keys(s).length > 0)),
    },
    notes: notes.sort((a, b) => a.line - b.line),
    services: services.size,
  };
}

function stackName(text: string, fallback: string): string {
  return NAME_PATTERN.test(text) ? text : fallback;
}

function hasCheck(health: unknown): boolean {
  if (!isMap(health) || health['disable'] === true || health['test'] === undefined) {
    return false;
  }
  return list(health['test'])[0] !== 'NONE';
}

/** Services with what they extend; those of profiles that were not asked for are left out and told. */
function chosen(top: Part, options: ComposeOptions): Map<string, Data> {
  const all = top.take('services');
  const services = isMap(all) ? all : {};
  const lookup = (file: string | undefined): Data | undefined => {
    const found = file === undefined ? undefined : options.read(file);
    const other =
      found !== undefined && 'text' in found ? parseCompose(file ?? '', found.text).data['services'] : undefined;
    return isMap(other) ? other : undefined;
  };
  const result = new Map<string, Data>();
  for (const name of Object.keys(services)) {
    const tell = (text: string): void => top.note(['services', name, 'extends'], text);
    const service = extended(services, name, lookup, tell);
    if (service === undefined) {
      top.note(['services', name], 'is no map: left out');
      continue;
    }
    const profiles = list(service['profiles']).map(plain);
    if (profiles.length > 0 && !profiles.some((p) => options.profiles.includes(p))) {
      top.note(['services', name], `left out: it is of the profile ${profiles.join(', ')} (--profile takes it)`);
      continue;
    }
    result.set(name, service);
  }
  return result;
}

function convertVolumes(top: Part, project: Project): Data {
  const part = top.part('volumes');
  const result: Data = {};
  for (const name of new Set([...Object.keys(part?.data ?? {}), ...project.volumes.used])) {
    const given = part?.part(name);
    result[name] = {};
    if (part === undefined || !(name in part.data)) {
      top.note('services', `the volume '${name}' is not declared in the file: it is made`);
    } else {
      part.take(name);
    }
    if (given === undefined) {
      continue;
    }
    const options = given.part('driver_opts');
    const device = options?.take('device');
    const type = plain(options?.take('type') ?? 'none');
    const isBind = device !== undefined && (type === 'none' || type === 'bind');
    if (isBind) {
      result[name] = { path: project.texts.text(device, given, ['driver_opts', 'device']) };
      options?.take('o');
    } else if (options !== undefined) {
      given.note('driver_opts', `a volume of type '${type}' is not carried over: a plain directory is made`);
    }
    if (isBind) {
      options?.finish();
    }
    const driver = given.take('driver');
    if (driver !== undefined && driver !== 'local') {
      given.note('driver', `'${plain(driver)}' is not carried over: a plain directory is made`);
    }
    if (given.take('external') === true) {
      given.note('external', 'the volume of the other tool is not used: a new one is made, or give its path');
    }
    given.drop(['name'], 'its name is the one in the file');
    given.drop(['labels'], 'a stack has no labels');
    given.finish();
  }
  return result;
}

function convertFiles(top: Part, key: 'secrets' | 'configs', texts: Texts): Data {
  const part = top.part(key);
  const result: Data = {};
  for (const name of Object.keys(part?.data ?? {})) {
    const given = part?.part(name);
    if (given === undefined) {
      continue;
    }
    const from = ['file', 'environment', 'content'].find((k) => given.data[k] !== undefined);
    if (from === undefined) {
      given.note('', 'is kept by a cluster: give it as a file');
      result[name] = { file: `./${key}/${name}` };
    } else {
      result[name] = { [from]: texts.text(given.take(from), given, from) };
    }
    given.drop(['name', 'external', 'labels', 'driver', 'driver_opts', 'template_driver'], 'is of a cluster');
    given.finish();
  }
  return result;
}

function convertNetworks(top: Part, networks: Networks): Data {
  const part = top.part('networks');
  const result: Data = {};
  for (const network of networks.hosts.keys()) {
    const sysctls = networks.sysctls.get(network);
    result[namespaceName(network)] = { type: 'net', ...(sysctls === undefined ? {} : { sysctls }) };
  }
  for (const name of Object.keys(part?.data ?? {})) {
    const given = part?.part(name);
    for (const key of Object.keys(given?.data ?? {}).filter((k) => !k.startsWith('x-'))) {
      const value = given?.take(key);
      if (key !== 'internal' && !(key === 'driver' && value === 'bridge')) {
        given?.note(key, 'a network of a stack is one namespace with a loopback');
      }
    }
    given?.finish();
  }
  return result;
}

/** Variables count with their defaults. */
function filled(value: unknown): unknown {
  if (typeof value === 'string') {
    const text = defaults(value);
    return text === '' && value !== '' ? 'x' : text;
  }
  if (Array.isArray(value)) {
    return value.map(filled);
  }
  return isMap(value) ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, filled(v)])) : value;
}
