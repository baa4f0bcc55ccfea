/** Desired device rules of a cgroup or container, and the step that puts them in force. */
import { TsboxError } from '../../errors.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import type { Stack } from '../../stack/types.ts';
import type { Problem, StepContext } from '../kind.ts';
import type { Step } from '../step.ts';
import { canonicalRules } from './canonical.ts';
import { DEFAULT_DEVICE_RULES } from './defaults.ts';
import { resolveRules } from './resolve.ts';
import type { DeviceRule, DeviceUse } from './schema.ts';
import { v1Transition } from './v1.ts';

export interface DesiredDevices {
  readonly rules: readonly DeviceRule[];
  readonly canonical: readonly string[];
}

/** Canonical forms are costly and the same rules serve many containers: one result per rule list and process. */
const desiredByRules = new WeakMap<readonly DeviceRule[], DesiredDevices>();

let defaultDevices: DesiredDevices | undefined;

/** Rules of a use site with paths resolved to device numbers; undefined when nothing is said. */
export function desiredDevices(
  use: DeviceUse | null,
  stack: Stack,
  address: string,
  report: (problem: Problem) => void,
  reader: KernelReader,
): DesiredDevices | undefined {
  if (use === null) {
    return undefined;
  }
  const rules = typeof use === 'string' ? (stack.devices.get(use) ?? []) : use;
  const known = desiredByRules.get(rules);
  if (known !== undefined) {
    return known;
  }
  const resolved = resolveRules(rules, (path) => reader.deviceAt(path));
  if (!resolved.ok) {
    report({
      severity: 'error',
      error: new TsboxError(
        'TSB1009',
        `${address}: not a device node on this machine: ${resolved.missing.join(', ')}`,
        {
          at: stack.locate(address, ['devices']),
          address,
          hint: "name it by number, e.g. 'c 10:229 rw', or load the driver that makes it",
        },
      ),
    });
    return undefined;
  }
  const transition = reader.layout.primary?.version === 2 ? undefined : v1Transition('a *:* rwm', resolved.rules);
  if (transition !== undefined && !transition.ok) {
    report({
      severity: 'error',
      error: new TsboxError(
        'TSB1009',
        `${address}: these device rules cannot be written for cgroup v1: ${transition.inexpressible}`,
        {
          at: stack.locate(address, ['devices']),
          address,
          hint: 'list what is allowed, without exceptions; a machine with cgroup v2 takes any rules',
        },
      ),
    });
    return undefined;
  }
  const desired = { rules: resolved.rules, canonical: canonicalRules(resolved.rules) };
  desiredByRules.set(rules, desired);
  return desired;
}

/** Device rules of a container: its own, or the default list. */
export function containerDevices(
  use: DeviceUse | null,
  stack: Stack,
  address: string,
  report: (problem: Problem) => void,
  reader: KernelReader,
): DesiredDevices {
  const own = desiredDevices(use, stack, address, report, reader);
  if (own !== undefined) {
    return own;
  }
  defaultDevices ??= { rules: DEFAULT_DEVICE_RULES, canonical: canonicalRules(DEFAULT_DEVICE_RULES) };
  return defaultDevices;
}

/** The step that puts an address's declared rules in force, if it declares any. */
export function deviceSteps(path: string, address: string, context: StepContext): Step[] {
  const stack = context.stack;
  if (stack === undefined) {
    return [];
  }
  const ignore = (): void => undefined;
  const container = address.startsWith('container/')
    ? stack.containers.get(address.slice('container/'.length))
    : undefined;
  const wanted =
    container === undefined
      ? desiredDevices(
          stack.cgroups.get(address.slice('cgroup/'.length))?.devices ?? null,
          stack,
          address,
          ignore,
          context.reader,
        )
      : containerDevices(container.devices, stack, address, ignore, context.reader);
  return wanted === undefined ? [] : [{ op: 'devices', path, rules: wanted.rules, canonical: wanted.canonical }];
}
