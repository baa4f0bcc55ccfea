/**
 * Controllers of countable things that hardware or the kernel names: rdma (cgroup-v1/rdma.rst), misc (cgroup-v1/misc.rst)
 * and dmem, device memory (cgroup-v2.rst, "DMEM").
 */
import * as z from 'zod';
import { flatKeyed, nestedKeyed } from '../keyed.ts';
import type { Knob, KnobSection } from '../knob.ts';
import { byteLimit, countOrMax, keysFit } from '../schemas.ts';

const count = countOrMax('count');

/** Names go into a line of words: white space or a line's end in one would be another line. */
function oneWordKeys(expected: string): ReturnType<typeof keysFit> {
  return keysFit((key) => (/^[!-~]+$/.test(key) ? undefined : { message: `'${key}' cannot be a name here`, expected }));
}

export const rdma: readonly Knob[] = [
  {
    name: 'rdma.max',
    controller: 'rdma',
    yaml: ['rdma'],
    default: {},
    keyDefault: () => 'max',
    unit: 'none',
    v2: nestedKeyed('rdma.max', { since: '4.11' }),
    v1: nestedKeyed('rdma.max', { since: '4.11' }),
    bound: 'min',
    doc: 'handles and objects of an RDMA device, by device',
    source: 'cgroup-v2.rst, rdma.max',
  },
];

/** `rdma: { mlx4_0: { hca_handle: 2, hca_object: 2000 } }` */
export const rdmaSection: KnobSection = {
  key: 'rdma',
  schema: z
    .record(z.string(), z.strictObject({ hca_handle: count.optional(), hca_object: count.optional() }))
    .check(oneWordKeys('an RDMA device, such as mlx4_0')),
  collect: (parsed) => {
    const value: Record<string, string> = {};
    for (const [device, limits] of Object.entries(parsed as Record<string, Record<string, string | undefined>>)) {
      for (const [name, amount] of Object.entries(limits)) {
        if (amount !== undefined) {
          value[`${device} ${name}`] = amount;
        }
      }
    }
    return { 'rdma.max': value };
  },
};

export const misc: readonly Knob[] = [
  {
    name: 'misc.max',
    controller: 'misc',
    yaml: ['misc'],
    default: {},
    keyDefault: () => 'max',
    unit: 'none',
    v2: flatKeyed('misc.max', { since: '5.13' }),
    v1: flatKeyed('misc.max', { since: '5.13' }),
    bound: 'min',
    doc: 'scalar resources that the kernel counts (misc.capacity lists them), by name',
    source: 'cgroup-v2.rst, misc.max',
  },
];

/** `misc: { sev: 10, sev_es: 4 }` */
export const miscSection: KnobSection = {
  key: 'misc',
  schema: z.record(z.string(), count).check(oneWordKeys('a name that misc.capacity lists')),
  collect: (parsed) => ({ 'misc.max': parsed as Record<string, string> }),
};

function dmemKnob(name: string, none: string, doc: string): Knob {
  return {
    name,
    controller: 'dmem',
    yaml: ['dmem'],
    default: {},
    keyDefault: () => none,
    unit: 'bytes',
    v2: flatKeyed(name, { since: '6.14' }),
    v1: undefined,
    doc,
    source: 'cgroup-v2.rst, DMEM',
  };
}

export const dmem: readonly Knob[] = [
  dmemKnob('dmem.min', '0', 'device memory never evicted while use is below it, bytes, by region'),
  dmemKnob('dmem.low', '0', 'device memory evicted last, bytes, by region'),
  dmemKnob('dmem.max', 'max', 'device memory that may be used, bytes, by region'),
];

/** `dmem: { "drm/0000:03:00.0/vram0": { max: 8GiB, low: 1GiB } }` */
export const dmemSection: KnobSection = {
  key: 'dmem',
  schema: z
    .record(
      z.string(),
      z.strictObject({ min: byteLimit.optional(), low: byteLimit.optional(), max: byteLimit.optional() }),
    )
    .check(oneWordKeys('a region that dmem.capacity lists, such as drm/0000:03:00.0/vram0')),
  collect: (parsed) => {
    const knobs: Record<string, Record<string, string>> = {};
    for (const [region, limits] of Object.entries(parsed as Record<string, Record<string, string | undefined>>)) {
      for (const [name, amount] of Object.entries(limits)) {
        if (amount !== undefined) {
          (knobs[`dmem.${name}`] ??= {})[region] = amount;
        }
      }
    }
    return knobs;
  },
};
