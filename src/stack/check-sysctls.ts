/** Kernel parameters of containers: each belongs to a namespace that has to be the container's own. */
import type { ContainerSpec } from '../resources/container/schema.ts';
import { sysctlType } from '../resources/namespace/sysctls.ts';
import { report, type Checking } from './checking.ts';

export function checkSysctls(checking: Checking, container: ContainerSpec): void {
  for (const key of Object.keys(container.sysctls)) {
    const type = sysctlType(key);
    const use = type === undefined ? undefined : container.namespaces[type];
    if (type === undefined || use === undefined || use.kind === 'new') {
      continue;
    }
    const [whose, hint] =
      use.kind === 'host'
        ? [`is the host's`, `namespaces: { ${type}: new } gives it one of its own`]
        : use.kind === 'declared'
          ? [`is namespace/${use.name}`, `set it there: namespaces: { ${use.name}: { type: ${type}, sysctls: … } }`]
          : use.kind === 'container'
            ? [`is that of container/${use.name}`, 'set it on that container']
            : [
                `is ${use.kind === 'pid' ? `that of process ${use.pid}` : use.path}`,
                'set it where the namespace comes from',
              ];
    report(
      checking,
      'TSB1003',
      `container/${container.name}`,
      ['sysctls', key],
      `${key} belongs to the ${type} namespace, which ${whose} here and not its own`,
      `parameters of namespaces that container '${container.name}' has for itself`,
      hint,
    );
  }
}
