/**
 * Limits that contradict each other or what stands above them: warnings where the kernel takes them but they cannot be
 * reached, errors where it refuses them. Both lines are named.
 */
import { formatBytes, formatCpuAmount } from '../resources/units.ts';
import type { KnobValue } from '../resources/cgroup/knob.ts';
import { lineOf, report } from './checking.ts';
import type { Checking } from './checking.ts';
import type { Path } from './build.ts';
import { placeOf } from './positions.ts';
import { located } from './source.ts';

interface Subject {
  readonly address: string;
  readonly knobs: Readonly<Record<string, KnobValue>>;
  /** Path of the cgroup above, null for none of the stack's. */
  readonly parent: string | null;
}

/** A canonical value as a number of its own unit, Infinity for 'max'. */
interface HardLimit {
  readonly knob: string;
  readonly yaml: Path;
  readonly amount: (value: string) => number;
  readonly show: (amount: number) => string;
}

const plain = (value: string): number => (value === 'max' ? Infinity : Number(value));

const cores = (value: string): number => {
  const [quota = 'max', period = '100000'] = value.split(' ');
  return plain(quota) / Number(period);
};

const HARD_LIMITS: readonly HardLimit[] = [
  { knob: 'memory.max', yaml: ['memory', 'max'], amount: plain, show: formatBytes },
  { knob: 'memory.high', yaml: ['memory', 'high'], amount: plain, show: formatBytes },
  { knob: 'memory.swap.max', yaml: ['memory', 'swap', 'max'], amount: plain, show: formatBytes },
  { knob: 'pids.max', yaml: ['pids', 'max'], amount: plain, show: String },
  { knob: 'cpu.max', yaml: ['cpu', 'max'], amount: cores, show: formatCpuAmount },
];

const PROTECTIONS = [
  { knob: 'memory.min', yaml: ['memory', 'min'] },
  { knob: 'memory.low', yaml: ['memory', 'low'] },
] as const;

const CPUSETS = [
  { knob: 'cpuset.cpus', yaml: ['cpuset', 'cpus'], what: 'processors' },
  { knob: 'cpuset.mems', yaml: ['cpuset', 'mems'], what: 'memory nodes' },
] as const;

export function checkLimits(checking: Checking): void {
  const { cgroups, containers } = checking.items;
  const subjects: Subject[] = [
    ...[...cgroups.values()].map(({ path, knobs }) => ({
      address: `cgroup/${path}`,
      knobs,
      parent: parentOf(path),
    })),
    ...[...containers.values()].map(({ name, knobs, cgroup }) => ({
      address: `container/${name}`,
      knobs,
      parent: cgroup,
    })),
  ];
  for (const subject of subjects) {
    hardLimits(checking, subject);
    cpusets(checking, subject);
    contradictions(checking, subject);
  }
  protections(checking, subjects);
}

function parentOf(path: string): string | null {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? null : path.slice(0, slash);
}

function text(knobs: Readonly<Record<string, KnobValue>> | undefined, knob: string): string | undefined {
  const value = knobs?.[knob];
  return typeof value === 'string' ? value : undefined;
}

function warn(checking: Checking, address: string, yaml: Path, message: string): void {
  const place = placeOf(checking.root, [...(checking.items.paths.get(address) ?? []), ...yaml]);
  checking.warnings.push({ message, ...located(place) });
}

/** The nearest ancestor that satisfies the condition, by path. */
function above(checking: Checking, subject: Subject, found: (path: string) => boolean): string | undefined {
  for (let path = subject.parent; path !== null; path = parentOf(path)) {
    if (found(path)) {
      return path;
    }
  }
  return undefined;
}

function hardLimits(checking: Checking, subject: Subject): void {
  const { cgroups } = checking.items;
  for (const { knob, yaml, amount, show } of HARD_LIMITS) {
    const own = text(subject.knobs, knob);
    const value = own === undefined ? NaN : amount(own);
    if (!Number.isFinite(value)) {
      continue;
    }
    const limitOf = (path: string): number => amount(text(cgroups.get(path)?.knobs, knob) ?? 'max');
    const parent = above(checking, subject, (path) => value > limitOf(path));
    if (parent !== undefined) {
      const where = lineOf(checking, `cgroup/${parent}`, yaml);
      warn(
        checking,
        subject.address,
        yaml,
        `${knob} of ${subject.address} is ${show(value)}, but cgroup/${parent} has no more than ${show(limitOf(parent))} (${where})`,
      );
    }
  }
}

