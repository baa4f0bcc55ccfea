/** Healing what the policy names, through an apply of nothing else, ever more rarely where something fights back. */
import type { Kernel } from '../../kernel/kernel.ts';
import type { DriftItem } from '../../report/drift/model.ts';
import type { Severity } from '../../resources/drift-settings.ts';
import type { Stack } from '../../stack/types.ts';
import type { Tell } from '../daemon/happenings.ts';
import { choiceOf } from '../drift/heal.ts';
import { applyQuietly } from '../quiet-apply.ts';
import { Backoff } from './backoff.ts';
import type { Counters } from './metrics.ts';

/** A stack that is being applied is looked at again after so long, ms. */
export const LOCKED = 300;

export class Healer {
  readonly #kernel: Kernel;
  readonly #severities: readonly Severity[];
  readonly #counters: Counters;
  readonly #tell: Tell;
  readonly #ended: () => boolean;
  readonly #backoff = new Backoff();

  constructor(kernel: Kernel, severities: readonly Severity[], counters: Counters, tell: Tell, ended: () => boolean) {
    this.#kernel = kernel;
    this.#severities = severities;
    this.#counters = counters;
    this.#tell = tell;
    this.#ended = ended;
  }

  /** @returns in how many ms the stack is to be read again; undefined when nothing asks for it */
  async heal(stack: Stack, items: readonly DriftItem[]): Promise<number | undefined> {
    const now = Date.now();
    const wanted = items.filter((i) => this.#severities.includes(i.severity) && i.heal.action !== 'by-hand');
    const due = wanted.filter((i) => this.#backoff.due(i.id, now) <= now);
    const later = wanted.filter((i) => !due.includes(i)).map((i) => this.#backoff.due(i.id, now) - now);
    if (due.length === 0 || this.#ended()) {
      return later.length === 0 ? undefined : Math.min(...later);
    }
    const outcome = await applyQuietly(this.#kernel, stack.name, stack, {
      targets: [],
      destroy: false,
      interrupted: this.#ended,
      heal: choiceOf(due),
    });
    if (outcome.result === 'locked') {
      this.#counters.locked++;
      return LOCKED;
    }
    due.forEach((item) => this.#count(stack.name, item));
    const addresses = [...new Set(due.map((i) => i.address))];
    if ('reason' in outcome) {
      this.#counters.healFailed++;
      this.#counters.errors++;
      const message = `${addresses.join(', ')}: ${outcome.reason}`;
      this.#tell({ event: 'heal_failed', stack: stack.name, message, addresses });
    } else {
      this.#counters.healed++;
      const message = addresses.join(', ');
      this.#tell({ event: 'healed', stack: stack.name, message, addresses, items: due.map((i) => i.id) });
    }
    return 0;
  }

  #count(stack: string, item: DriftItem): void {
    const { times, delay } = this.#backoff.healed(item.id, Date.now());
    if (times === 1) {
      return;
    }
    this.#counters.backedOff++;
    const what = `${item.address} ${item.attribute || item.class}`;
    const often = times === 2 ? 'once' : `${times - 1} times`;
    this.#tell({
      event: 'backing_off',
      stack,
      message: `${what} came back ${often}: something fights back; not healed again within ${delay / 1000} s`,
      id: item.id,
      address: item.address,
      attribute: item.attribute,
      times,
      delay_seconds: delay / 1000,
    });
  }
}
