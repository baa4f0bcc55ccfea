/** A service of a Compose file as a container of a stack. */
import { convertLimits } from './limits.ts';
import { convertMounts } from './mounts.ts';
import { convertNamespaces, convertNetwork, convertSysctls, type Networks } from './network.ts';
import type { Part } from './part.ts';
import { isMap, list, type Data } from './part.ts';
import { convertPrivileges } from './privileges.ts';
import { plain, words, type Texts } from './text.ts';

export interface Project {
  readonly texts: Texts;
  readonly networks: Networks;
  readonly volumes: { readonly used: Set<string> };
  /** Names of the services that are converted. */
  readonly services: ReadonlySet<string>;
  /** Those among them that say how their health is checked. */
  readonly checked: ReadonlySet<string>;
  readonly replicated: ReadonlySet<string>;
  /** Text of a file beside the Compose file, or why there is none. */
  readonly read: (path: string) => { readonly text: string } | { readonly why: string };
}

export function convertService(name: string, service: Part, project: Project): Data {
  const { texts } = project;
  const out: Data = {};
  convertImage(name, service, out, texts);
  convertCommand(service, out, texts);
  convertEnvironment(service, out, project);
  for (const key of ['working_dir', 'user', 'stop_signal', 'stop_grace_period'] as const) {
    const value = service.take(key);
    if (value !== undefined) {
      out[key] = typeof value === 'number' ? value : texts.text(value, service, key);
    }
  }
  const groups = list(service.take('group_add'));
  if (groups.length > 0) {
    out['group_add'] = groups.map((g) => (/^\d+$/.test(plain(g)) ? Number(g) : texts.fixed(g, service, 'group_add')));
  }
  for (const [key, to] of [
    ['init', 'init'],
    ['tty', 'tty'],
    ['stdin_open', 'stdin'],
  ] as const) {
    if (service.take(key) === true) {
      out[to] = true;
    }
  }
  const uses = convertNamespaces(service, texts);
  const network = convertNetwork(name, service, uses, project.networks, texts);
  withIndex(uses, project);
  if (Object.keys(uses).length > 0) {
    out['namespaces'] = uses;
  }
  convertSysctls(service, out, network, project.networks);
  convertRestart(service, out, texts);
  convertHealth(service, out, texts);
  convertDependencies(service, out, project);
  convertUlimits(service, out, texts);
  convertLimits(service, out, texts);
  const scale = service.take('scale');
  if (typeof scale === 'number' && scale !== 1) {
    out['replicas'] = scale;
  }
  convertPrivileges(service, out, texts);
  convertMounts(service, out, texts, project.volumes);
  convertLogging(service, out, texts);
  leftOut(service);
  if (network !== undefined) {
    const hosts = { source: `hosts-${network}`, target: '/etc/hosts' };
    out['configs'] = [...((out['configs'] as unknown[] | undefined) ?? []), hosts];
  }
  service.take('profiles');
  service.finish();
  return out;
}

/** A shared namespace of replicas is that of the first. */
function withIndex(uses: Data, project: Project): void {
  for (const [type, use] of Object.entries(uses)) {
    if (typeof use === 'string' && use.startsWith('container/') && project.replicated.has(use.slice(10))) {
      uses[type] = `${use}[0]`;
    }
  }
}

/** Docker's short names are of docker.io, one word of its library. */
function reference(image: string, known: string): string {
  const [first = ''] = known.split('/');
  const hosted = known.includes('/') && (/[.:]/.test(first) || first === 'localhost');
  const prefix = hosted ? '' : known.includes('/') ? 'docker.io/' : 'docker.io/library/';
  return `docker://${prefix}${image}`;
}