/** '0-3,7' as numbers. */
function members(list: string): Set<number> {
  const all = new Set<number>();
  for (const part of list === '' ? [] : list.split(',')) {
    const [from = 0, to = from] = part.split('-').map(Number);
    for (let n = from; n <= to; n++) {
      all.add(n);
    }
  }
  return all;
}

/** The kernel gives a cpuset nothing that its parent lacks: v1 refuses the write, v2 takes it and falls back silently. */
function cpusets(checking: Checking, subject: Subject): void {
  for (const { knob, yaml, what } of CPUSETS) {
    const own = text(subject.knobs, knob);
    const parent = above(
      checking,
      subject,
      (path) => text(checking.items.cgroups.get(path)?.knobs, knob) !== undefined,
    );
    if (own === undefined || parent === undefined) {
      continue;
    }
    const list = text(checking.items.cgroups.get(parent)?.knobs, knob) ?? '';
    const allowed = members(list);
    const outside = [...members(own)].filter((n) => !allowed.has(n));
    if (outside.length > 0) {
      report(
        checking,
        'TSB1003',
        subject.address,
        yaml,
        `${knob} of ${subject.address} has ${outside.slice(0, 8).join(', ')}, which cgroup/${parent} lacks (${lineOf(checking, `cgroup/${parent}`, yaml)})`,
        `${what} out of ${list}`,
      );
    }
  }
}

function contradictions(checking: Checking, subject: Subject): void {
  const { address, knobs } = subject;
  const value = (knob: string): string | undefined => text(knobs, knob);
  if (value('cpu.weight') !== undefined && value('cpu.weight.nice') !== undefined) {
    report(
      checking,
      'TSB1003',
      address,
      ['cpu', 'nice'],
      'weight and nice are two ways to say the same',
      'one of them',
      'remove nice or weight',
    );
  }
  for (const [knob, key] of [
    ['cpu.weight', 'weight'],
    ['cpu.weight.nice', 'nice'],
  ] as const) {
    if (value('cpu.idle') === '1' && value(knob) !== undefined) {
      report(
        checking,
        'TSB1003',
        address,
        ['cpu', key],
        'an idle cgroup has no weight: the kernel refuses one',
        `either idle: true or a ${key}`,
      );
    }
  }
  const [quota = 'max'] = (value('cpu.max') ?? 'max').split(' ');
  const burst = value('cpu.max.burst');
  if (burst !== undefined && Number(burst) > plain(quota)) {
    report(
      checking,
      'TSB1003',
      address,
      ['cpu', 'burst'],
      `a burst of ${burst} us is more than the quota of ${quota} us per period`,
      'at most the quota of cpu.max',
    );
  }
  const max = plain(value('memory.max') ?? 'max');
  for (const { knob, yaml } of [{ knob: 'memory.high', yaml: ['memory', 'high'] }, ...PROTECTIONS]) {
    const own = value(knob);
    if (own !== undefined && own !== 'max' && Number(own) > max) {
      warn(
        checking,
        address,
        yaml,
        `${knob} of ${address} is ${formatBytes(Number(own))}, above its memory.max of ${formatBytes(max)} (${lineOf(checking, address, ['memory', 'max'])}): it is never reached`,
      );
    }
  }
}

/**
 * A cgroup hands its children no more protection than it has: what they ask for beyond that, the kernel shares out in
 * proportion to their use (cgroup-v2.rst, memory.min).
 */
function protections(checking: Checking, subjects: readonly Subject[]): void {
  for (const { knob, yaml } of PROTECTIONS) {
    for (const { path, knobs } of checking.items.cgroups.values()) {
      const children = subjects.filter((s) => s.parent === path && text(s.knobs, knob) !== undefined);
      const sum = children.reduce((total, s) => total + plain(text(s.knobs, knob) ?? '0'), 0);
      const own = plain(text(knobs, knob) ?? '0');
      const [first] = children;
      if (first !== undefined && sum > own) {
        const where =
          text(knobs, knob) === undefined
            ? lineOf(checking, `cgroup/${path}`, [])
            : lineOf(checking, `cgroup/${path}`, yaml);
        const has = own === 0 ? 'has none itself' : `has ${formatBytes(own)} itself`;
        const names = children.map((s) => s.address).join(', ');
        warn(
          checking,
          first.address,
          yaml,
          `${names} ${children.length === 1 ? 'asks' : 'ask'} for ${sum === Infinity ? 'unlimited' : formatBytes(sum)} of ${knob}, but cgroup/${path} ${has} (${where}): the kernel hands out no more than that${own === 0 ? '' : ', in proportion to use'}`,
        );
      }
    }
  }
}
