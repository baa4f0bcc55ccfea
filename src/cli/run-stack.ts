/** The stack that `run` makes of its options: one container, `main`. */
import { resolve } from 'node:path';
import { TsboxError } from '../errors.ts';
import { NAMESPACE_TYPES, type NamespaceType } from '../kernel/init-spec.ts';
import { literal, stackText } from '../stack/write.ts';
import type { Arguments } from './args.ts';

const isType = (word: string): word is NamespaceType => NAMESPACE_TYPES.some((t) => t === word);

/**
 * Its text, in the language.
 * @param findContainer STACK:NAME of a container as the command line names it
 */
export function runStack(args: Arguments, name: string, findContainer: (wanted: string) => string): string {
  const { values, lists } = args;
  const container: Record<string, unknown> = {};
  const put = (key: string, value: unknown): void => {
    if (value !== undefined) {
      container[key] = value;
    }
  };
  // An image has a command of its own.
  put('command', args.positionals.length === 0 ? undefined : args.positionals.map(literal));
  if (values.image !== undefined && values.rootfs !== undefined) {
    throw new TsboxError('TSB2001', '--image and --rootfs both say what it sees as /', { hint: 'give one of them' });
  }
  put('image', values.image === undefined ? undefined : literal(values.image));
  put('mounts', lists.mount?.map(mount));
  put('rootfs', values.rootfs === undefined ? undefined : rootfs(values.rootfs));
  put('user', values.user === undefined ? undefined : literal(values.user));
  put('working_dir', values.workdir === undefined ? undefined : literal(values.workdir));
  put('env', lists.env === undefined ? undefined : pairs('env', lists.env));
  put('sysctls', lists.sysctl === undefined ? undefined : pairs('sysctl', lists.sysctl));
  put(
    'capabilities',
    values.capabilities?.split(',').filter((c) => c !== ''),
  );
  put('seccomp', values.seccomp);
  put('memory', values.memory === undefined ? undefined : { max: literal(values.memory) });
  put('cpu', values.cpus === undefined ? undefined : { max: literal(values.cpus) });
  put('pids', values.pids === undefined ? undefined : { max: numberOr(values.pids) });
  put('share', values.share === undefined ? undefined : share(values.share, findContainer));
  const namespaces = namespaceUses(args, findContainer);
  put('namespaces', Object.keys(namespaces).length === 0 ? undefined : namespaces);
  return stackText({ tsbox: 1, name: literal(name), containers: { main: container } });
}

function rootfs(text: string): unknown {
  return text === 'host' ? 'host' : { dir: literal(resolve(text)) };
}

/** `bind:./data,target=/data,readonly` is { bind: ./data, target: /data, readonly: true }: the keys are the language's. */
function mount(text: string): Record<string, unknown> {
  const [first = '', ...options] = text.split(',');
  const [kind = '', what] = first.split(/:(.*)/s);
  if (kind === '' || what === undefined || what === '') {
    throw new TsboxError('TSB2001', `--mount '${text}' is not KIND:WHAT[,KEY=VALUE]…`, {
      hint: 'for example --mount bind:./data,target=/data,readonly, or --mount tmpfs:/work,size=1MiB',
    });
  }
  const item: Record<string, unknown> = { [kind]: literal(kind === 'bind' ? resolve(what) : what) };
  for (const option of options) {
    const [key = '', value] = option.split(/=(.*)/s);
    const flag = value === undefined || value === 'true' || value === 'false';
    item[key] = flag ? value !== 'false' : numberOr(value);
  }
  return item;
}

function numberOr(text: string): string | number {
  return /^\d{1,15}$/.test(text) ? Number(text) : literal(text);
}

function pairs(option: string, items: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    items.map((item) => {
      const equals = item.indexOf('=');
      if (equals < 1) {
        throw new TsboxError('TSB2001', `--${option} '${item}' is not KEY=VALUE`);
      }
      return [item.slice(0, equals), literal(item.slice(equals + 1))];
    }),
  );
}

/** CONTAINER or CONTAINER:net,ipc. */
function share(text: string, findContainer: (wanted: string) => string): unknown {
  const colon = text.lastIndexOf(':');
  const types = colon < 0 ? [] : text.slice(colon + 1).split(',');
  const listed = types.length > 0 && types.every(isType);
  const container = findContainer(listed ? text.slice(0, colon) : text);
  return listed ? { container, namespaces: types } : container;
}

/** `net,pid` are new and the others the host's, as unshare(1) has it; `net=USE` says where one comes from. */
function namespaceUses(args: Arguments, findContainer: (wanted: string) => string): Record<string, unknown> {
  const { values } = args;
  const uses: Record<string, unknown> = {};
  if (values.namespaces !== undefined) {
    for (const type of NAMESPACE_TYPES) {
      uses[type] = 'host';
    }
    for (const item of values.namespaces.split(',').filter((i) => i !== '')) {
      const [type = '', use = 'new'] = item.split(/=(.*)/);
      if (!isType(type)) {
        throw new TsboxError('TSB2001', `--namespaces: '${type}' is not a type of namespace`, {
          hint: `there are: ${NAMESPACE_TYPES.join(', ')}`,
        });
      }
      uses[type] = literal(use.startsWith('container/') ? `container/${findContainer(use)}` : use);
    }
  }
  if (values.network !== undefined) {
    if (values.network !== 'host' && values.network !== 'none') {
      throw new TsboxError('TSB2001', `--network takes host or none, not '${values.network}'`, {
        hint: '--share CONTAINER:net puts it into the network of a container',
      });
    }
    uses['net'] = values.network === 'host' ? 'host' : 'new';
  }
  if (values.hostname !== undefined) {
    if (uses['uts'] !== undefined && uses['uts'] !== 'new') {
      throw new TsboxError('TSB2001', '--hostname needs a uts namespace of its own', {
        hint: 'add uts to --namespaces',
      });
    }
    uses['uts'] = { hostname: literal(values.hostname) };
  }
  // What is shared is not the host's.
  if (values.share !== undefined) {
    const colon = values.share.lastIndexOf(':');
    const types = values.share.slice(colon + 1).split(',');
    const shared = colon >= 0 && types.every(isType) ? types : ['net', 'ipc', 'uts'];
    for (const type of shared.filter((t) => uses[t] === 'host')) {
      delete uses[type];
    }
  }
  return uses;
}
