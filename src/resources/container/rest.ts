/** `restart: unless-stopped`: a container that a person has stopped stays stopped until a person starts it. */
import type { Value } from '../attribute.ts';
import type { Address, Observed } from '../kind.ts';
import type { Label } from '../label.ts';

/** Among the facts of a container that rests: when it was stopped, ms since the epoch. */
const FACT = 'stopped_by_hand';

/** The state of one that rests, which is what was declared. */
export const RESTING = 'stopped by hand';

/** The fact of a container that does not run; nothing where another policy has it started again. */
export function restingFact(label: Label, policy: Value | undefined): Readonly<Record<string, string>> {
  const rests = label.stopped !== undefined && typeof policy === 'string' && /^unless-stopped\b/.test(policy);
  return rests ? { [FACT]: String(label.stopped) } : {};
}

export function rests(facts: Readonly<Record<string, string>> | undefined): boolean {
  return facts?.[FACT] !== undefined;
}

/** When the one that rests was stopped, ms since the epoch. */
export function restingSince(facts: Readonly<Record<string, string>>): number {
  return Number(facts[FACT] ?? 0);
}

/** Takes their rest from the containers that are to be started: they are stopped, and no more. */
export function wake(observed: Map<Address, Observed>, wakes: (address: Address) => boolean): void {
  for (const [address, { facts, live, ...rest }] of observed) {
    if (rests(facts) && wakes(address)) {
      const { [FACT]: _, ...others } = facts;
      observed.set(address, { ...rest, facts: others, live: { ...live, state: 'stopped' } });
    }
  }
}
