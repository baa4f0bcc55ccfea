/** How much of what is in the subtree of a stack is the stack's: what nobody declared may be there without differing. */
import type { DriftItem, DriftReport } from './model.ts';

export interface Share {
  readonly managed: number;
  readonly total: number;
}

export interface Coverage {
  /** Directories below the stack's own; what a container has below its leaf is its own and not counted. */
  readonly cgroups: Share;
  readonly processes: Share;
}

const NOTHING: Share = { managed: 0, total: 0 };

/** Of several stacks together; null where it is known of none. */
export function sumOf(coverages: ReadonlyArray<Coverage | null>): Coverage | null {
  const known = coverages.filter((c) => c !== null);
  const sum = (shares: readonly Share[]): Share =>
    shares.reduce((a, b) => ({ managed: a.managed + b.managed, total: a.total + b.total }), NOTHING);
  return known.length === 0
    ? null
    : { cgroups: sum(known.map((c) => c.cgroups)), processes: sum(known.map((c) => c.processes)) };
}

/** From 0 to 1; where there is nothing, nothing is missing. */
export function ratioOf({ cgroups, processes }: Coverage): number {
  const total = cgroups.total + processes.total;
  return total === 0 ? 1 : (cgroups.managed + processes.managed) / total;
}

/** '97.5%': 100% is said of all alone. */
export function percentText(coverage: Coverage): string {
  const ratio = ratioOf(coverage);
  return ratio === 1 ? '100%' : `${(Math.floor(ratio * 1000) / 10).toFixed(1)}%`;
}

/** 'Coverage: 97.5% (12 of 13 cgroups, 27 of 27 processes).' */
export function coverageText(coverage: Coverage): string {
  const share = ({ managed, total }: Share, what: string): string => `${managed} of ${total} ${what}`;
  const { cgroups, processes } = coverage;
  return `Coverage: ${percentText(coverage)} (${share(cgroups, 'cgroups')}, ${share(processes, 'processes')}).`;
}

export const CONDITIONS = [
  'changed',
  'missing',
  'stopped',
  'supervision',
  'unexpected',
  'unlabelled',
  'foreign_owner',
  'opaque',
] as const;
export type Condition = (typeof CONDITIONS)[number];

/** What became of what was looked at. Opaque is what could not be read: it may be any of the others. */
export function conditionsOf({ items, unreadable }: DriftReport): Record<Condition, number> {
  const count = { ...Object.fromEntries(CONDITIONS.map((c) => [c, 0])), opaque: unreadable.length } as Record<
    Condition,
    number
  >;
  items.forEach((i) => count[conditionOf(i)]++);
  return count;
}

function conditionOf({ class: cls, attribute }: DriftItem): Condition {
  if (cls === 'unmanaged') {
    return attribute === 'cgroup' ? 'unlabelled' : 'unexpected';
  }
  return cls === 'foreign' ? 'foreign_owner' : cls;
}
