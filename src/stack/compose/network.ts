/**
 * Networks of services. The stack language links no network namespaces, so the services of one Compose network share
 * one namespace: they reach each other on its loopback, under their names by an /etc/hosts of that network.
 */
import { USE_WORDS } from '../../resources/namespace/use.ts';
import { isMap, list, type Data, type Part } from './part.ts';
import { plain, type Texts } from './text.ts';

export interface Networks {
  /** Names of services and their aliases by network. */
  readonly hosts: Map<string, Set<string>>;
  /** Kernel parameters of a network's namespace. */
  readonly sysctls: Map<string, Data>;
  /** The network that stands for a network: those with a service in common are one. */
  readonly standsFor: ReadonlyMap<string, string>;
  /** Ports that services listen on, by network and port: the service that has it. */
  readonly listening: Map<string, string>;
  /** Services with an /etc/hosts of their own lines besides, by network. */
  readonly extra: Map<string, Set<string>>;
}

const NOT_LINKED = 'is not carried over: nothing links the network of a stack with the outside';

/** The use of namespaces that Compose writes as host, none, service:NAME or container:NAME. */
function useOf(service: Part, key: string, own: readonly string[], texts: Texts): string | undefined {
  const value = service.take(key);
  const text = value === undefined ? '' : texts.fixed(value, service, key);
  if (text === 'host') {
    return 'host';
  }
  if (text.startsWith('service:')) {
    return `container/${text.slice('service:'.length)}`;
  }
  if (text !== '' && !own.includes(text)) {
    service.note(key, `'${text}' is not carried over: the container has one of its own`);
  }
  return undefined;
}

const KINDS = [
  ['pid', 'pid', ['private']],
  ['ipc', 'ipc', ['private', 'shareable']],
  ['uts', 'uts', ['private']],
  ['cgroup', 'cgroup', ['private']],
  ['userns_mode', 'user', ['']],
] as const;

/** Namespaces of a service other than its network, and its host name. */
export function convertNamespaces(service: Part, texts: Texts): Data {
  const uses: Data = {};
  for (const [key, type, own] of KINDS) {
    const use = useOf(service, key, own, texts);
    if (use !== undefined && !(type === 'user' && use === 'host')) {
      uses[type] = use;
    }
  }
  const names: Data = {};
  for (const key of ['hostname', 'domainname'] as const) {
    const value = service.take(key);
    if (value !== undefined) {
      names[key] = texts.text(value, service, key);
    }
  }
  if (Object.keys(names).length > 0) {
    if (uses['uts'] === undefined) {
      uses['uts'] = names;
    } else {
      service.note('hostname', 'is that of the uts namespace it shares');
    }
  }
  return uses;
}