function convertImage(name: string, service: Part, out: Data, texts: Texts): void {
  const image = service.take('image');
  const build = service.take('build');
  const text = image === undefined ? '' : texts.text(image, service, 'image');
  const known = plain(image)
    .replace(/\$\{[^}]*?:?-([^}]*)\}/g, '$1')
    .replace(/\$\{[^}]*\}/g, '');
  const use =
    image === undefined || (build !== undefined && known === '') ? `oci:./images/${name}` : reference(text, known);
  if (build !== undefined) {
    const where =
      image === undefined ? `put an OCI layout of it at ./images/${name}` : 'push it, or name an OCI layout of it';
    service.note('build', `nothing is built: ${where}`);
  }
  if (image === undefined && build === undefined) {
    service.note('image', 'is missing');
  }
  const platform = service.take('platform');
  const pull = service.take('pull_policy');
  const words: Readonly<Record<string, string>> = {
    always: 'always',
    never: 'never',
    missing: 'missing',
    if_not_present: 'missing',
  };
  const policy = typeof pull === 'string' ? words[pull] : undefined;
  if (pull !== undefined && policy === undefined) {
    service.note('pull_policy', `'${plain(pull)}' is not carried over`);
  }
  const readonly = service.take('read_only') === true;
  const given = {
    ...(platform === undefined ? {} : { platform: texts.fixed(platform, service, 'platform') }),
    ...(policy === undefined ? {} : { pull: policy }),
    ...(readonly ? { readonly: true } : {}),
  };
  if (Object.keys(given).length === 0) {
    out['image'] = use;
  } else {
    out['rootfs'] = { image: use, ...given };
  }
}

function convertCommand(service: Part, out: Data, texts: Texts): void {
  for (const key of ['entrypoint', 'command'] as const) {
    const value = service.take(key);
    if (isMap(value)) {
      service.note(key, 'is no command: left out');
    } else if (value !== undefined) {
      const argv = Array.isArray(value) ? value : words(plain(value));
      out[key] = argv.map((word, index) => texts.text(word, service, Array.isArray(value) ? [key, index] : key));
    }
  }
}

function convertEnvironment(service: Part, out: Data, project: Project): void {
  const env: Record<string, string> = {};
  list(service.take('env_file')).forEach((item, index) => {
    const path = isMap(item) ? plain(item['path']) : plain(item);
    const required = !isMap(item) || item['required'] !== false;
    const found = project.read(project.texts.fixed(path, service, ['env_file', index]));
    if ('text' in found) {
      Object.assign(env, envFile(found.text, service, index, project.texts));
      service.note(['env_file', index], `the values of ${path} are written into the stack`);
    } else if (required) {
      service.note(['env_file', index], `${path}: ${found.why}: its values are missing`);
    }
  });
  const given = service.take('environment');
  const entries = isMap(given)
    ? Object.entries(given)
    : list(given).map((item): [string, unknown] => {
        const text = plain(item);
        const equals = text.indexOf('=');
        return equals < 0 ? [text, null] : [text.slice(0, equals), text.slice(equals + 1)];
      });
  for (const [key, value] of entries) {
    if (value === null && /^[A-Za-z_]\w*$/.test(key)) {
      project.texts.variables.add(key);
      env[key] = `\${${key}}`;
    } else {
      env[key] = project.texts.text(value, service, isMap(given) ? ['environment', key] : 'environment');
    }
  }
  if (Object.keys(env).length > 0) {
    out['env'] = env;
  }
}

