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
  /** Containers of which old replicas end because all new ones are up: there is no way back. */
  readonly #settled = new Set<Address>();

  mayStart({ rollout }: PlannedChange): boolean {
    return rollout === undefined || (this.#busy.get(rollout.container) ?? 0) < rollout.atOnce;
  }

  /** The replica because of which the change is not begun any more. */
  culprit({ change: { rollout }, late }: Turn): Address | undefined {
    const settled = rollout !== undefined && late && this.#settled.has(rollout.container);
    return rollout === undefined || settled ? undefined : this.#failed.get(rollout.container);
  }

  /** Whether a replica that has come up goes again, because not all have. */
  goesBack({ rollout, createFirst }: PlannedChange): boolean {
    return createFirst === true && rollout?.onFailure === 'rollback' && !this.#settled.has(rollout.container);
  }

  started(turn: Turn): void {
    const { rollout } = turn.change;
    if (turn.late && rollout !== undefined) {
      this.#settled.add(rollout.container);
    }
    this.#count(turn, 1);
  }

  ended(turn: Turn, failed: boolean): void {
    this.#count(turn, -1);
    const { rollout, address } = turn.change;
    if (failed && rollout !== undefined && rollout.onFailure !== 'continue' && !this.#failed.has(rollout.container)) {
      this.#failed.set(rollout.container, address);
    }
  }

  #count({ change, late }: Turn, by: number): void {
    if (change.rollout !== undefined && !late) {
      this.#busy.set(change.rollout.container, (this.#busy.get(change.rollout.container) ?? 0) + by);
    }
  }
}
