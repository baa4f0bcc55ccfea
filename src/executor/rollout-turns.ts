/** Who of the replicas of a container may be ended now. */
import type { PlannedChange } from '../planner/plan.ts';
import type { Address } from '../resources/kind.ts';

interface Turn {
  readonly change: PlannedChange;
  readonly late: boolean;
}

export class RolloutTurns {
  /** Changes under way, by container. */
  readonly #busy = new Map<Address, number>();
  /** The replica that ended the turn of the others, by container. */
  readonly #failed = new Map<Address, Address>();

  mayStart({ rollout }: PlannedChange): boolean {
    return rollout === undefined || (this.#busy.get(rollout.container) ?? 0) < rollout.atOnce;
  }

  /** The replica because of which the change is not begun any more. */
  culprit({ rollout }: PlannedChange): Address | undefined {
    return rollout === undefined ? undefined : this.#failed.get(rollout.container);
  }

  started(turn: Turn): void {
    this.#count(turn, 1);
  }

  ended(turn: Turn, failed: boolean): void {
    this.#count(turn, -1);
    const { rollout, address } = turn.change;
    if (failed && rollout?.onFailure === 'pause' && !this.#failed.has(rollout.container)) {
      this.#failed.set(rollout.container, address);
    }
  }

  #count({ change, late }: Turn, by: number): void {
    if (change.rollout !== undefined && !late) {
      this.#busy.set(change.rollout.container, (this.#busy.get(change.rollout.container) ?? 0) + by);
    }
  }
}
