/** The cpu controller: weight and bandwidth (cgroup-v2.rst, "CPU"; scheduler/sched-bwc.rst). */
import { cpuMax, cpuWeight } from '../schemas.ts';
import { sharesToWeight, weightToShares } from '../shares.ts';
import { plainFile, type Knob } from '../knob.ts';

export const cpu: readonly Knob[] = [
  {
    name: 'cpu.weight',
    controller: 'cpu',
    yaml: ['cpu', 'weight'],
    schema: cpuWeight,
    default: '100',
    unit: 'none',
    v2: plainFile('cpu.weight'),
    v1: {
      files: ['cpu.shares'],
      parse: ([text]) => (text === undefined ? undefined : sharesToWeight(text.trim())),
      format: (value) => [{ file: 'cpu.shares', data: weightToShares(value) }],
      normalise: (value) => sharesToWeight(weightToShares(value)) ?? value,
    },
    doc: 'share of the processor among siblings, 1 to 10000',
    source: 'cgroup-v2.rst, cpu.weight',
  },
  {
    name: 'cpu.max',
    controller: 'cpu',
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
        const [quota = 'max', period = '100000'] = value.split(' ');
        // The quota is lifted first: a shorter period under the old quota can exceed the parent's ratio (EINVAL).
        return [
          { file: 'cpu.cfs_quota_us', data: '-1' },
          { file: 'cpu.cfs_period_us', data: period },
          { file: 'cpu.cfs_quota_us', data: quota === 'max' ? '-1' : quota },
        ];
      },
    },
    doc: 'microseconds of processor time per period',
    source: 'cgroup-v2.rst, cpu.max; scheduler/sched-bwc.rst',
  },
];
