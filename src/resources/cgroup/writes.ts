/** Turning knob values into steps, and stack knobs into desired values with this kernel's limits checked. */
import { TsboxError } from '../../errors.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import type { Stack } from '../../stack/types.ts';
import type { AttributeChange, Problem } from '../kind.ts';
import { directoryIn } from '../scope.ts';
import type { Step } from '../step.ts';
import { knobAccess, whyMissing } from './access.ts';
import { KNOB_BY_NAME, KNOBS } from './registry.ts';

/** The desired knob values that this kernel can hold; the others are reported. */
export function desiredKnobs(
  knobs: Readonly<Record<string, string>>,
  optional: boolean,
  address: string,
  stack: Stack,
  reader: KernelReader,
  report: (problem: Problem) => void,
): Record<string, string> {
  const desired: Record<string, string> = {};
  for (const knob of KNOBS) {
    const value = knobs[knob.name];
    if (value === undefined) {
      continue;
    }
    if (knobAccess(reader.layout, knob) === undefined) {
      const at = stack.locate(address, knob.yaml);
      const why = whyMissing(reader.layout, knob);
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
    desired[knob.name] = value;
  }
  return desired;
}

/** Writes for one knob: steps of their own, so that each failure names its attribute. */
export function knobStep(reader: KernelReader, path: string, name: string, value: string): Step[] {
  const knob = KNOB_BY_NAME.get(name);
  const access = knob === undefined ? undefined : knobAccess(reader.layout, knob);
  if (knob === undefined || access === undefined) {
    return [];
  }
  if (knob.name === 'cgroup.freeze') {
    return [{ op: 'freeze', path, frozen: value === '1' }];
  }
  return [
    {
      op: 'cgroup-write',
      path,
      attribute: name,
      controller: knob.core === true ? '' : knob.controller,
      writes: access.files.format(value),
    },
  ];
}

/** Steps that bring changed knobs to their new values, in the registry's order; dropped ones go back to the default. */
export function knobSteps(
  reader: KernelReader,
  stack: string,
  path: string,
  changes: readonly AttributeChange[],
): Step[] {
  const byName = new Map(changes.map((c) => [c.name, c]));
  return KNOBS.flatMap((knob) => {
    const change = byName.get(knob.name);
    if (change === undefined) {
      return [];
    }
    const value =
      typeof change.after === 'string' ? change.after : defaultHere(reader, stack, path, knob.name, knob.default);
    return knobStep(reader, path, knob.name, value);
  });
}

/** The value that "nobody set it" has here: v1 cpusets must not be empty, so they take the parent's. */
export function defaultHere(reader: KernelReader, stack: string, path: string, name: string, fallback: string): string {
  const hierarchy = reader.layout.byController.get('cpuset');
  if (!name.startsWith('cpuset.') || hierarchy?.version !== 1) {
    return fallback;
  }
  const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
  const text = reader.readFiles([
    `${directoryIn(hierarchy.mount, reader.settings.cgroupRoot, stack, parent)}/${name}`,
  ])[0];
  return typeof text === 'string' ? text.trim() : fallback;
}

/** v2 controllers that a set of knobs needs enabled above the cgroup. */
export function controllersFor(reader: KernelReader, knobs: Readonly<Record<string, unknown>>): string[] {
  const needed = new Set<string>();
  for (const name of Object.keys(knobs)) {
    const knob = KNOB_BY_NAME.get(name);
    const access = knob === undefined ? undefined : knobAccess(reader.layout, knob);
    if (knob !== undefined && knob.core !== true && access?.hierarchy.version === 2) {
      needed.add(knob.controller);
    }
  }
  return [...needed].sort();
}
