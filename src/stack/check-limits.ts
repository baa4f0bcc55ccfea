/** Warnings about limits that cannot be reached, because a hard limit above them is lower. */
import { formatBytes, formatCpuAmount } from '../resources/units.ts';
import { KNOB_BY_NAME } from '../resources/cgroup/registry.ts';
import { lineOf } from './check.ts';
import type { Checking } from './check.ts';
import { placeOf } from './positions.ts';
import { located } from './source.ts';

/** A canonical value as a number of its own unit, Infinity for 'max'. */
interface HardLimit {
  readonly knob: string;
  readonly amount: (value: string) => number;
  readonly show: (amount: number) => string;
}

const plain = (value: string): number => (value === 'max' ? Infinity : Number(value));

const HARD_LIMITS: readonly HardLimit[] = [
  { knob: 'memory.max', amount: plain, show: formatBytes },
  { knob: 'pids.max', amount: plain, show: String },
  {
    knob: 'cpu.max',
    amount: (value) => {
      const [quota = 'max', period = '100000'] = value.split(' ');
      return plain(quota) / Number(period);
    },
    show: formatCpuAmount,
  },
];

export function checkLimits(checking: Checking): void {
  const { cgroups, containers } = checking.items;
  for (const { path, knobs } of cgroups.values()) {
    compare(checking, `cgroup/${path}`, knobs, parentOf(path));
  }
  for (const { name, knobs, cgroup } of containers.values()) {
    compare(checking, `container/${name}`, knobs, cgroup);
  }
}

function parentOf(path: string): string | null {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? null : path.slice(0, slash);
}

function compare(
  checking: Checking,
  address: string,
  knobs: Readonly<Record<string, string>>,
  parent: string | null,
): void {
  for (const { knob, amount, show } of HARD_LIMITS) {
    const own = knobs[knob];
    const value = own === undefined ? NaN : amount(own);
    if (!Number.isFinite(value)) {
      continue;
    }
    for (let above = parent; above !== null; above = parentOf(above)) {
      const text = checking.items.cgroups.get(above)?.knobs[knob];
      const limit = text === undefined ? Infinity : amount(text);
      if (value > limit) {
        const yaml = KNOB_BY_NAME.get(knob)?.yaml ?? [];
        const place = placeOf(checking.root, [...(checking.items.paths.get(address) ?? []), ...yaml]);
        const where = lineOf(checking, `cgroup/${above}`, [...yaml]);
        const message = `${knob} of ${address} is ${show(value)}, but cgroup/${above} has no more than ${show(limit)} (${where})`;
        checking.warnings.push({ message, ...located(place) });
        break;
      }
    }
  }
}
