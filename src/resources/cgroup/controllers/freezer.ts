/** Freezing: a core file of v2, a controller of v1 (cgroup-v2.rst, cgroup.freeze; cgroup-v1/freezer-subsystem.rst). */
import { freezeFlag } from '../schemas.ts';
import type { Knob } from '../knob.ts';

export const freezer: readonly Knob[] = [
  {
    name: 'cgroup.freeze',
    controller: 'freezer',
    yaml: ['freeze'],
    schema: freezeFlag,
    default: '0',
    unit: 'none',
    core: true,
    v2: {
      files: ['cgroup.freeze'],
      parse: ([text]) => text?.trim(),
      format: (value) => [{ file: 'cgroup.freeze', data: value }],
    },
    v1: {
      // self_freezing tells our own order from an ancestor's.
      files: ['freezer.self_freezing'],
      parse: ([text]) => text?.trim(),
      format: (value) => [{ file: 'freezer.state', data: value === '1' ? 'FROZEN' : 'THAWED' }],
    },
    doc: 'stops every process below it until thawed',
    source: 'cgroup-v2.rst, cgroup.freeze',
  },
];
