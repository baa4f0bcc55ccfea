/**
 * What the event files of cgroups tell: counters and states, and what happened between two looks at them.
 * Sources: cgroup-v2.rst (cgroup.events, memory.events, memory.swap.events, pids.events, hugetlb.*.events);
 * cgroup-v1/memory.rst (memory.oom_control), cgroup-v1/freezer-subsystem.rst.
 */
import type { ProbeResult } from '../../kernel/health-text.ts';
import type { CgroupLayout } from '../../kernel/layout.ts';

export type EventName =
  | 'created'
  | 'removed'
  | 'populated'
  | 'emptied'
  | 'frozen'
  | 'thawed'
  | 'limit'
  | 'oom'
  | 'oom_kill'
  | 'oom_group_kill'
  | 'swap_fail'
  | 'starting'
  | 'healthy'
  | 'unhealthy';

export interface CgroupEvent {
  readonly event: EventName;
  /** The limit that was hit, by the name of its file. */
  readonly limit?: string;
  /** How often since the last look; 1 for a change of state. */
  readonly count: number;
  /** healthy, unhealthy: the check that made it so. */
  readonly check?: ProbeResult;
}

/** How a source is noticed: inotify on the file, an eventfd on it, or a look now and then where v1 has neither. */
export type Notice = 'inotify' | 'eventfd' | 'look';

export interface EventSource {
  /** Names in order of preference: the first that exists counts what happened in this very cgroup. */
  readonly files: readonly string[];
  readonly mount: string;
  readonly notice: Notice;
  /** Counters and states (0 or 1) by name. */
  parse(text: string): Readonly<Record<string, number>>;
}

/** 'key 12' lines. */
function flatKeyed(text: string): Record<string, number> {
  const values: Record<string, number> = {};
  for (const line of text.split('\n')) {
    const match = /^(\S+) (\d+)$/.exec(line);
    if (match?.[1] !== undefined) {
      values[match[1]] = Number(match[2]);
    }
  }
  return values;
}

const prefixed =
  (prefix: string) =>
  (text: string): Record<string, number> =>
    Object.fromEntries(Object.entries(flatKeyed(text)).map(([key, value]) => [`${prefix}.${key}`, value]));

const HUGE_PAGES = ['64KB', '1MB', '2MB', '32MB', '512MB', '1GB', '16GB'];

/** The event files that the hierarchies of this machine may have. */
export function eventSources(layout: CgroupLayout): EventSource[] {
  const sources: EventSource[] = [];
  const v2 = layout.hierarchies.find((h) => h.version === 2);
  const local = (name: string): string[] => [`${name}.local`, name];
  if (v2 !== undefined) {
    sources.push({ files: ['cgroup.events'], mount: v2.mount, notice: 'inotify', parse: flatKeyed });
    for (const [controller, files, prefix] of [
      ['memory', local('memory.events'), 'memory'],
      ['memory', ['memory.swap.events'], 'memory.swap'],
      ['pids', local('pids.events'), 'pids'],
      ...HUGE_PAGES.map((size) => ['hugetlb', local(`hugetlb.${size}.events`), `hugetlb.${size}`] as const),
    ] as const) {
      if (v2.controllers.includes(controller)) {
        sources.push({ files, mount: v2.mount, notice: 'inotify', parse: prefixed(prefix) });
      }
    }
  }
  const v1 = (controller: string): string | undefined => {
    const hierarchy = layout.byController.get(controller);
    return hierarchy?.version === 1 ? hierarchy.mount : undefined;
  };
  const [memory, pids, freezer] = [v1('memory'), v1('pids'), v1('freezer')];
  if (memory !== undefined) {
    const parse = (text: string): Record<string, number> => {
      const { under_oom: oom = 0, oom_kill: kills = 0 } = flatKeyed(text);
      return { 'memory.under_oom': oom, 'memory.oom_kill': kills };
    };
    sources.push({ files: ['memory.oom_control'], mount: memory, notice: 'eventfd', parse });
  }
  if (pids !== undefined) {
    // Linux 6.18 notifies another file than the one v1 has, so it is looked at.
    sources.push({ files: ['pids.events'], mount: pids, notice: 'look', parse: prefixed('pids') });
  }
  if (freezer !== undefined) {
    const parse = (text: string): Record<string, number> => ({ 'v1.frozen': text.trim() === 'FROZEN' ? 1 : 0 });
    sources.push({ files: ['freezer.state'], mount: freezer, notice: 'look', parse });
  }
  if (v2 === undefined && layout.primary !== undefined) {
    const parse = (text: string): Record<string, number> => ({ populated: text.trim() === '' ? 0 : 1 });
    sources.push({ files: ['cgroup.procs'], mount: layout.primary.mount, notice: 'look', parse });
  }
  return sources;
}

const STATES: Readonly<Record<string, readonly [on: EventName, off: EventName]>> = {
  populated: ['populated', 'emptied'],
  frozen: ['frozen', 'thawed'],
  'v1.frozen': ['frozen', 'thawed'],
};

const COUNTERS: Readonly<Record<string, EventName>> = {
  'memory.oom': 'oom',
  'memory.oom_kill': 'oom_kill',
  'memory.oom_group_kill': 'oom_group_kill',
  'memory.swap.fail': 'swap_fail',
};

/** Counters that say that the file of the same name stopped something. */
const LIMIT = /^(memory\.(low|high|max)|memory\.swap\.(high|max)|pids\.max|hugetlb\.[^.]+\.max)$/;

/** What happened between two looks, causes before their effects. A name that was not there before counts from 0. */
export function eventsBetween(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): CgroupEvent[] {
  const events = Object.entries(after).flatMap(([name, value]): CgroupEvent[] => {
    const old = before[name] ?? 0;
    const states = STATES[name];
    if (states !== undefined) {
      return value === old ? [] : [{ event: value === 1 ? states[0] : states[1], count: 1 }];
    }
    const count = value - old;
    if (count <= 0) {
      return [];
    }
    const event = COUNTERS[name];
    if (event !== undefined) {
      return [{ event, count }];
    }
    return LIMIT.test(name) ? [{ event: 'limit', limit: name, count }] : [];
  });
  return events.sort((a, b) => ORDER.indexOf(a.event) - ORDER.indexOf(b.event));
}

const ORDER: readonly EventName[] = [
  'created',
  'populated',
  'thawed',
  'limit',
  'swap_fail',
  'oom',
  'oom_kill',
  'oom_group_kill',
  'frozen',
  'emptied',
  'removed',
];
