/** `root` and `mounts` of a bundle. */
import { isAbsolute, posix, resolve } from 'node:path';
import type { Fields } from './fields.ts';
import { idMaps, type IdMap } from './namespaces.ts';
import { defined } from './process.ts';

type Out = Record<string, unknown>;

/** What a container has without being told, and the flags it has there. */
const VIEWS: Readonly<Record<string, { readonly type: string; readonly readonly: boolean }>> = {
  '/proc': { type: 'proc', readonly: false },
  '/sys': { type: 'sysfs', readonly: true },
  '/sys/fs/cgroup': { type: 'cgroup', readonly: true },
  '/dev': { type: 'tmpfs', readonly: false },
  '/dev/pts': { type: 'devpts', readonly: false },
  '/dev/shm': { type: 'tmpfs', readonly: false },
  '/dev/mqueue': { type: 'mqueue', readonly: false },
};
/** Of those, the ones a bundle need not ask for: runc and crun make them where it is silent about them too. */
const QUIET = new Set(['/sys/fs/cgroup', '/dev/mqueue', '/dev/shm', '/dev/pts']);

const PROPAGATIONS = new Set([
  'private',
  'rprivate',
  'shared',
  'rshared',
  'slave',
  'rslave',
  'unbindable',
  'runbindable',
]);
/** How access times and writing back are kept: the kernel's defaults serve, and the language has no words for others. */
const TIMES = new Set([
  'async',
  'sync',
  'dirsync',
  'iversion',
  'noiversion',
  'lazytime',
  'nolazytime',
  'mand',
  'nomand',
  'noatime',
  'nodiratime',
  'strictatime',
  'norelatime',
  'nostrictatime',
  'rnoatime',
  'rnodiratime',
  'rstrictatime',
  'rnorelatime',
  'rnostrictatime',
]);
/** Say what is so anyway. */
const NOTHING = new Set([
  'defaults',
  'async',
  'silent',
  'loud',
  'rw',
  'rrw',
  'suid',
  'rsuid',
  'dev',
  'rdev',
  'exec',
  'rexec',
  'relatime',
  'rrelatime',
  'atime',
  'ratime',
  'diratime',
  'rdiratime',
  'nomand',
  'nolazytime',
  'noiversion',
  'symfollow',
  'rsymfollow',
  'nostrictatime',
  'rnostrictatime',
]);

/** A mount's options by what they are about. */
interface Options {
  readonly bind: boolean;
  readonly recursive: boolean;
  readonly readonly: boolean | 'top';
  readonly nosuid: boolean;
  readonly nodev: boolean;
  readonly noexec: boolean;
  readonly propagation: string | undefined;
  readonly idmap: 'idmap' | 'ridmap' | undefined;
  readonly copyUp: boolean;
  /** Passed to the file system. */
  readonly data: ReadonlyMap<string, string>;
  readonly lost: readonly string[];
}

function parseOptions(words: readonly string[]): Options {
  const has = (...names: string[]): boolean => names.some((n) => words.includes(n));
  // A later word wins over an earlier one.
  const last = (on: string, off: string): boolean => words.lastIndexOf(on) > words.lastIndexOf(off);
  const known = new Set([
    ...[
      'bind',
      'rbind',
      'ro',
      'rro',
      'nosuid',
      'rnosuid',
      'nodev',
      'rnodev',
      'noexec',
      'rnoexec',
      'idmap',
      'ridmap',
      'tmpcopyup',
    ],
    ...PROPAGATIONS,
    ...NOTHING,
  ]);
  const data = new Map<string, string>();
  const lost: string[] = [];
  for (const word of words.filter((w) => !known.has(w))) {
    const [key = '', ...value] = word.split('=');
    if (TIMES.has(word) || ['nosymfollow', 'rnosymfollow', 'remount'].includes(word)) {
      lost.push(word);
    } else {
      data.set(key, value.join('='));
    }
  }
  const rbind = has('rbind');
  return {
    bind: rbind || has('bind'),
    recursive: rbind,
    readonly: has('rro') ? true : last('ro', 'rw') ? (rbind ? 'top' : true) : false,
    nosuid: last('nosuid', 'suid') || has('rnosuid'),
    nodev: last('nodev', 'dev') || has('rnodev'),
    noexec: last('noexec', 'exec') || has('rnoexec'),
    propagation: words.filter((w) => PROPAGATIONS.has(w)).at(-1),
    idmap: has('ridmap') ? 'ridmap' : has('idmap') ? 'idmap' : undefined,
    copyUp: has('tmpcopyup'),
    data,
    lost,
  };
}