/** Adds the network to `uses`; returns the network whose namespace it has, if it is one of the file's. */
export function convertNetwork(
  name: string,
  service: Part,
  uses: Data,
  networks: Networks,
  texts: Texts,
): string | undefined {
  const ports = service.take('ports');
  list(ports).forEach((port, index) => {
    const text = isMap(port) ? `${plain(port['published'])}:${plain(port['target'])}` : plain(port);
    service.note(['ports', index], `${text} ${NOT_LINKED}`);
  });
  service.take('expose');
  service.drop(['dns', 'dns_search', 'dns_opt', 'external_links', 'mac_address'], NOT_LINKED);
  const mode = service.take('network_mode');
  const text = mode === undefined ? '' : texts.fixed(mode, service, 'network_mode');
  const links = list(service.take('links')).map((l) => plain(l).split(':'));
  const given = service.take('networks');
  if (text === 'host') {
    uses['net'] = 'host';
    service.drop(['extra_hosts'], 'is not carried over on the network of the host');
    return undefined;
  }
  if (text.startsWith('service:')) {
    uses['net'] = `container/${text.slice('service:'.length)}`;
    service.drop(['extra_hosts'], 'is not carried over: the names are those of the shared network');
    return undefined;
  }
  if (text === 'none') {
    return undefined;
  }
  if (text !== '' && text !== 'bridge' && text !== 'default') {
    service.note('network_mode', `'${text}' is not carried over`);
  }
  const all = isMap(given) ? Object.keys(given) : list(given).map(plain);
  const [first = 'default', ...others] = all;
  const network = networks.standsFor.get(first) ?? first;
  if (others.length > 0) {
    service.note('networks', `${all.join(' and ')} are one network here, since this service is in each`);
  }
  list(ports).forEach((port, index) => {
    const number = isMap(port) ? plain(port['target']) : (/(\d+)(?:\/\w+)?$/.exec(plain(port))?.[1] ?? '');
    const taken = networks.listening.get(`${network}:${number}`);
    if (taken !== undefined && taken !== name && number !== '') {
      service.note(['ports', index], `'${taken}' listens on ${number} too, and both share one network: change one`);
    }
    networks.listening.set(`${network}:${number}`, name);
  });
  const hosts = networks.hosts.get(network) ?? new Set<string>();
  networks.hosts.set(network, hosts);
  hosts.add(name);
  for (const joined of all) {
    const own = isMap(given) ? given[joined] : undefined;
    for (const [key, value] of Object.entries(isMap(own) ? own : {})) {
      if (key === 'aliases') {
        list(value).forEach((alias) => hosts.add(plain(alias)));
      } else if (!key.startsWith('x-')) {
        service.note(['networks', joined, key], NOT_LINKED);
      }
    }
  }
  links.filter(([, alias]) => alias !== undefined).forEach(([, alias]) => hosts.add(alias ?? ''));
  const extra = networks.extra.get(network) ?? new Set<string>();
  networks.extra.set(network, extra);
  const lines = service.take('extra_hosts');
  const pairs = isMap(lines)
    ? Object.entries(lines).flatMap(([host, ip]) => list(ip).map((i) => [host, plain(i)]))
    : list(lines).map((l) => /^([^:=]+)[:=](.*)$/.exec(plain(l))?.slice(1) ?? ['', '']);
  for (const [host = '', ip = ''] of pairs) {
    if (/^[0-9a-f.:[\]]+$/i.test(ip)) {
      extra.add(`${ip.replace(/^\[|\]$/g, '')} ${host}`);
    } else {
      service.note('extra_hosts', `'${host}' at '${ip}' ${NOT_LINKED}`);
    }
  }
  uses['net'] = namespaceName(network);
  return network;
}

/** `default` and other words mean something else where a namespace is used. */
export function namespaceName(network: string): string {
  return USE_WORDS.includes(network) ? `${network}-net` : network;
}

/** Kernel parameters: those of a shared network belong to its namespace. */
export function convertSysctls(service: Part, out: Data, network: string | undefined, networks: Networks): void {
  const given = service.take('sysctls');
  const entries = isMap(given)
    ? Object.entries(given)
    : list(given).map((l): [string, unknown] => [plain(l).split('=')[0] ?? '', plain(l).split('=').slice(1).join('=')]);
  const own: Data = {};
  for (const [key, value] of entries) {
    if (network !== undefined && key.startsWith('net.')) {
      const shared = networks.sysctls.get(network) ?? {};
      networks.sysctls.set(network, shared);
      if (shared[key] !== undefined && plain(shared[key]) !== plain(value)) {
        service.note('sysctls', `${key} is ${plain(shared[key])} for all of the network '${network}' already`);
        continue;
      }
      shared[key] = plain(value);
    } else {
      own[key] = plain(value);
    }
  }
  if (Object.keys(own).length > 0) {
    out['sysctls'] = own;
  }
}

export function hostsFile(networks: Networks, network: string): string {
  const names = [...(networks.hosts.get(network) ?? [])].sort().join(' ');
  return [
    '127.0.0.1 localhost',
    '::1 localhost ip6-localhost',
    `127.0.0.1 ${names}`,
    ...(networks.extra.get(network) ?? []),
    '',
  ].join('\n');
}

/** Which network stands for each: the first of those that services connect. */
export function connected(services: Iterable<Data>): Map<string, string> {
  const groups: Set<string>[] = [];
  for (const service of services) {
    const given = service['networks'];
    const names = new Set(isMap(given) ? Object.keys(given) : list(given).map(plain));
    const touched = groups.filter((g) => [...names].some((n) => g.has(n)));
    const joined = new Set([...touched.flatMap((g) => [...g]), ...names]);
    groups.splice(0, groups.length, ...groups.filter((g) => !touched.includes(g)), joined);
  }
  return new Map(groups.flatMap((g) => [...g].map((name): [string, string] => [name, [...g][0] ?? name])));
}
