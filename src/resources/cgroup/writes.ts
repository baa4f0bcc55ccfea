/** Turning knob values into steps, and stack knobs into desired values with this kernel's limits checked. */
import { TsboxError } from '../../errors.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import type { Stack } from '../../stack/types.ts';
import { isList, type Value } from '../attribute.ts';
import type { AttributeChange, Problem } from '../kind.ts';
import { directoryIn } from '../scope.ts';
import type { KnobWrite, Step } from '../step.ts';
import { knobAccess, whyMissing } from './access.ts';
import type { Knob, KnobValue } from './knob.ts';
import { resolveKeys } from './keys.ts';
import { KNOB_BY_NAME, KNOBS } from './registry.ts';

/** The desired knob values that this kernel can hold; the others are reported. */
export function desiredKnobs(
  knobs: Readonly<Record<string, KnobValue>>,
  optional: boolean,
  address: string,
  stack: Stack,
  reader: KernelReader,
  report: (problem: Problem) => void,
): Record<string, KnobValue> {
  const desired: Record<string, KnobValue> = {};
  for (const knob of KNOBS) {
    const value = knobs[knob.name];
    if (value === undefined) {
      continue;
    }
    if (knobAccess(reader, knob) === undefined) {
      const at = stack.locate(address, knob.yaml);
      const why = whyMissing(reader, knob);
      report({
        severity: optional ? 'warning' : 'error',
        error: new TsboxError('TSB1009', `${address}: ${knob.name} cannot be set: ${why}`, {
          at,
          address,
          hint: optional
            ? undefined
            : "leave it out, or write 'optional: true' on the cgroup to skip what the kernel lacks",
        }),
      });
      continue;
    }
    const resolved = resolveKeys(reader, knob, value, (message, hint) =>
      report({
        severity: 'error',
        error: new TsboxError('TSB1009', `${address}: ${message}`, {
          at: stack.locate(address, knob.yaml),
          address,
          hint,
        }),
      }),
    );
    if (resolved !== undefined) {
      desired[knob.name] = resolved;
    }
  }
  return desired;
}

/**
 * Steps that write knobs of one cgroup: one step per controller, in the registry's order, freezing apart and last.
 * @param values canonical values by knob name; of a keyed knob only the keys to be written
 * @param all every declared knob of the cgroup, for those that share a file
 */
export function writeSteps(
  reader: KernelReader,
  path: string,
  values: Readonly<Record<string, Value>>,
  all: Readonly<Record<string, Value>>,
): Step[] {
  const byController = new Map<string, KnobWrite[]>();
  let freeze: Step[] = [];
  for (const knob of KNOBS) {
    const value = values[knob.name];
    const access = value === undefined ? undefined : knobAccess(reader, knob);
    if (value === undefined || access === undefined || isList(value)) {
      continue;
    }
    if (knob.name === 'cgroup.freeze') {
      freeze = [{ op: 'freeze', path, frozen: value === '1' }];
      continue;
    }
    const controller = knob.core === true ? '' : access.controller;
    const writes = byController.get(controller) ?? [];
    byController.set(controller, writes);
    writes.push(...access.files.format(value, all).map((w) => ({ ...w, attribute: knob.name })));
  }
  return [
    ...[...byController].map(([controller, writes]): Step => ({ op: 'cgroup-write', path, controller, writes })),
    ...freeze,
  ];
}

/** Steps that bring changed knobs to their new values; what is no longer declared goes back to the kernel's default. */
export function knobSteps(
  reader: KernelReader,
  stack: string,
  path: string,
  changes: readonly AttributeChange[],
  declared: Readonly<Record<string, Value>>,
): Step[] {
  const values: Record<string, Value> = {};
  for (const change of changes) {
    const knob = KNOB_BY_NAME.get(change.name);
    if (knob !== undefined) {
      values[knob.name] =
        knob.keyDefault === undefined
          ? (change.after ?? defaultHere(reader, stack, path, knob))
          : changedKeys(change, knob.keyDefault);
    }
  }
  // v1 keeps memory+swap in one file: a new memory limit moves what is left for swap.
  if (values['memory.max'] !== undefined && reader.layout.byController.get('memory')?.version === 1) {
    const swap = declared['memory.swap.max'];
    if (swap !== undefined) {
      values['memory.swap.max'] ??= swap;
    }
  }
  return writeSteps(reader, path, values, declared);
}

/** The keys of a keyed knob that differ, those no longer declared with the kernel's own value. */
function changedKeys(change: AttributeChange, keyDefault: (key: string) => string): Record<string, string> {
  const before = mapOf(change.before);
  const after = mapOf(change.after);
  const values: Record<string, string> = {};
  for (const key of Object.keys(before)) {
    if (after[key] === undefined) {
      values[key] = keyDefault(key);
    }
  }
  for (const [key, value] of Object.entries(after)) {
    if (before[key] !== value) {
      values[key] = value;
    }
  }
  return values;
}

function mapOf(value: Value | undefined): Readonly<Record<string, string>> {
  return value === undefined || typeof value === 'string' || isList(value) ? {} : value;
}

/** The value that "nobody set it" has here: v1 cpusets must not be empty, so they take the parent's. */
function defaultHere(reader: KernelReader, stack: string, path: string, knob: Knob): KnobValue {
  const hierarchy = reader.layout.byController.get('cpuset');
  if ((knob.name !== 'cpuset.cpus' && knob.name !== 'cpuset.mems') || hierarchy?.version !== 1) {
    return knob.default;
  }
  const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
  const text = reader.readFiles([
    `${directoryIn(hierarchy.mount, reader.settings.cgroupRoot, stack, parent)}/${knob.name}`,
  ])[0];
  return typeof text === 'string' ? text.trim() : knob.default;
}

/** v2 controllers that a set of knobs needs enabled above the cgroup. */
export function controllersFor(reader: KernelReader, knobs: Readonly<Record<string, unknown>>): string[] {
  const needed = new Set<string>();
  for (const name of Object.keys(knobs)) {
    const knob = KNOB_BY_NAME.get(name);
    const access = knob === undefined ? undefined : knobAccess(reader, knob);
    if (knob !== undefined && knob.core !== true && access?.hierarchy.version === 2) {
      needed.add(knob.controller);
    }
  }
  return [...needed].sort();
}