export function convertRoot(config: Fields, bundle: string, out: Out): void {
  const namespaces = out['namespaces'] as Record<string, unknown> | undefined;
  const mapped = namespaces?.['user'] !== undefined;
  const root = config.object('root');
  if (root === undefined) {
    config.note('root', 'is missing: the container sees the host, read-only');
    return;
  }
  const path = root.string('path') ?? 'rootfs';
  out['rootfs'] = {
    dir: isAbsolute(path) ? path : resolve(bundle, path),
    overlay: false,
    // Ids of the root are those on disk, also in a user namespace.
    ...(mapped ? { idmap: false } : {}),
    ...(root.boolean('readonly') === true ? { readonly: true } : {}),
  };
  root.finish();
}

export function convertMounts(config: Fields, bundle: string, out: Out): void {
  const mounts: Out[] = [];
  const seen = new Set<string>();
  const targets: string[] = [];
  for (const mount of config.objects('mounts')) {
    const target = normalise(mount.string('destination') ?? '');
    const type = mount.string('type') ?? 'none';
    const source = mount.string('source') ?? '';
    const options = parseOptions(mount.strings('options') ?? []);
    const converted = convertMount(mount, { target, type, source, options, bundle }, out);
    mount.finish();
    if (targets.includes(target) || targets.some((t) => t.startsWith(`${target}/`))) {
      mount.note(
        'destination',
        `${target} covers an earlier mount; mounts of a stack are made from the top down, one per target`,
      );
    }
    targets.push(target);
    seen.add(target);
    if (converted !== undefined && !mounts.some((m) => targetOf(m) === target)) {
      mounts.push(converted);
    }
  }
  for (const [target, view] of Object.entries(VIEWS)) {
    if (!seen.has(target) && !QUIET.has(target)) {
      config.note('mounts', `has no ${target}; every container has one (${view.type})`);
    }
  }
  if (mounts.length > 0) {
    out['mounts'] = mounts;
  }
}

function normalise(path: string): string {
  return posix.normalize(`/${path}`).replace(/(.)\/$/, '$1');
}

function targetOf(mount: Out): unknown {
  return (
    mount['target'] ??
    mount['tmpfs'] ??
    mount['proc'] ??
    mount['sysfs'] ??
    mount['mqueue'] ??
    mount['devpts'] ??
    mount['cgroup']
  );
}

interface Parts {
  readonly target: string;
  readonly type: string;
  readonly source: string;
  readonly options: Options;
  readonly bundle: string;
}

/** One mount of the language; undefined where the container has it anyway or where it cannot be said. */
function convertMount(mount: Fields, parts: Parts, out: Out): Out | undefined {
  const { target, type, options } = parts;
  const maps = { uids: idMaps(mount, 'uidMappings'), gids: idMaps(mount, 'gidMappings') };
  for (const word of options.lost) {
    mount.note('options', `${target}: '${word}' has no word in the stack language`);
  }
  if (options.bind) {
    return bindOf(mount, parts, maps);
  }
  if (options.propagation !== undefined && !['private', 'rprivate'].includes(options.propagation)) {
    mount.note('options', `${target}: '${options.propagation}' of a mount of its own: it is private`);
  }
  switch (type) {
    case 'proc':
    case 'sysfs':
    case 'mqueue':
    case 'cgroup':
    case 'cgroup2':
    case 'devpts':
      return viewOf(mount, parts);
    case 'tmpfs':
      return tmpfsOf(mount, parts, out);
    default:
      mount.note(
        'type',
        `${target}: file systems of type '${type}' are not mounted by a stack; mount it on the host and bind it`,
      );
      return undefined;
  }
}

function flagsOf(options: Options, defaults: { nosuid: boolean; nodev: boolean; noexec: boolean }): Out {
  return Object.fromEntries(
    (['nosuid', 'nodev', 'noexec'] as const).filter((k) => options[k] !== defaults[k]).map((k) => [k, options[k]]),
  );
}

const BIND_DEFAULTS = { nosuid: true, nodev: true, noexec: false };

function bindOf(
  mount: Fields,
  { target, source, options, bundle }: Parts,
  maps: { uids: IdMap[]; gids: IdMap[] },
): Out {
  if (options.data.size > 0) {
    mount.note('options', `${target}: ${[...options.data.keys()].join(', ')} mean nothing to a bind mount`);
  }
  const mapped = options.idmap !== undefined || maps.uids.length > 0;
  return {
    bind: isAbsolute(source) ? source : resolve(bundle, source),
    target,
    ...(options.recursive ? {} : { recursive: false }),
    ...(options.readonly === false ? {} : { readonly: options.readonly }),
    ...flagsOf(options, BIND_DEFAULTS),
    ...(options.propagation === undefined || options.propagation === 'rprivate'
      ? {}
      : { propagation: options.propagation }),
    ...(mapped ? { idmap: maps.uids.length > 0 ? maps : true } : {}),
  };
}

