/** Things in each other's place: cgroups of one path, replicas of one name, two that adopt the same. */
import { leafPath } from '../resources/container/declare.ts';
import { parseReplica, replicaName } from '../resources/container/replica-names.ts';
import { lineOf, report, reportAt, type Checking } from './checking.ts';

/** A container's own cgroup is a child of the one it names; a declared cgroup may not stand in the same place. */
export function collisions(checking: Checking): void {
  for (const { name, cgroup, update, healthcheck } of checking.items.containers.values()) {
    const path = leafPath({ name, cgroup });
    const replica = parseReplica(name);
    const [, base = '', number = ''] = /^(.+)\.(0|[1-9]\d*)$/.exec(name) ?? [];
    if (number !== '' && Number(number) < (checking.items.replicas.get(base) ?? 0)) {
      const message = `container '${name}' has the name that '${replicaName(base, Number(number))}' has in the file system`;
      report(checking, 'TSB1003', `container/${name}`, [], message, 'another name for one of the two');
    }
    if (replica !== undefined && update?.wait === 'healthy' && healthcheck === null) {
      const message = `container '${replica.container}' has no health check, so its replicas never become healthy`;
      reportAt(
        checking,
        'value',
        'TSB1003',
        `container/${name}`,
        ['update', 'wait'],
        message,
        'started, or a healthcheck',
      );
    }
    if (replica === undefined && update !== null) {
      const message = `container '${name}' has an update, but no replicas to roll over`;
      reportAt(checking, 'key', 'TSB1003', `container/${name}`, ['update'], message, 'replicas: N beside it');
    }
    if (checking.items.paths.has(`cgroup/${path}`)) {
      const where = lineOf(checking, `cgroup/${path}`, []);
      report(
        checking,
        'TSB1003',
        `container/${name}`,
        [],
        `container '${name}' would have the cgroup '${path}', which is declared too (${where})`,
        'another name for one of the two',
        `to run it inside that cgroup write cgroup: ${path} and give the container another name`,
      );
    }
  }
}

/** What an adopted cgroup cannot have, and two that adopt the same. */
export function adoptions(checking: Checking): void {
  const by = new Map<string, string>();
  for (const { path, location, devices } of checking.items.cgroups.values()) {
    if (location === null) {
      continue;
    }
    const address = `cgroup/${path}`;
    const other = by.get(location);
    if (other !== undefined) {
      const where = lineOf(checking, other, ['adopt']);
      report(checking, 'TSB1003', address, ['adopt'], `${location} is adopted by ${other} already (${where})`);
    }
    by.set(location, address);
    if (devices !== null) {
      reportAt(
        checking,
        'key',
        'TSB1003',
        address,
        ['devices'],
        'an adopted cgroup keeps its device rules: what its owner attached could not be given back',
        'no devices here',
        'tsbox show --devices shows what applies',
      );
    }
  }
}
