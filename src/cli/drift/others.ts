/**
 * What no plan ends, because tsbox did not make it and does not remove it: directories in a stack's cgroups, and
 * network devices in its network namespaces. The report says how it is removed by hand.
 */
import type { KernelReader } from '../../kernel/reader.ts';
import { parsePids } from '../../kernel/proc.ts';
import type { Plan } from '../../planner/plan.ts';
import { itemId, type Finding } from '../../report/drift/items.ts';
import { directoryIn, type StackScope } from '../../resources/scope.ts';
import { deviceNames, isInitial } from '../../resources/container/netdevs.ts';

export function findOthers(reader: KernelReader, plan: Plan, scope: StackScope): Finding[] {
  if (!scope.exists || scope.blind) {
    return [];
  }
  const at = new Map(plan.changes.map((c) => [c.address, c.at ?? null]));
  const asked = new Set(plan.changes.map((c) => c.address));
  const found = [...foreignCgroups(reader, scope), ...foreignDevices(reader, plan, scope)];
  // With targets the rest of the stack is not looked at.
  return found
    .filter((f) => plan.complete || asked.has(f.address))
    .map((f) => ({ ...f, at: at.get(f.address) ?? null }));
}

function finding(stack: string, address: string, sort: string, key: string, text: string, command: string): Finding {
  return {
    id: itemId(stack, address, 'unmanaged', sort, key),
    stack,
    address,
    class: 'unmanaged',
    attribute: sort,
    declared: null,
    live: text,
    lastApplied: null,
    text,
    was: null,
    is: text,
    direction: 'added',
    manager: null,
    heal: { action: 'by-hand', text: 'by hand: tsbox does not remove what it did not make', command },
    at: null,
  };
}

/** Directories without a label, the topmost ones; what is below a container is the container's own. */
function foreignCgroups(reader: KernelReader, scope: StackScope): Finding[] {
  const owners = new Map([...scope.entries].flatMap(([p, e]) => (e.label === undefined ? [] : [[p, e.label.address]])));
  const planned = new Set([...scope.known].map((a) => a.slice(a.indexOf('/') + 1)));
  const where = new Map<string, string[]>();
  for (const h of reader.layout.hierarchies) {
    const root = directoryIn(h.mount, reader.settings.cgroupRoot, scope.stack);
    const walked = reader.walkDirs(root, 200_000);
    for (const { path } of Array.isArray(walked) ? walked : []) {
      const ours = path === '' || path.startsWith('_') || owners.has(path) || planned.has(path);
      if (!ours && !isInside(path, owners) && !where.has(parentOf(path))) {
        where.set(path, [...(where.get(path) ?? []), `${root}/${path}`]);
      }
    }
  }
  return [...where].map(([path, directories]) => {
    const texts = reader.readFiles(directories.map((d) => `${d}/cgroup.procs`));
    const pids = new Set(texts.flatMap((t) => (typeof t === 'string' ? parsePids(t) : [])));
    const holds = pids.size === 0 ? 'empty' : `${pids.size} ${pids.size === 1 ? 'process' : 'processes'}`;
    const address = owners.get(parentOf(path)) ?? `stack/${scope.stack}`;
    const text = `cgroup ${path}, ${holds}: ${directories.join(', ')}`;
    return finding(scope.stack, address, 'cgroup', path, text, `rmdir ${directories.join(' ')}`);
  });
}

const parentOf = (path: string): string => (path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '');

/** Below a container's leaf, or below a directory that is told already. */
function isInside(path: string, owners: ReadonlyMap<string, string>): boolean {
  for (let above = parentOf(path); above !== ''; above = parentOf(above)) {
    const owner = owners.get(above);
    if (owner !== undefined) {
      return owner.startsWith('container/');
    }
  }
  return false;
}

/** Devices that were not in a container's network namespace when it started, or in a new one of the kernel. */
function foreignDevices(reader: KernelReader, plan: Plan, scope: StackScope): Finding[] {
  const seen = new Set<string>();
  const subjects = plan.changes.flatMap((c) => {
    const label = scope.byAddress.get(c.address)?.label;
    const use = label?.applied?.['namespace.net'];
    const pid = c.facts['pid'];
    const own = use === 'new' ? c.address : typeof use === 'string' && use.startsWith('namespace/') ? use : undefined;
    if (pid === undefined || own === undefined || seen.has(own)) {
      return [];
    }
    seen.add(own);
    return [{ address: own, pid, before: use === 'new' ? (label?.netdevs ?? []) : [] }];
  });
  const texts = reader.readFiles(subjects.map((s) => `/proc/${s.pid}/net/dev`));
  return subjects.flatMap(({ address, pid, before }, i) => {
    const text = texts[i];
    return deviceNames(typeof text === 'string' ? text : '')
      .filter((name) => !before.includes(name) && !isInitial(name))
      .map((name) =>
        finding(
          plan.stack,
          address,
          'netdev',
          name,
          `network device ${name}`,
          `nsenter -t ${pid} -n ip link delete ${name}`,
        ),
      );
  });
}
