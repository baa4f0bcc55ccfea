/** Volumes, tmpfs, secrets and configs of a service. */
import { isMap, list, Part, type Data } from './part.ts';
import { NAME_PATTERN } from '../../resources/units.ts';
import type { Path } from './source.ts';
import { defaults, plain, type Texts } from './text.ts';

/** Options of a short volume that change nothing here. */
const NOTHING = ['rw', 'cached', 'delegated', 'consistent', 'nocopy'];
const PROPAGATION = /^r?(private|slave|shared)$/;

/** A path that is nothing until a variable is given would be no path: it is one beside the file until then. */
function bindSource(source: string, part: Part, at: string | Path, texts: Texts): string {
  const path = home(source);
  const name = /^\$\{?([A-Za-z_]\w*)\}?$/.exec(path)?.[1];
  if (name === undefined) {
    return texts.text(path, part, at);
  }
  part.note(at, `until ${name} is given, the directory is ./${name}`);
  return texts.text(`\${${name}:-./${name}}`, part, at);
}

interface Volumes {
  /** Names that the file declares or that services use. */
  readonly used: Set<string>;
}

/** ~ is the home of whoever converts; it stays a variable. */
function home(path: string): string {
  return path === '~' || path.startsWith('~/') ? `\${HOME}${path.slice(1)}` : path;
}

export function convertMounts(service: Part, out: Data, texts: Texts, volumes: Volumes): void {
  const mounts: Data[] = [];
  list(service.take('volumes')).forEach((item, index) => {
    const at = ['volumes', index];
    const mount = isMap(item)
      ? longMount(new Part(service.file, service.notes, item, [...service.path, ...at]), texts, volumes)
      : shortMount(service, plain(item), at, texts, volumes);
    if (mount !== undefined) {
      mounts.push(mount);
    }
  });
  list(service.take('tmpfs')).forEach((item, index) => mounts.push(tmpfsMount(service, plain(item), index, texts)));
  if (mounts.length > 0) {
    out['mounts'] = mounts;
  }
  const shm = service.take('shm_size');
  if (shm !== undefined) {
    out['shm_size'] = typeof shm === 'number' ? shm : texts.fixed(shm, service, 'shm_size');
  }
  for (const key of ['secrets', 'configs'] as const) {
    const uses = list(service.take(key)).map((item, index) =>
      isMap(item) ? fileUse(service, item, [key, index], texts) : texts.fixed(item, service, [key, index]),
    );
    if (uses.length > 0) {
      out[key] = uses;
    }
  }
}

function fileUse(service: Part, item: Data, at: readonly (string | number)[], texts: Texts): Data {
  const part = new Part(service.file, service.notes, item, [...service.path, ...at]);
  const result: Data = {};
  for (const key of ['source', 'target', 'uid', 'gid', 'mode']) {
    const value = part.take(key);
    if (value !== undefined) {
      result[key] = typeof value === 'number' ? value : texts.fixed(value, part, key);
    }
  }
  // 0440 is a decimal number to YAML 1.2; whoever writes it means the mode.
  if (typeof result['mode'] === 'number') {
    result['mode'] = octal(result['mode']);
  }
  part.finish();
  return result;
}

/** 0440 and 0o440 are both parsed into numbers: digits of a mode if they can be, else its value. */
function octal(mode: number): string {
  return /^[0-7]{3,4}$/.test(String(mode)) ? `0${mode}`.slice(-4) : `0${mode.toString(8)}`;
}

