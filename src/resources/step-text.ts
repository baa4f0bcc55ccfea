/** Steps in words. */
import type { Step } from './step.ts';

/** What a step does, for progress, journals and errors. */
export function describeStep(step: Step): string {
  switch (step.op) {
    case 'cgroup-make':
      return `make cgroup ${step.path}`;
    case 'cgroup-write':
      return `set ${[...new Set(step.writes.map((w) => w.attribute))].join(', ')}`;
    case 'cgroup-adopt':
      return `adopt ${step.path}`;
    case 'cgroup-release':
      return `give back ${step.path}`;
    case 'freeze':
      return step.frozen ? 'freeze' : 'thaw';
    case 'devices':
      return 'set device rules';
    case 'devices-clear':
      return 'clear device rules';
    case 'network':
      return `set ${Object.keys(step.values).join(', ')}`;
    case 'network-detach':
      return `detach program ${step.id}`;
    case 'claims-drop':
      return `take back ${step.fields.join(', ')}`;
    case 'label':
    case 'namespace-label':
      return 'record';
    case 'cgroup-remove':
      return `remove cgroup ${step.path}`;
    case 'evict':
      return `move out ${step.pids.join(', ')}`;
    case 'enter':
      return `move in ${step.pid}`;
    case 'namespace-make':
      return `make ${step.type} namespace`;
    case 'namespace-import':
      return `import ${step.from}`;
    case 'move':
      return `move from ${step.from}`;
    case 'forget':
      return 'forget';
    case 'namespace-repin':
      return 'pin again';
    case 'namespace-remove':
      return 'remove namespace';
    case 'uts':
      return 'set names';
    case 'sysctls':
      return `set ${[...Object.keys(step.values), ...step.reset].join(', ')}`;
    case 'image':
      return 'prepare the image';
    case 'start':
      return 'start';
    case 'adopt':
      return 'supervise';
    case 'mounts':
      return `${[...new Set(step.edits.map((e) => e.do))].join(', ')} ${[...new Set(step.edits.map((e) => e.target))].join(', ')}`;
    case 'volume-make':
      return `make ${step.directory}`;
    case 'volume-remove':
      return `remove ${step.directory}`;
    case 'stop':
      return 'stop';
    case 'settings':
      return `set ${step.names.join(', ')}`;
    case 'policy':
      return 'set policy';
    case 'await-ready':
      return `wait until container/${step.container} is up`;
    case 'health':
      return 'set health checks';
    case 'describe':
      return 'describe anew';
    case 'await-healthy':
      return `wait for container/${step.container} to be healthy`;
    case 'await-completed':
      return `wait for container/${step.container} to complete`;
  }
}
