/** The memory controller: limits and protections (cgroup-v2.rst, "Memory"; cgroup-v1/memory.rst). */
import { byteLimit, flag, numberWithin } from '../schemas.ts';
import { bytesV1, bytesV2, floorPage, v1Bytes } from '../bytes-knob.ts';
import { plainFile, textOf, type Knob, type KnobFiles } from '../knob.ts';

const base = { controller: 'memory', unit: 'bytes', schema: byteLimit } as const;

/** v1 limits memory and swap together: memsw is the memory limit plus what the stack calls swap.max. */
const memsw: KnobFiles = {
  files: ['memory.memsw.limit_in_bytes', 'memory.limit_in_bytes'],
  conditional: '',
  parse: ([both, memory]) => {
    const sum = v1Bytes(both);
    const limit = v1Bytes(memory);
    if (sum === undefined || limit === undefined) {
      return undefined;
    }
    return sum === 'max' || limit === 'max' ? 'max' : String(BigInt(sum) - BigInt(limit));
  },
  format: (value, others) => {
    const memory = others['memory.max'];
    const both =
      value === 'max' || typeof memory !== 'string' || memory === 'max'
        ? '-1'
        : String(BigInt(floorPage(memory)) + BigInt(floorPage(textOf(value))));
    return [{ file: 'memory.memsw.limit_in_bytes', data: both }];
  },
  normalise: (value) => floorPage(value),
};

export const memory: readonly Knob[] = [
  {
    ...base,
    name: 'memory.min',
    yaml: ['memory', 'min'],
    default: '0',
    v2: bytesV2('memory.min'),
    v1: undefined,
    doc: 'memory never reclaimed while use is below it',
    source: 'cgroup-v2.rst, memory.min',
  },
  {
    ...base,
    name: 'memory.low',
    yaml: ['memory', 'low'],
    default: '0',
    v2: bytesV2('memory.low'),
    // OCI runtimes give their "reservation" to memory.low on v2 and to the soft limit on v1: the same mapping is kept.
    v1: bytesV1('memory.soft_limit_in_bytes', '0'),
    doc: 'memory reclaimed only when nothing unprotected is left; the soft limit on v1',
    source: 'cgroup-v2.rst, memory.low; cgroup-v1/memory.rst, soft limits',
  },
  {
    ...base,
    name: 'memory.high',
    yaml: ['memory', 'high'],
    default: 'max',
    v2: bytesV2('memory.high'),
    v1: undefined,
    use: { v2: 'memory.current', effect: 'its tasks are throttled while the rest is reclaimed' },
    bound: 'min',
    doc: 'use above it is throttled and reclaimed, never killed',
    source: 'cgroup-v2.rst, memory.high',
  },
  {
    ...base,
    name: 'memory.max',
    yaml: ['memory', 'max'],
    default: 'max',
    v2: bytesV2('memory.max'),
    v1: bytesV1('memory.limit_in_bytes', 'max'),
    use: {
      v2: 'memory.current',
      v1: 'memory.usage_in_bytes',
      effect: 'the rest is reclaimed first; what cannot be is ended by the OOM killer (v1 refuses the limit instead)',
    },
    bound: 'min',
    doc: 'hard limit; the OOM killer acts when reclaim cannot keep use below it',
    source: 'cgroup-v2.rst, memory.max; cgroup-v1/memory.rst, limit_in_bytes',
  },
  {
    ...base,
    name: 'memory.swap.high',
    yaml: ['memory', 'swap', 'high'],
    default: 'max',
    v2: bytesV2('memory.swap.high', { since: '5.8', conditional: 'swap_high_write' }),
    v1: undefined,
    bound: 'min',
    doc: 'swap use above it throttles every further allocation: a last resort, not a limit to run at',
    source: 'cgroup-v2.rst, memory.swap.high',
  },
  {
    ...base,
    name: 'memory.swap.max',
    yaml: ['memory', 'swap', 'max'],
    default: 'max',
    v2: bytesV2('memory.swap.max', { conditional: 'swap_max_write' }),
    v1: memsw,
    use: { v2: 'memory.swap.current', effect: 'nothing more is swapped out; what is out comes back slowly' },
    bound: 'min',
    doc: 'swap that may be used; on v1 the memory+swap limit less memory.max',
    source: 'cgroup-v2.rst, memory.swap.max; cgroup-v1/memory.rst, memsw.limit_in_bytes',
  },
  {
    ...base,
    name: 'memory.zswap.max',
    yaml: ['memory', 'zswap', 'max'],
    default: 'max',
    v2: bytesV2('memory.zswap.max', { since: '5.19', conditional: 'zswap_max_write' }),
    v1: undefined,
    bound: 'min',
    doc: 'compressed swap in memory that may be used',
    source: 'cgroup-v2.rst, memory.zswap.max',
  },
  {
    ...base,
    unit: 'none',
    name: 'memory.zswap.writeback',
    yaml: ['memory', 'zswap', 'writeback'],
    schema: flag,
    default: '1',
    v2: plainFile('memory.zswap.writeback', { since: '6.8', conditional: 'zswap_writeback_write' }),
    v1: undefined,
    doc: 'whether compressed swap may go on to the swap device',
    source: 'cgroup-v2.rst, memory.zswap.writeback',
  },
  {
    ...base,
    unit: 'none',
    name: 'memory.oom.group',
    yaml: ['memory', 'oom', 'group'],
    schema: flag,
    default: '0',
    v2: plainFile('memory.oom.group', { since: '4.19' }),
    v1: undefined,
    doc: 'the OOM killer ends all of it or nothing',
    source: 'cgroup-v2.rst, memory.oom.group',
  },
  {
    ...base,
    unit: 'none',
    name: 'memory.oom_control',
    yaml: ['memory', 'oom', 'kill_disable'],
    schema: flag,
    default: '0',
    v2: undefined,
    v1: {
      files: ['memory.oom_control'],
      parse: ([text]) => /^oom_kill_disable ([01])$/m.exec(text ?? '')?.[1],
      format: (value) => [{ file: 'memory.oom_control', data: textOf(value) }],
    },
    doc: 'v1 only: at the limit tasks wait instead of being killed',
    source: 'cgroup-v1/memory.rst, OOM Control',
  },
  {
    ...base,
    unit: 'none',
    name: 'memory.swappiness',
    yaml: ['memory', 'swappiness'],
    schema: numberWithin('swappiness', 0, 200, [0, 60]),
    default: '60',
    v2: undefined,
    v1: plainFile('memory.swappiness'),
    doc: 'v1 only: how readily its anonymous memory is swapped out',
    source: 'cgroup-v1/memory.rst, swappiness',
  },
];
