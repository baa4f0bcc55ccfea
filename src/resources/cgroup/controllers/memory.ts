/** The memory controller: limits and protections (cgroup-v2.rst, "Memory"; cgroup-v1/memory.rst). */
import { byteLimit } from '../schemas.ts';
import { bytesV1, bytesV2 } from '../bytes-knob.ts';
import type { Knob } from '../knob.ts';

export const memory: readonly Knob[] = [
  {
    name: 'memory.min',
    controller: 'memory',
    yaml: ['memory', 'min'],
    schema: byteLimit,
    default: '0',
    unit: 'bytes',
    v2: bytesV2('memory.min'),
    v1: undefined,
    doc: 'memory never reclaimed while use is below it',
    source: 'cgroup-v2.rst, memory.min',
  },
  {
    name: 'memory.low',
    controller: 'memory',
    yaml: ['memory', 'low'],
    schema: byteLimit,
    default: '0',
    unit: 'bytes',
    v2: bytesV2('memory.low'),
    // OCI runtimes give their "reservation" to memory.low on v2 and to the soft limit on v1: the same mapping is kept.
    v1: bytesV1('memory.soft_limit_in_bytes', '0'),
    doc: 'memory reclaimed only when nothing unprotected is left; the soft limit on v1',
    source: 'cgroup-v2.rst, memory.low; cgroup-v1/memory.rst, soft limits',
  },
  {
    name: 'memory.high',
    controller: 'memory',
    yaml: ['memory', 'high'],
    schema: byteLimit,
    default: 'max',
    unit: 'bytes',
    v2: bytesV2('memory.high'),
    v1: undefined,
    doc: 'use above it is throttled and reclaimed, never killed',
    source: 'cgroup-v2.rst, memory.high',
  },
  {
    name: 'memory.max',
    controller: 'memory',
    yaml: ['memory', 'max'],
    schema: byteLimit,
    default: 'max',
    unit: 'bytes',
    v2: bytesV2('memory.max'),
    v1: bytesV1('memory.limit_in_bytes', 'max'),
    doc: 'hard limit; the OOM killer acts when reclaim cannot keep use below it',
    source: 'cgroup-v2.rst, memory.max; cgroup-v1/memory.rst, limit_in_bytes',
  },
];
