/** The cgroup fields of the stack language, derived from the controllers' knobs. */
import * as z from 'zod';
import type { DeviceUse } from '../devices/schema.ts';
import { networkShape, type NetworkValues } from '../network/schema.ts';
import type { KnobValue } from './knob.ts';
import { KNOBS, SECTIONS } from './registry.ts';

/** A declared cgroup, lifted out of the nesting. */
export interface CgroupSpec {
  /** Path below the stack's root: 'tenants/api'. */
  readonly path: string;
  readonly name: string;
  /** Where it stands in every hierarchy when it was there before the stack: '/system.slice/x'; null for our own. */
  readonly location: string | null;
  /** Canonical values by knob name ('memory.max'), only what the stack says. */
  readonly knobs: Readonly<Record<string, KnobValue>>;
  readonly devices: DeviceUse | null;
  /** Network tag and bandwidth by attribute name, only what the stack says. */
  readonly network: NetworkValues;
  /** A knob this kernel lacks is a warning, not an error. */
  readonly optional: boolean;
}

/** Zod shape of the knobs: {memory: strictObject({max, swap: {…}, …}), cpu: …, io: …, freeze: …}. */
export function cgroupFieldsShape(): Record<string, z.ZodType> {
  const tree: Branch = new Map();
  for (const knob of KNOBS) {
    if (knob.schema !== undefined) {
      plant(tree, knob.yaml, knob.schema);
    }
  }
  return {
    ...shapeOf(tree),
    ...Object.fromEntries(SECTIONS.map((section) => [section.key, section.schema.optional()])),
    ...Object.fromEntries(Object.entries(networkShape).map(([key, schema]) => [key, schema.optional()])),
  };
}

type Branch = Map<string, z.ZodType | Branch>;

function plant(tree: Branch, path: readonly string[], schema: z.ZodType): void {
  const [first = '', ...rest] = path;
  if (rest.length === 0) {
    tree.set(first, schema);
    return;
  }
  const known = tree.get(first);
  const below: Branch = known instanceof Map ? known : new Map();
  tree.set(first, below);
  plant(below, rest, schema);
}

function shapeOf(tree: Branch): Record<string, z.ZodType> {
  return Object.fromEntries(
    [...tree].map(([key, branch]) => [
      key,
      (branch instanceof Map ? z.strictObject(shapeOf(branch)) : branch).optional(),
    ]),
  );
}

/** Gathers the canonical knob values from what the shape parsed. */
export function collectKnobs(parsed: Readonly<Record<string, unknown>>): Record<string, KnobValue> {
  const knobs: Record<string, KnobValue> = {};
  for (const knob of KNOBS) {
    let value: unknown = parsed;
    for (const key of knob.yaml) {
      value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
    }
    if (knob.schema !== undefined && typeof value === 'string') {
      knobs[knob.name] = value;
    }
  }
  for (const section of SECTIONS) {
    if (parsed[section.key] !== undefined) {
      Object.assign(knobs, section.collect(parsed[section.key]));
    }
  }
  return knobs;
}