function shortMount(
  service: Part,
  given: string,
  at: readonly (string | number)[],
  texts: Texts,
  volumes: Volumes,
): Data | undefined {
  const parts = splitColons(given);
  if (parts.length === 1) {
    service.note(at, `the anonymous volume ${given} is left to the private layer of the root, gone with each start`);
    return undefined;
  }
  const [source = '', target = '', options = ''] = parts;
  const where = texts.fixed(target, service, at).replace(/\/$/, '');
  const isPath = /^[./~]/.test(source) || (source.startsWith('$') && !NAME_PATTERN.test(defaults(source)));
  const mount: Data = isPath
    ? { bind: bindSource(source, service, at, texts), target: where }
    : { volume: texts.fixed(source, service, at), target: where };
  if (!isPath) {
    volumes.used.add(String(mount['volume']));
  }
  for (const option of options.split(',').filter((o) => o !== '' && !NOTHING.includes(o))) {
    if (option === 'ro') {
      mount['readonly'] = true;
    } else if (isPath && PROPAGATION.test(option)) {
      mount['propagation'] = option;
    } else {
      service.note(
        at,
        option === 'z' || option === 'Z' ? `'${option}' relabels for SELinux: not done` : `'${option}' is not known`,
      );
    }
  }
  return mount;
}

/** Parts between colons, those in ${…} not counted. */
function splitColons(text: string): string[] {
  const parts = [''];
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    depth += text.startsWith('${', i) ? 1 : text[i] === '}' && depth > 0 ? -1 : 0;
    if (text[i] === ':' && depth === 0) {
      parts.push('');
    } else {
      parts[parts.length - 1] += text[i] ?? '';
    }
  }
  return parts;
}

function longMount(part: Part, texts: Texts, volumes: Volumes): Data | undefined {
  const type = String(part.take('type') ?? 'volume');
  const source = part.take('source');
  const target = texts.fixed(part.take('target'), part, 'target').replace(/\/$/, '');
  const readonly = part.take('read_only') === true ? { readonly: true } : {};
  part.take('consistency');
  const bind = part.part('bind');
  const volume = part.part('volume');
  const tmpfs = part.part('tmpfs');
  let mount: Data | undefined;
  if (type === 'bind') {
    const propagation = bind?.take('propagation');
    mount = {
      bind: bindSource(plain(source), part, 'source', texts),
      target,
      ...readonly,
      ...(propagation === undefined ? {} : { propagation }),
      ...(bind?.take('recursive') === 'disabled' ? { recursive: false } : {}),
    };
    bind?.take('create_host_path');
    bind?.drop(['selinux'], 'relabels for SELinux: not done');
  } else if (type === 'volume' && source !== undefined) {
    const subpath = volume?.take('subpath');
    mount = {
      volume: texts.fixed(source, part, 'source'),
      target,
      ...readonly,
      ...(subpath === undefined ? {} : { subpath }),
    };
    volumes.used.add(String(mount['volume']));
    volume?.take('nocopy');
    volume?.drop(['labels'], 'a stack has no labels');
  } else if (type === 'tmpfs') {
    const size = tmpfs?.take('size');
    const mode = tmpfs?.take('mode');
    mount = {
      tmpfs: target,
      ...(size === undefined ? {} : { size }),
      ...(typeof mode === 'number' ? { mode: octal(mode) } : {}),
      ...readonly,
    };
  } else {
    part.note(
      '',
      type === 'volume'
        ? 'an anonymous volume is left to the private layer of the root'
        : `a mount of type '${type}' is not carried over`,
    );
  }
  [bind, volume, tmpfs].forEach((p) => p?.finish());
  part.finish();
  return mount;
}

function tmpfsMount(service: Part, given: string, index: number, texts: Texts): Data {
  const [target = '', options = ''] = texts.fixed(given, service, ['tmpfs', index]).split(':');
  const mount: Data = { tmpfs: target, noexec: true };
  for (const option of options.split(',').filter((o) => o !== '')) {
    const [key = '', value = ''] = option.split('=');
    if (key === 'size' || key === 'mode' || key === 'uid' || key === 'gid') {
      mount[key] = key === 'mode' ? `0${value}`.slice(-4) : /^\d+$/.test(value) ? Number(value) : value;
    } else if (key === 'exec') {
      delete mount['noexec'];
    } else if (key === 'ro') {
      mount['readonly'] = true;
    } else if (!['rw', 'noexec', 'nosuid', 'nodev'].includes(key)) {
      service.note(['tmpfs', index], `'${option}' is not known`);
    }
  }
  return mount;
}
