/** The cpu controller: weight and bandwidth (cgroup-v2.rst, "CPU"; scheduler/sched-bwc.rst). */
import { cpuMax, cpuWeight, flag, microseconds, numberWithin, utilClamp } from '../schemas.ts';
import { niceToShares, sharesToNice, sharesToWeight, weightToShares } from '../shares.ts';
import { plainFile, textOf, type Knob } from '../knob.ts';

const base = { controller: 'cpu' } as const;

export const cpu: readonly Knob[] = [
  {
    ...base,
    name: 'cpu.idle',
    yaml: ['cpu', 'idle'],
    schema: flag,
    default: '0',
    unit: 'none',
    v2: plainFile('cpu.idle', { since: '5.15' }),
    v1: plainFile('cpu.idle', { since: '5.15' }),
    doc: 'its tasks run only when nobody else wants the processor; a weight means nothing then',
    source: 'cgroup-v2.rst, cpu.idle',
  },
  {
    ...base,
    name: 'cpu.weight',
    yaml: ['cpu', 'weight'],
    schema: cpuWeight,
    default: '100',
    unit: 'none',
    v2: plainFile('cpu.weight'),
    v1: {
      files: ['cpu.shares'],
      parse: ([text]) => (text === undefined ? undefined : sharesToWeight(text.trim())),
      format: (value) => [{ file: 'cpu.shares', data: weightToShares(textOf(value)) }],
      normalise: (value) => sharesToWeight(weightToShares(value)) ?? value,
    },
    doc: 'share of the processor among siblings, 1 to 10000',
    source: 'cgroup-v2.rst, cpu.weight',
  },
  {
    ...base,
    name: 'cpu.weight.nice',
    yaml: ['cpu', 'nice'],
    schema: numberWithin('nice value', -20, 19, [-5, 10]),
    default: '0',
    unit: 'none',
    v2: plainFile('cpu.weight.nice'),
    v1: {
      files: ['cpu.shares'],
      parse: ([text]) => (text === undefined ? undefined : sharesToNice(text.trim())),
      format: (value) => [{ file: 'cpu.shares', data: niceToShares(textOf(value)) }],
    },
    doc: 'the weight as a nice value, -20 to 19; instead of cpu.weight',
    source: 'cgroup-v2.rst, cpu.weight.nice; kernel/sched/core.c, sched_prio_to_weight',
  },
  {
    ...base,
    name: 'cpu.max',
    yaml: ['cpu', 'max'],
    schema: cpuMax,
    default: 'max 100000',
    unit: 'cpu',
    v2: plainFile('cpu.max'),
    v1: {
      files: ['cpu.cfs_quota_us', 'cpu.cfs_period_us'],
      parse: ([quota, period]) => {
        if (quota === undefined || period === undefined) {
          return undefined;
        }
        return `${quota.trim() === '-1' ? 'max' : quota.trim()} ${period.trim()}`;
      },
      format: (value) => {
        const [quota = 'max', period = '100000'] = textOf(value).split(' ');
        // Two files, and either order can be refused (EINVAL) by the parent's ratio: what is refused is tried again
        // after the other, so that there is never a moment without a quota.
        return [
          { file: 'cpu.cfs_period_us', data: period },
          { file: 'cpu.cfs_quota_us', data: quota === 'max' ? '-1' : quota },
        ];
      },
    },
    bound: 'min',
    doc: 'microseconds of processor time per period',
    source: 'cgroup-v2.rst, cpu.max; scheduler/sched-bwc.rst',
  },
  {
    ...base,
    name: 'cpu.max.burst',
    yaml: ['cpu', 'burst'],
    schema: microseconds,
    default: '0',
    unit: 'microseconds',
    v2: plainFile('cpu.max.burst', { since: '5.14' }),
    v1: plainFile('cpu.cfs_burst_us', { since: '5.14' }),
    doc: 'unused time that may be saved up and spent above cpu.max; at most the quota',
    source: 'cgroup-v2.rst, cpu.max.burst; scheduler/sched-bwc.rst',
  },
  {
    ...base,
    name: 'cpu.uclamp.min',
    yaml: ['cpu', 'uclamp', 'min'],
    schema: utilClamp,
    default: '0.00',
    unit: 'none',
    v2: plainFile('cpu.uclamp.min', { since: '5.4', conditional: 'cpu_uclamp_min_write' }),
    v1: plainFile('cpu.uclamp.min', { since: '5.4', conditional: 'cpu_uclamp_min_write' }),
    doc: 'utilisation that the frequency is chosen for at least, percent',
    source: 'cgroup-v2.rst, cpu.uclamp.min',
  },
  {
    ...base,
    name: 'cpu.uclamp.max',
    yaml: ['cpu', 'uclamp', 'max'],
    schema: utilClamp,
    default: 'max',
    unit: 'none',
    v2: plainFile('cpu.uclamp.max', { since: '5.4', conditional: 'cpu_uclamp_min_write' }),
    v1: plainFile('cpu.uclamp.max', { since: '5.4', conditional: 'cpu_uclamp_min_write' }),
    bound: 'min',
    doc: 'utilisation that the frequency is chosen for at most, percent',
    source: 'cgroup-v2.rst, cpu.uclamp.max',
  },
];
