/** The steps of a plan in the order of apply, and their numbers: what is shown, told and written down names the same. */
import type { Address } from './kind.ts';
import type { Step } from './step.ts';

interface Stepped {
  readonly address: Address;
  readonly steps: readonly Step[];
  readonly lateSteps: readonly Step[];
  readonly after: readonly Address[];
  readonly lateAfter: readonly Address[];
}

/** Steps of one change that are done one after the other. */
export interface Turn<C extends Stepped> {
  readonly key: string;
  readonly change: C;
  readonly steps: readonly Step[];
  /** Keys of the turns that must be finished first. */
  readonly waitsFor: readonly string[];
  readonly late: boolean;
  /** Number of its first step, from 1 on through the whole plan. */
  readonly first: number;
}

const LATE = '#late';

/** The turns as they come one at a time. An apply runs those side by side that do not wait for each other. */
export function turnsOf<C extends Stepped>(changes: readonly C[]): Turn<C>[] {
  const acting = changes.filter((c) => c.steps.length + c.lateSteps.length > 0);
  const keys = new Set(acting.map((c) => c.address));
  const known = (addresses: readonly Address[]): Address[] => [...new Set(addresses)].filter((a) => keys.has(a));
  const open = acting.flatMap((change) => {
    const { address, steps, lateSteps, after, lateAfter } = change;
    const turn = { key: address, change, steps, waitsFor: known(after), late: false };
    const waitsFor = known([address, ...lateAfter]);
    return lateSteps.length === 0
      ? [turn]
      : [turn, { ...turn, key: address + LATE, steps: lateSteps, waitsFor, late: true }];
  });
  const finished = new Set<string>();
  const turns: Turn<C>[] = [];
  let first = 1;
  while (open.length > 0) {
    // What waits in a circle never starts, and has the last numbers.
    const at = Math.max(
      0,
      open.findIndex((t) => t.waitsFor.every((k) => finished.has(k))),
    );
    for (const turn of open.splice(at, 1)) {
      turns.push({ ...turn, first });
      first += turn.steps.length;
      finished.add(turn.key);
    }
  }
  return turns;
}

/** The number of a turn's last step; that of the one before it where it has none. */
export function lastOf({ first, steps }: { readonly first: number; readonly steps: readonly Step[] }): number {
  return first + steps.length - 1;
}

/** How many steps there are. */
export function stepCount(changes: readonly Pick<Stepped, 'steps' | 'lateSteps'>[]): number {
  return changes.reduce((n, c) => n + c.steps.length + c.lateSteps.length, 0);
}
