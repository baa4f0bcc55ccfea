/** The cpuset controller (cgroup-v2.rst, "Cpuset"; cgroup-v1/cpusets.rst). */
import { cpuList, flag, numberWithin, oneOf } from '../schemas.ts';
import { parseCpuList } from '../../units.ts';
import { plainFile, textOf, type Knob, type KnobFiles } from '../knob.ts';

function listFile(file: string, more: Pick<KnobFiles, 'since' | 'conditional'> = {}): KnobFiles {
  return {
    files: [file],
    parse: ([text]) => (text === undefined ? undefined : text.trim() === '' ? '' : parseCpuList(text.trim())),
    // A lone newline empties the list; an empty write is not delivered to the kernel at all.
    format: (value) => [{ file, data: value === '' ? '\n' : textOf(value) }],
    ...more,
  };
}

const base = { controller: 'cpuset', unit: 'none' } as const;

/** Flags that only v1 has, each a file with 0 or 1. */
function v1Flag(name: string, byDefault: '0' | '1', doc: string): Knob {
  return {
    ...base,
    name: `cpuset.${name}`,
    yaml: ['cpuset', name],
    schema: flag,
    default: byDefault,
    v2: undefined,
    v1: plainFile(`cpuset.${name}`),
    doc,
    source: 'cgroup-v1/cpusets.rst',
  };
}

export const cpuset: readonly Knob[] = [
  {
    ...base,
    name: 'cpuset.cpus',
    yaml: ['cpuset', 'cpus'],
    schema: cpuList,
    default: '',
    v2: listFile('cpuset.cpus'),
    v1: listFile('cpuset.cpus'),
    bound: 'subset',
    doc: 'processors its tasks may run on; empty inherits',
    source: 'cgroup-v2.rst, cpuset.cpus',
  },
  {
    ...base,
    name: 'cpuset.mems',
    yaml: ['cpuset', 'mems'],
    schema: cpuList,
    default: '',
    v2: listFile('cpuset.mems'),
    v1: listFile('cpuset.mems'),
    bound: 'subset',
    doc: 'memory nodes its tasks may use; empty inherits; a change migrates pages',
    source: 'cgroup-v2.rst, cpuset.mems',
  },
  {
    ...base,
    name: 'cpuset.cpus.exclusive',
    yaml: ['cpuset', 'exclusive'],
    schema: cpuList,
    default: '',
    v2: listFile('cpuset.cpus.exclusive', { since: '6.7' }),
    v1: undefined,
    doc: 'processors that no sibling may have in its own exclusive list, for a partition below',
    source: 'cgroup-v2.rst, cpuset.cpus.exclusive',
  },
  {
    ...base,
    name: 'cpuset.cpus.partition',
    yaml: ['cpuset', 'partition'],
    schema: oneOf('kind of partition', ['member', 'root', 'isolated']),
    default: 'member',
    // 'root invalid (reason)' stays as it reads: the kernel took the write and does not do it.
    v2: plainFile('cpuset.cpus.partition'),
    v1: undefined,
    doc: 'member, or a scheduling domain of its own: root, isolated (without load balancing)',
    source: 'cgroup-v2.rst, cpuset.cpus.partition',
  },
  v1Flag('cpu_exclusive', '0', 'no sibling may have the same processors'),
  v1Flag('mem_exclusive', '0', 'no sibling may have the same memory nodes'),
  v1Flag('mem_hardwall', '0', "kernel allocations stay on the cpuset's nodes too"),
  v1Flag('memory_migrate', '0', 'pages move when the nodes change'),
  v1Flag('memory_spread_page', '0', 'page cache is spread over the nodes'),
  v1Flag('memory_spread_slab', '0', 'slab caches of files are spread over the nodes'),
  v1Flag('sched_load_balance', '1', 'tasks are balanced over its processors'),
  {
    ...base,
    name: 'cpuset.sched_relax_domain_level',
    yaml: ['cpuset', 'sched_relax_domain_level'],
    schema: numberWithin('level', -1, 5, [-1, 2]),
    default: '-1',
    v2: undefined,
    v1: plainFile('cpuset.sched_relax_domain_level'),
    doc: 'how far the scheduler searches for an idle processor',
    source: 'cgroup-v1/cpusets.rst',
  },
];
