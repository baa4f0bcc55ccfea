/** Freezing: a core file of v2, a controller of v1 (cgroup-v2.rst, cgroup.freeze; cgroup-v1/freezer-subsystem.rst). */
import { flag } from '../schemas.ts';
import { plainFile, type Knob } from '../knob.ts';

export const freezer: readonly Knob[] = [
  {
    name: 'cgroup.freeze',
    controller: 'freezer',
    yaml: ['freeze'],
    schema: flag,
    default: '0',
    unit: 'none',
    core: true,
    v2: plainFile('cgroup.freeze', { since: '5.2' }),
    v1: {
      // self_freezing tells our own order from an ancestor's.
      files: ['freezer.self_freezing'],
      parse: ([text]) => text?.trim(),
      format: (value) => [{ file: 'freezer.state', data: value === '1' ? 'FROZEN' : 'THAWED' }],
    },
    doc: 'stops every process below it until thawed',
    source: 'cgroup-v2.rst, cgroup.freeze; cgroup-v1/freezer-subsystem.rst',
  },
];
