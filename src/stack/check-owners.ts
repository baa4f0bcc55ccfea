/** Which user namespace owns what a container joins: procfs shows a pid namespace only to its owner (EPERM otherwise). */
import type { ContainerSpec } from '../resources/container/schema.ts';
import { report, usePath, type Checking } from './checking.ts';

/** Bound on a chain of containers that share one after the other; circles are told elsewhere. */
const MAX_CHAIN = 1000;

/** A name for the user namespace a container lives in; undefined when only the kernel knows. */
function userOf(checking: Checking, container: ContainerSpec): string | undefined {
  return owner(checking, container, 'user');
}

/** Follows `container/NAME` to whoever has the namespace itself, and names its user namespace. */
function owner(checking: Checking, container: ContainerSpec, type: 'user' | 'pid'): string | undefined {
  let current: ContainerSpec | undefined = container;
  for (let n = 0; current !== undefined && n < MAX_CHAIN; n++) {
    const use: ContainerSpec['namespaces']['pid'] = current.namespaces[type];
    switch (use.kind) {
      case 'host':
        return 'host';
      case 'declared':
        // Declared namespaces other than user ones are made by the host.
        return type === 'user' ? `namespace/${use.name}` : 'host';
      case 'new':
        return type === 'user' ? `container/${current.name}` : userOf(checking, current);
      case 'container':
        if (use.stack !== null && use.stack !== checking.items.name) {
          return undefined;
        }
        current = checking.items.containers.get(use.name);
        break;
      default:
        return undefined;
    }
  }
  return undefined;
}

export function checkOwners(checking: Checking, container: ContainerSpec): void {
  const { mnt, pid } = container.namespaces;
  if (mnt.kind !== 'new' || pid.kind === 'new' || pid.kind === 'host') {
    return;
  }
  const [user, master] = [userOf(checking, container), owner(checking, container, 'pid')];
  // The host's root has every right in the user namespaces below it.
  if (user === undefined || user === 'host' || master === undefined || user === master) {
    return;
  }
  const whose = master === 'host' ? "the host's users" : `the users of ${master}`;
  report(
    checking,
    'TSB1003',
    `container/${container.name}`,
    usePath(checking, container.name, 'pid'),
    `this pid namespace belongs to ${whose}, and container '${container.name}' lives in another user namespace: the kernel lets only the owner mount its /proc (EPERM)`,
    'the same user namespace for both, or pid: new',
    master.startsWith('container/') ? `add user: ${master}` : undefined,
  );
}