const HIDEPID: Readonly<Record<string, string>> = { 0: 'off', 1: 'noaccess', 2: 'invisible', 4: 'ptraceable' };

/** proc, sysfs, mqueue, cgroup and devpts are always nosuid, nodev (but devpts) and noexec. */
function viewOf(mount: Fields, { target, type, options }: Parts): Out | undefined {
  const key = type === 'cgroup2' ? 'cgroup' : type;
  const builtIn = VIEWS[target]?.type === key ? VIEWS[target] : undefined;
  const data = new Map(options.data);
  const hidepid = data.get('hidepid');
  const subset = data.get('subset');
  for (const taken of ['hidepid', 'subset', 'newinstance', 'ptmxmode', ...(type === 'devpts' ? ['mode', 'gid'] : [])]) {
    data.delete(taken);
  }
  if (type === 'devpts' && options.data.has('gid') && options.data.get('gid') !== '5') {
    mount.note('options', `${target}: gid=${options.data.get('gid')}: terminals belong to their user's group`);
  }
  const open = (['nosuid', 'noexec', ...(type === 'devpts' ? [] : ['nodev'])] as const).filter(
    (f) => !options[f as 'nosuid'],
  );
  if (open.length > 0) {
    mount.note('options', `${target}: without ${open.join(', ')}; views of the kernel always have them`);
  }
  if (data.size > 0) {
    mount.note('options', `${target}: ${[...data.keys()].join(', ')} cannot be given to ${type}`);
  }
  const readonly = options.readonly !== false;
  const special = defined({
    ...(key === 'proc' && hidepid !== undefined ? { hidepid: HIDEPID[hidepid] ?? hidepid } : {}),
    ...(key === 'proc' && subset !== undefined ? { subset } : {}),
    ...(key !== 'devpts' && readonly !== (key === 'sysfs' || key === 'cgroup') ? { readonly } : {}),
  });
  return builtIn !== undefined && Object.keys(special).length === 0 ? undefined : { [key]: target, ...special };
}

/** Bytes of tmpfs(5): '64k', '1g', '50%'. */
function sizeOf(text: string): string | number | undefined {
  const match = /^(\d+)([kmgt]?)$/i.exec(text);
  return match === null
    ? undefined
    : Number(match[1]) * 1024 ** ('kmgt'.indexOf((match[2] ?? '').toLowerCase() || 'x') + 1);
}

const TMPFS_DEFAULTS = { nosuid: true, nodev: true, noexec: false };

function tmpfsOf(mount: Fields, { target, options }: Parts, out: Out): Out | undefined {
  const data = new Map(options.data);
  const text = data.get('size');
  const size = text === undefined ? undefined : sizeOf(text);
  if (text !== undefined && size === undefined) {
    mount.note('options', `${target}: size=${text} is not a number of bytes`);
  }
  const number = (key: string): number | undefined => (data.has(key) ? Number(data.get(key)) : undefined);
  const fields = defined({
    size,
    inodes: number('nr_inodes'),
    mode: data.has('mode') ? `0${(data.get('mode') ?? '').replace(/^0+/, '').padStart(3, '0')}` : undefined,
    uid: number('uid') === 0 ? undefined : number('uid'),
    gid: number('gid') === 0 ? undefined : number('gid'),
    copy_up: options.copyUp ? true : undefined,
  });
  for (const taken of ['size', 'nr_inodes', 'mode', 'uid', 'gid', 'inode64']) {
    data.delete(taken);
  }
  if (data.size > 0) {
    mount.note('options', `${target}: ${[...data.keys()].join(', ')} have no word in the stack language`);
  }
  if (target === '/dev') {
    return undefined;
  }
  if (
    target === '/dev/shm' &&
    Object.keys(fields).every((k) => k === 'size' || (k === 'mode' && fields[k] === '01777'))
  ) {
    if (size !== undefined && size !== 65_536 * 1024) {
      out['shm_size'] = size;
    }
    return undefined;
  }
  return {
    tmpfs: target,
    ...fields,
    ...(options.readonly === false ? {} : { readonly: true }),
    ...flagsOf(options, TMPFS_DEFAULTS),
  };
}
