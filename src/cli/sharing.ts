/** Who is in which namespace: containers by name, other processes by pid. */
import { NAMESPACE_TYPES, type NamespaceType } from '../kernel/init-spec.ts';
import type { KernelReader } from '../kernel/reader.ts';
import { namespacesOf, readMembers, type Member } from '../resources/namespace/members.ts';
import { escapeControls } from '../report/values.ts';
import { cgroupOf, findContainers, type FoundContainer } from './containers.ts';

export interface Sharing {
  readonly type: NamespaceType;
  readonly inode: string;
  /** What NS_GET_ID tells, never used again on this boot; null where the kernel has none. */
  readonly id: string | null;
  /** The one that tsbox itself is in. */
  readonly host: boolean;
  /** STACK:NAME of the containers in it, without the one that was asked about. */
  readonly containers: readonly string[];
  /** Other processes in it. */
  readonly processes: ReadonlyArray<{ readonly pid: number; readonly comm: string }>;
}

/** What every question about one reading of the machine has in common. */
export class Sharers {
  readonly #reader: KernelReader;
  readonly #members: readonly Member[];
  readonly #places: ReadonlyArray<{ readonly name: string; readonly path: string; readonly pid: number }>;

  constructor(reader: KernelReader) {
    this.#reader = reader;
    this.#members = readMembers(reader);
    this.#places = findContainers(reader).map((c) => ({
      name: `${c.stack}:${c.name}`,
      path: cgroupOf(reader, c),
      pid: c.alive ? (c.entry.run?.pid ?? 0) : 0,
    }));
  }

  /** Those in the namespaces of a process. @param self STACK:NAME of its container */
  ofProcess(pid: number, self: string): Sharing[] {
    const [own = {}, host = {}] = namespacesOf(this.#reader, [pid, 'self']);
    const types = NAMESPACE_TYPES.filter((t) => own[t] !== undefined);
    const ids = this.#reader.namespaceIds(types.map((t) => `/proc/${pid}/ns/${t}`));
    return types.map((type, i) => this.#in(type, own[type] ?? '', ids[i], own[type] === host[type], self));
  }

  /** Those in a namespace that stands at a path. */
  ofFile(path: string, type: NamespaceType, inode: string): Sharing {
    const host = namespacesOf(this.#reader, ['self'])[0]?.[type];
    return this.#in(type, inode, this.#reader.namespaceIds([path])[0], inode === host, '');
  }

  #in(type: NamespaceType, inode: string, id: string | number | undefined, host: boolean, self: string): Sharing {
    const containers = new Set<string>();
    const processes: Array<{ pid: number; comm: string }> = [];
    // Everybody is in the host's.
    for (const m of host ? [] : this.#members.filter((member) => member.namespaces[type] === inode)) {
      const place = this.#places.find(({ path }) => m.cgroup === path || m.cgroup.startsWith(`${path}/`));
      if (place === undefined) {
        processes.push({ pid: m.pid, comm: m.comm });
      } else if (place.name !== self) {
        containers.add(place.name);
      }
    }
    return {
      type,
      inode,
      id: typeof id === 'string' ? id : null,
      host,
      containers: [...containers].sort(),
      processes,
    };
  }

  /** 'shop:db (pid 12)'. */
  text(name: string): string {
    const pid = this.#places.find((p) => p.name === name)?.pid ?? 0;
    return pid === 0 ? name : `${name} (pid ${pid})`;
  }
}

/** Lines of `show`. */
export function sharingLines(sharings: readonly Sharing[], sharers: Sharers): string[] {
  return sharings.map((s) => {
    const others = s.processes.slice(0, 5).map((p) => `process ${p.pid} (${escapeControls(p.comm)})`);
    const more = s.processes.length > 5 ? [`${s.processes.length - 5} more processes`] : [];
    const who = [...s.containers.map((name) => sharers.text(name)), ...others, ...more];
    const note = s.host ? "the host's" : who.length === 0 ? 'nobody else' : `with ${who.join(', ')}`;
    const id = s.id === null ? '' : ` id ${s.id}`;
    return `    ${s.type.padEnd(6)}  ${s.inode}${id}   # ${note}`;
  });
}

export type SharedWith = Readonly<Partial<Record<NamespaceType, { inode: string; shared_with: readonly string[] }>>>;

/** Of each running container its namespaces that are not the host's, and which of the others are in them too. */
export function sharedAmong(reader: KernelReader, found: readonly FoundContainer[]): SharedWith[] {
  const pids = found.map((c) => (c.alive ? (c.entry.run?.pid ?? 0) : 0));
  const [host = {}, ...own] = namespacesOf(reader, ['self', ...pids]);
  const groups = new Map<string, string[]>();
  const key = (type: NamespaceType, inode: string): string => `${type}:${inode}`;
  own.forEach((inodes, i) => {
    for (const type of NAMESPACE_TYPES) {
      const inode = inodes[type];
      if (inode !== undefined && inode !== host[type]) {
        const group = groups.get(key(type, inode)) ?? [];
        groups.set(key(type, inode), [...group, `${found[i]?.stack}:${found[i]?.name}`]);
      }
    }
  });
  return own.map((inodes, i) =>
    Object.fromEntries(
      NAMESPACE_TYPES.flatMap((type) => {
        const inode = inodes[type];
        const self = `${found[i]?.stack}:${found[i]?.name}`;
        const group = inode === undefined ? undefined : groups.get(key(type, inode));
        return group === undefined ? [] : [[type, { inode, shared_with: group.filter((name) => name !== self) }]];
      }),
    ),
  );
}

/** 'net,ipc with db web; uts with shop:x'; '-' where nothing is shared. Names of the same stack stand alone. */
export function sharedText(shared: SharedWith, stack: string): string {
  const types = new Map<string, NamespaceType[]>();
  for (const type of NAMESPACE_TYPES) {
    for (const name of shared[type]?.shared_with ?? []) {
      types.set(name, [...(types.get(name) ?? []), type]);
    }
  }
  const same = new Map<string, string[]>();
  for (const [name, list] of types) {
    const short = name.startsWith(`${stack}:`) ? name.slice(stack.length + 1) : name;
    same.set(list.join(), [...(same.get(list.join()) ?? []), short]);
  }
  return [...same].map(([list, names]) => `${list} with ${names.join(' ')}`).join('; ') || '-';
}
