/** Core files of v2 that bound or tune the cgroup itself (cgroup-v2.rst, "Core Interface Files"); v1 has none of them. */
import { countOrMax, flag } from '../schemas.ts';
import { plainFile, type Knob } from '../knob.ts';

const base = { controller: 'core', core: true, unit: 'none', v1: undefined } as const;

export const core: readonly Knob[] = [
  {
    ...base,
    name: 'cgroup.max.depth',
    yaml: ['max_depth'],
    schema: countOrMax('number of levels'),
    default: 'max',
    v2: plainFile('cgroup.max.depth', { since: '4.14' }),
    bound: 'min',
    doc: 'levels of cgroups that may be made below it; mkdir fails with EAGAIN beyond',
    source: 'cgroup-v2.rst, cgroup.max.depth',
  },
  {
    ...base,
    name: 'cgroup.max.descendants',
    yaml: ['max_descendants'],
    schema: countOrMax('number of cgroups'),
    default: 'max',
    v2: plainFile('cgroup.max.descendants', { since: '4.14' }),
    bound: 'min',
    doc: 'cgroups that may exist below it; mkdir fails with EAGAIN beyond',
    source: 'cgroup-v2.rst, cgroup.max.descendants',
  },
  {
    ...base,
    name: 'cgroup.pressure',
    yaml: ['pressure'],
    schema: flag,
    default: '1',
    v2: plainFile('cgroup.pressure', { since: '6.1', conditional: 'cgroup_pressure_write' }),
    doc: 'whether pressure stall information is kept for it; not inherited',
    source: 'cgroup-v2.rst, cgroup.pressure; accounting/psi.rst',
  },
];
