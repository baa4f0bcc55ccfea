/** The cgroup fields of the stack language, derived from the controllers' knobs. */
import { z } from 'zod';
import type { DeviceUse } from '../devices/schema.ts';
import { KNOBS } from './registry.ts';

/** A declared cgroup, lifted out of the nesting. */
export interface CgroupSpec {
  /** Path below the stack's root: 'tenants/api'. */
  readonly path: string;
  readonly name: string;
  /** Canonical values by knob name ('memory.max'), only what the stack says. */
  readonly knobs: Readonly<Record<string, string>>;
  readonly devices: DeviceUse | null;
  /** A knob this kernel lacks is a warning, not an error. */
  readonly optional: boolean;
}

/** Zod shape of the knobs: {memory: strictObject({max, …}), cpu: …, freeze: …}. */
export function cgroupFieldsShape(): Record<string, z.ZodType> {
  const groups = new Map<string, Record<string, z.ZodType>>();
  const shape: Record<string, z.ZodType> = {};
  for (const knob of KNOBS) {
    const [first, second] = knob.yaml;
    if (second === undefined) {
      shape[first] = knob.schema.optional();
      continue;
    }
    const group = groups.get(first) ?? {};
    group[second] = knob.schema.optional();
    groups.set(first, group);
  }
  for (const [name, group] of groups) {
    shape[name] = z.strictObject(group).optional();
  }
  return shape;
}

/** Gathers the canonical knob values from what the shape parsed. */
export function collectKnobs(parsed: Readonly<Record<string, unknown>>): Record<string, string> {
  const knobs: Record<string, string> = {};
  for (const knob of KNOBS) {
    let value: unknown = parsed;
    for (const key of knob.yaml) {
      value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
    }
    if (typeof value === 'string') {
      knobs[knob.name] = value;
    }
  }
  return knobs;
}
