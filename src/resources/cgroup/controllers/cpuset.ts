/** The cpuset controller (cgroup-v2.rst, "Cpuset"; cgroup-v1/cpusets.rst). */
import { cpuList } from '../schemas.ts';
import { parseCpuList } from '../../units.ts';
import type { Knob, KnobFiles } from '../knob.ts';

function listFile(file: string): KnobFiles {
  return {
    files: [file],
    parse: ([text]) => (text === undefined ? undefined : text.trim() === '' ? '' : parseCpuList(text.trim())),
    // A lone newline empties the list; an empty write is not delivered to the kernel at all.
    format: (value) => [{ file, data: value === '' ? '\n' : value }],
  };
}

export const cpuset: readonly Knob[] = [
  {
    name: 'cpuset.cpus',
    controller: 'cpuset',
    yaml: ['cpuset', 'cpus'],
    schema: cpuList,
    default: '',
    unit: 'none',
    v2: listFile('cpuset.cpus'),
    v1: listFile('cpuset.cpus'),
    doc: 'processors its tasks may run on; empty inherits',
    source: 'cgroup-v2.rst, cpuset.cpus',
  },
  {
    name: 'cpuset.mems',
    controller: 'cpuset',
    yaml: ['cpuset', 'mems'],
    schema: cpuList,
    default: '',
    unit: 'none',
    v2: listFile('cpuset.mems'),
    v1: listFile('cpuset.mems'),
    doc: 'memory nodes its tasks may use; empty inherits; a change migrates pages',
    source: 'cgroup-v2.rst, cpuset.mems',
  },
];
