/** Desired tags and bandwidths with this kernel's limits checked, and the step that puts them in force. */
import { TsboxError } from '../../errors.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import type { Stack } from '../../stack/types.ts';
import type { Value } from '../attribute.ts';
import { olderThan } from '../cgroup/access.ts';
import type { AttributeChange, Problem } from '../kind.ts';
import type { Step } from '../step.ts';
import {
  burstName,
  DIRECTIONS,
  isNetwork,
  MARK,
  NETWORK_NAMES,
  networkDefault,
  PRIORITY,
  rateName,
} from './attributes.ts';
import { LEAST_BURST, MOST_BURST, type NetworkValues } from './schema.ts';

/** The first kernel with an atomic compare-and-exchange in BPF, which the bucket needs. */
const BUCKET_SINCE = '5.12';

/**
 * Seconds of traffic that a burst holds when the stack names none. TCP tries again some 200 ms after its last packet
 * was dropped (TCP_RTO_MIN); what would have come in meanwhile must find room, or the rate is never reached.
 */
const BURST_SECONDS = 0.5;

/** The desired values that this kernel can hold; the others are reported. */
export function desiredNetwork(
  values: NetworkValues,
  optional: boolean,
  address: string,
  stack: Stack,
  reader: KernelReader,
  report: (problem: Problem) => void,
): Record<string, string> {
  const desired: Record<string, string> = {};
  for (const name of NETWORK_NAMES) {
    const value = values[name];
    if (value === undefined) {
      continue;
    }
    const why = whyImpossible(name, reader);
    if (why === undefined) {
      desired[name] = value;
      continue;
    }
    report({
      severity: optional ? 'warning' : 'error',
      error: new TsboxError('TSB1009', `${address}: ${name} cannot be set: ${why}`, {
        at: stack.locate(address, name.split('.')),
        address,
        hint: optional ? undefined : 'leave it out here',
      }),
    });
  }
  for (const direction of DIRECTIONS) {
    const rate = desired[rateName(direction)];
    if (rate !== undefined) {
      desired[burstName(direction)] ??=
        rate === 'max' ? networkDefault(burstName(direction)) : defaultBurst(Number(rate));
    }
  }
  return desired;
}

/** Bytes of a burst that the stack does not name. */
export function defaultBurst(rate: number): string {
  return String(Math.min(MOST_BURST, Math.max(LEAST_BURST, Math.round((rate / 8) * BURST_SECONDS))));
}

function whyImpossible(name: string, reader: KernelReader): string | undefined {
  const { layout, release } = reader;
  const rate = name !== MARK && name !== PRIORITY;
  if (layout.primary?.version === 2) {
    return rate && olderThan(release, BUCKET_SINCE)
      ? `it takes Linux ${BUCKET_SINCE}, and this is ${release}`
      : undefined;
  }
  if (rate) {
    return 'cgroup v1 has no such limit';
  }
  const controller = name === MARK ? 'net_cls' : 'net_prio';
  return layout.byController.has(controller) ? undefined : `the v1 controller ${controller} is not mounted here`;
}

/** The step that puts all of a cgroup's values in force, if it has any. */
export function networkSteps(path: string, values: Readonly<Record<string, Value>>): Step[] {
  const own = networkOf(values);
  return Object.keys(own).length === 0 ? [] : [{ op: 'network', path, values: own }];
}

/** The same for changes: what is no longer declared goes back to what it is where nobody set it. */
export function networkChangeSteps(
  path: string,
  changes: readonly AttributeChange[],
  declared: Readonly<Record<string, Value>>,
): Step[] {
  const changed = changes.filter((c) => isNetwork(c.name));
  if (changed.length === 0) {
    return [];
  }
  const back = changed.map((c) => [c.name, c.after ?? networkDefault(c.name)]);
  return networkSteps(path, { ...(Object.fromEntries(back) as Record<string, Value>), ...networkOf(declared) });
}

function networkOf(values: Readonly<Record<string, Value>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).filter(
      (entry): entry is [string, string] => isNetwork(entry[0]) && typeof entry[1] === 'string',
    ),
  );
}
