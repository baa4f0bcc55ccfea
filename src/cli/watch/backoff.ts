/** When something that was healed may be healed again: at once the first time, ever later when it keeps coming back. */

const FIRST = 2000;
const FACTOR = 3;
const LONGEST = 300_000;
/** What has not come back for so long is a new drift. */
const CALM = 60_000;

interface Fight {
  readonly last: number;
  readonly delay: number;
  readonly times: number;
}

export class Backoff {
  readonly #fights = new Map<string, Fight>();

  /** The earliest time to heal it, ms since the epoch. */
  due(id: string, now: number): number {
    const fight = this.#current(id, now);
    return fight === undefined ? now : Math.max(now, fight.last + fight.delay);
  }

  /** @returns how often it was healed in this fight, and how long the next one will wait, ms */
  healed(id: string, now: number): { readonly times: number; readonly delay: number } {
    const fight = this.#current(id, now);
    const next = {
      last: now,
      delay: fight === undefined ? FIRST : Math.min(fight.delay * FACTOR, LONGEST),
      times: (fight?.times ?? 0) + 1,
    };
    this.#fights.set(id, next);
    return next;
  }

  #current(id: string, now: number): Fight | undefined {
    const fight = this.#fights.get(id);
    if (fight !== undefined && now - fight.last > Math.max(CALM, 2 * fight.delay)) {
      this.#fights.delete(id);
      return undefined;
    }
    return fight;
  }
}
