/** The pids controller (cgroup-v2.rst, "PID"): the same file in both versions. */
import { countLimit } from '../schemas.ts';
import { plainFile, type Knob } from '../knob.ts';

export const pids: readonly Knob[] = [
  {
    name: 'pids.max',
    controller: 'pids',
    yaml: ['pids', 'max'],
    schema: countLimit,
    default: 'max',
    unit: 'none',
    v2: plainFile('pids.max'),
    v1: plainFile('pids.max'),
    use: { v2: 'pids.current', v1: 'pids.current', effect: 'no new process or thread until some have ended' },
    bound: 'min',
    doc: 'processes and threads that may exist; fork fails with EAGAIN at the limit',
    source: 'cgroup-v2.rst, pids.max',
  },
];