/** NAME=VALUE lines; quotes around a value are not part of it, and in single ones nothing is a variable. */
function envFile(text: string, service: Part, index: number, texts: Texts): Record<string, string> {
  const env: Record<string, string> = {};
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*=\s*(.*?)\s*$/.exec(line);
    if (match === null) {
      continue;
    }
    const [, key = '', value = ''] = match;
    const quoted = /^(['"])(.*)\1(?:\s+#.*)?$/.exec(value);
    const bare = quoted?.[2] ?? value.replace(/\s+#.*$/, '');
    env[key] = quoted?.[1] === "'" ? texts.literal(bare) : texts.text(bare, service, ['env_file', index]);
  }
  return env;
}

function convertRestart(service: Part, out: Data, texts: Texts): void {
  const given = service.take('restart');
  const [policy = '', most] = given === undefined ? [] : texts.fixed(given, service, 'restart').split(':');
  if (policy !== '' && policy !== 'false') {
    out['restart'] = most === undefined ? policy : { policy, max: Number(most) };
  }
}

function convertHealth(service: Part, out: Data, texts: Texts): void {
  const health = service.part('healthcheck');
  if (health === undefined) {
    return;
  }
  const test = health.take('test');
  const [first, ...rest] = Array.isArray(test) ? (test as unknown[]) : [test];
  const result: Data = {};
  if (health.take('disable') === true || first === 'NONE') {
    return;
  }
  if (test === undefined) {
    health.note('', "an image's own health check is not used: say which command is run");
    return;
  }
  result['command'] =
    first === 'CMD'
      ? rest.map((w) => texts.text(w, health, 'test'))
      : texts.text(first === 'CMD-SHELL' ? rest.join(' ') : first, health, 'test');
  for (const key of ['interval', 'timeout', 'start_period', 'start_interval'] as const) {
    const value = health.take(key);
    if (value !== undefined) {
      result[key] = texts.fixed(value, health, key);
    }
  }
  const retries = health.take('retries');
  if (retries !== undefined) {
    result['retries'] = Number(texts.fixed(retries, health, 'retries'));
  }
  health.finish();
  out['healthcheck'] = result;
}

const CONDITIONS: Readonly<Record<string, string>> = {
  service_started: 'started',
  service_healthy: 'healthy',
  service_completed_successfully: 'completed',
};

function convertDependencies(service: Part, out: Data, project: Project): void {
  const given = service.take('depends_on');
  const entries = isMap(given) ? Object.entries(given) : list(given).map((n): [string, unknown] => [plain(n), {}]);
  for (const name of list(service.data['links']).map((l) => plain(l).split(':')[0] ?? '')) {
    entries.push([name, {}]);
  }
  const result: Record<string, string> = {};
  for (const [name, value] of entries) {
    const how = isMap(value) ? value : {};
    if (!project.services.has(name)) {
      service.note('depends_on', `'${name}' is not in the stack`);
      continue;
    }
    let condition = CONDITIONS[plain(how['condition'] ?? 'service_started')] ?? 'started';
    if (condition === 'healthy' && !project.checked.has(name)) {
      service.note(['depends_on', name], `'${name}' has no health check of its own in the file: started is enough`);
      condition = 'started';
    }
    if (how['restart'] === true) {
      service.note(['depends_on', name, 'restart'], 'a restart does not take those that depend on it with it');
    }
    result[name] ??= condition;
  }
  if (Object.keys(result).length > 0) {
    const plainly = Object.values(result).every((c) => c === 'started');
    out['depends_on'] = plainly ? Object.keys(result) : result;
  }
}

function convertUlimits(service: Part, out: Data, texts: Texts): void {
  const limits = service.part('ulimits');
  if (limits === undefined) {
    return;
  }
  const value = (v: unknown, at: string): unknown => {
    const text = texts.fixed(v, limits, at);
    return text === '-1' ? 'unlimited' : /^\d+$/.test(text) ? Number(text) : text;
  };
  out['rlimits'] = Object.fromEntries(
    Object.keys(limits.data).map((key) => {
      const given = limits.take(key);
      return [
        key,
        isMap(given) ? { soft: value(given['soft'], key), hard: value(given['hard'], key) } : value(given, key),
      ];
    }),
  );
}

function convertLogging(service: Part, out: Data, texts: Texts): void {
  const logging = service.part('logging');
  const driver = logging?.take('driver') ?? 'json-file';
  const options = logging?.part('options');
  if (logging === undefined) {
    return;
  }
  if (driver !== 'json-file' && driver !== 'local') {
    logging.note('driver', `'${plain(driver)}' is not carried over: output goes to the container's log (tsbox logs)`);
    return;
  }
  const size = options?.take('max-size');
  const files = options?.take('max-file');
  if (size !== undefined || files !== undefined) {
    out['log'] = {
      ...(size === undefined || options === undefined ? {} : { max_size: texts.fixed(size, options, 'max-size') }),
      ...(files === undefined || options === undefined
        ? {}
        : { files: Number(texts.fixed(files, options, 'max-file')) }),
    };
  }
  options?.finish();
  logging.finish();
}

function leftOut(service: Part): void {
  service.drop(['labels', 'annotations', 'label_file'], 'a stack has no labels');
  service.drop(['container_name'], "a container's name is that of its service");
  service.drop(['post_start', 'pre_stop'], 'write it as hooks: they have no user and directory of their own');
  service.drop(['develop'], 'is of development, not of running');
  service.drop(['cgroup_parent'], 'its cgroup is in the stack: declare cgroups and name one with cgroup');
  service.drop(['volumes_from'], 'name the mounts instead');
  service.drop(
    [
      'attach',
      'credential_spec',
      'gpus',
      'isolation',
      'models',
      'provider',
      'runtime',
      'storage_opt',
      'use_api_socket',
    ],
    'has no counterpart in the stack language',
  );
}
