/** The hugetlb controller (cgroup-v2.rst, "HugeTLB"; cgroup-v1/hugetlb.rst): limits per page size, in bytes. */
import * as z from 'zod';
import { floorPage, v1Bytes } from '../bytes-knob.ts';
import { filePerKey } from '../keyed.ts';
import type { Knob, KnobSection } from '../knob.ts';
import { byteLimit, keysFit } from '../schemas.ts';

const UNITS: Readonly<Record<string, bigint>> = { KB: 1024n, MB: 1024n ** 2n, GB: 1024n ** 3n };

/** '2MB' to bytes. */
export function pageSize(key: string): bigint {
  const match = /^(\d+)(KB|MB|GB)$/.exec(key);
  return match === null ? 4096n : BigInt(match[1] ?? '0') * (UNITS[match[2] ?? ''] ?? 1n);
}

const normalise = (value: string, key = ''): string => floorPage(value, pageSize(key));

/** The kernel's "no limit" is the largest multiple of the page size. */
const parse = (text: string): string | undefined => {
  const value = text.trim();
  return value === 'max' ? 'max' : (v1Bytes(value) ?? undefined);
};

function knob(name: string, suffix: string, v1Suffix: string, doc: string, since: string): Knob {
  const write = (value: string): string => (value === 'max' ? '-1' : value);
  return {
    name,
    controller: 'hugetlb',
    yaml: ['hugetlb'],
    default: {},
    keyDefault: () => 'max',
    unit: 'bytes',
    v2: filePerKey((size) => `hugetlb.${size}.${suffix}`, { parse, normalise, since }),
    v1: filePerKey((size) => `hugetlb.${size}.${v1Suffix}`, { parse, write, normalise }),
    bound: 'min',
    doc,
    source: 'cgroup-v2.rst, HugeTLB; cgroup-v1/hugetlb.rst',
  };
}

export const hugetlb: readonly Knob[] = [
  knob('hugetlb.max', 'max', 'limit_in_bytes', 'huge pages in use, bytes, by page size; SIGBUS beyond', '5.6'),
  knob(
    'hugetlb.rsvd.max',
    'rsvd.max',
    'rsvd.limit_in_bytes',
    'huge pages reserved, bytes, by page size; mmap fails beyond',
    '5.7',
  ),
];

const sizeLimits = z.union([
  byteLimit.transform((max): { max?: string | undefined; rsvd?: string | undefined } => ({ max })),
  z.strictObject({ max: byteLimit.optional(), rsvd: byteLimit.optional() }),
]);

/** The kernel's name of a page size: 64KB, 2MB, 1GB; 2MiB and 2M mean the same. Undefined for anything else. */
function sizeName(key: string): string | undefined {
  const match = /^(\d{1,5})\s*([KMG])(?:i?B)?$/.exec(key);
  return match === null ? undefined : `${match[1]}${match[2]}B`;
}

/** `hugetlb: { 2MB: 64MiB, 1GB: { max: 2GiB, rsvd: 4GiB } }` */
export const hugetlbSection: KnobSection = {
  key: 'hugetlb',
  schema: z
    .record(z.string(), sizeLimits)
    .check(
      keysFit((key) =>
        sizeName(key) === undefined
          ? { message: `'${key}' is not a size of huge pages`, expected: '2MB, 1GB, or another size the kernel has' }
          : undefined,
      ),
    ),
  collect: (parsed) => {
    const max: Record<string, string> = {};
    const rsvd: Record<string, string> = {};
    for (const [key, limits] of Object.entries(parsed as Record<string, z.infer<typeof sizeLimits>>)) {
      const size = sizeName(key) ?? key;
      if (limits.max !== undefined) {
        max[size] = limits.max;
      }
      if (limits.rsvd !== undefined) {
        rsvd[size] = limits.rsvd;
      }
    }
    return {
      ...(Object.keys(max).length > 0 ? { 'hugetlb.max': max } : {}),
      ...(Object.keys(rsvd).length > 0 ? { 'hugetlb.rsvd.max': rsvd } : {}),
    };
  },
};
