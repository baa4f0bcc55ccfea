/**
 * Rolling replacement: changes that end running replicas of one container take turns, and each has to be up again
 * before the next one is ended. Pure data: the executor keeps to it.
 */
import { parseReplica, replicaName } from '../resources/container/replica-names.ts';
import { DEFAULT_UPDATE, unavailableAtOnce, type UpdateSpec } from '../resources/container/replicas.ts';
import { rests } from '../resources/container/rest.ts';
import type { Address } from '../resources/kind.ts';
import type { Step } from '../resources/step.ts';
import type { Stack } from '../stack/types.ts';
import type { Draft } from './cascade.ts';
import type { Split } from './freezing.ts';
import type { Rollout } from './plan.ts';

const PREFIX = 'container/';

/** Replicas that this plan brings up, by container: those that run and are ended for it, and those that are down. */
interface Group {
  readonly rolled: Address[];
  readonly down: Address[];
}

/** Marks the drafts that roll. Those that are down come first: ending others meanwhile would leave fewer still. */
export function addRollouts(drafts: Map<Address, Draft>, stack: Stack | undefined): void {
  for (const [container, { rolled, down }] of groups(drafts)) {
    const total = [...(stack?.containers.keys() ?? [])].filter((n) => parseReplica(n)?.container === container).length;
    const spec = stack?.containers.get(replicaName(container, 0));
    const update = spec?.update ?? DEFAULT_UPDATE;
    for (const address of rolled) {
      const draft = drafts.get(address);
      if (draft !== undefined) {
        const rollout = {
          container: PREFIX + container,
          atOnce: unavailableAtOnce(update, total),
          onFailure: update.onFailure,
          after: down,
        };
        const all = draft.createFirst === true && update.onFailure === 'rollback';
        const reasons = all ? [...draft.reasons, 'the old ones end when all new ones are up'] : draft.reasons;
        drafts.set(address, { ...draft, reasons, rollout });
      }
    }
  }
}

function groups(drafts: ReadonlyMap<Address, Draft>): Map<string, Group> {
  const found = new Map<string, Group>();
  for (const draft of drafts.values()) {
    const container = replicaOf(draft.address);
    const ends = draft.action === 'replace' || draft.action === 'restart';
    if (
      container === undefined ||
      draft.blocked !== undefined ||
      rests(draft.facts) ||
      !(ends || (draft.action === 'create' && draft.missing))
    ) {
      continue;
    }
    const group = found.get(container) ?? { rolled: [], down: [] };
    (ends && draft.facts['pid'] !== undefined ? group.rolled : group.down).push(draft.address);
    found.set(container, group);
  }
  return new Map([...found].filter(([, group]) => group.rolled.length > 0));
}

function replicaOf(address: Address): string | undefined {
  return address.startsWith(PREFIX) ? parseReplica(address.slice(PREFIX.length))?.container : undefined;
}

/** What is waited for after the steps of each replica that rolls, or that others wait for. */
export function waitSteps(drafts: ReadonlyMap<Address, Draft>, stack: Stack | undefined): Map<Address, Step[]> {
  const steps = new Map<Address, Step[]>();
  for (const { address, rollout } of drafts.values()) {
    for (const replica of rollout === undefined ? [] : [address, ...rollout.after]) {
      const name = replica.slice(PREFIX.length);
      const spec = stack?.containers.get(name);
      steps.set(
        replica,
        readySteps(name, spec?.update ?? DEFAULT_UPDATE, spec !== undefined && spec.healthcheck !== null),
      );
    }
  }
  return steps;
}

/** Where the new one is started first, the old one ends when the new one is up; to be rolled back, when all are. */
export function withWaits(
  split: ReadonlyMap<Address, Split>,
  waits: ReadonlyMap<Address, readonly Step[]>,
): Map<Address, Split> {
  return new Map(
    [...split].map(([address, draft]) => {
      const wait = waits.get(address) ?? [];
      const ends = draft.createFirst === true ? draft.steps.findIndex((s) => s.op === 'stop') : -1;
      if (ends < 0) {
        return [address, { ...draft, steps: [...draft.steps, ...wait] }];
      }
      const steps = [...draft.steps.slice(0, ends), ...wait];
      const end = draft.steps.slice(ends);
      const { rollout } = draft;
      return rollout?.onFailure === 'rollback'
        ? [address, { ...draft, steps, lateSteps: [...draft.lateSteps, ...end], startsBelow: together(split, rollout) }]
        : [address, { ...draft, steps: [...steps, ...end] }];
    }),
  );
}

function together(split: ReadonlyMap<Address, Split>, { container }: Rollout): Address[] {
  return [...split.values()].filter((d) => d.rollout?.container === container).map((d) => d.address);
}

function readySteps(container: string, update: UpdateSpec, checked: boolean): Step[] {
  const healthy = checked && update.wait !== 'started';
  return [
    ...(healthy ? [{ op: 'await-healthy', container } as const] : []),
    { op: 'await-ready', container, settleMs: update.settle, delayMs: update.delay },
  ];
}
