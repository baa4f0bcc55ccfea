/**
 * What no plan ends, because tsbox did not make it and does not remove it: directories in a stack's cgroups, and
 * network devices in its network namespaces. The report says how it is removed by hand.
 */
import type { KernelReader } from '../../kernel/reader.ts';
import type { Plan } from '../../planner/plan.ts';
import { itemId, type Finding } from '../../report/drift/items.ts';
import { isBelow, type ForeignEntry, type StackScope } from '../../resources/scope.ts';
import { isHelper, isNobodys, leavesOf, processesOf, type Subtree } from './subtree.ts';
import { deviceNames, isInitial } from '../../resources/container/netdevs.ts';

export function findOthers(reader: KernelReader, plan: Plan, scope: StackScope, subtree: Subtree): Finding[] {
  if (!scope.exists || scope.blind) {
    return [];
  }
  const at = new Map(plan.changes.map((c) => [c.address, c.at ?? null]));
  const asked = new Set(plan.changes.map((c) => c.address));
  const found = [
    ...foreignOwners(scope),
    ...unlabelledCgroups(reader, scope, subtree),
    ...foreignDevices(reader, plan, scope),
  ];
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

/** One for each other stack or installation whose labels stand among ours. */
function foreignOwners(scope: StackScope): Finding[] {
  const owners = new Map<string, ForeignEntry[]>();
  for (const entry of scope.foreign.filter((f) => !f.path.startsWith('/'))) {
    const { stack, installation } = entry.label;
    const owner = `stack ${stack}${installation === undefined ? '' : ` of installation ${installation}`}`;
    owners.set(owner, [...(owners.get(owner) ?? []), entry]);
  }
  return [...owners].map(([owner, entries]) => {
    const [first] = entries;
    const more = entries.length === 1 ? 'belongs' : `and ${entries.length - 1} more belong`;
    const text = `${first?.label.address ?? ''} ${more} to ${owner}`;
    return {
      ...finding(scope.stack, `stack/${scope.stack}`, 'cgroup', owner, text, ''),
      id: itemId(scope.stack, `stack/${scope.stack}`, 'foreign', 'cgroup', owner),
      class: 'foreign',
      heal: { action: 'by-hand', text: 'by its owner alone', command: null },
    };
  });
}

/** Directories without a label, the topmost ones; what is below a container is the container's own. */
function unlabelledCgroups(reader: KernelReader, scope: StackScope, subtree: Subtree): Finding[] {
  const owners = new Map([...scope.entries].flatMap(([p, e]) => (e.label === undefined ? [] : [[p, e.label.address]])));
  const planned = new Set([...scope.known].map((a) => a.slice(a.indexOf('/') + 1)));
  const leaves = leavesOf(scope);
  const told = new Set(scope.foreign.map((f) => f.path));
  const found: string[] = isNobodys(scope) ? [''] : [];
  for (const path of isNobodys(scope) ? [] : subtree.keys()) {
    const ours = path === '' || isHelper(path) || owners.has(path) || planned.has(path);
    if (!ours && !told.has(path) && !isBelow(path, leaves) && !isBelow(path, told)) {
      told.add(path);
      found.push(path);
    }
  }
  const processes = processesOf(reader, subtree, found);
  return found.map((path) => {
    const directories = subtree.get(path) ?? [];
    const count = processes.get(path)?.size ?? 0;
    const holds = count === 0 ? 'empty' : `${count} ${count === 1 ? 'process' : 'processes'}`;
    const address = owners.get(parentOf(path)) ?? `stack/${scope.stack}`;
    const text = `cgroup ${path === '' ? scope.stack : path}, ${holds}: ${directories.join(', ')}`;
    return finding(scope.stack, address, 'cgroup', path, text, `rmdir ${directories.join(' ')}`);
  });
}

const parentOf = (path: string): string => (path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '');

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
