/** `lifecycle:`: attributes that are none, triggers that are not there, and what no kind of object can do. */
import { ignorable, ignoredPart, triggerOf } from '../resources/lifecycle.ts';
import { kindOf } from '../resources/registry.ts';
import { suggest } from '../resources/suggest.ts';
import { containerOf } from '../resources/container/replica-names.ts';
import { exists, report, reportAt } from './checking.ts';
import type { Checking } from './checking.ts';

/** Why two of a kind cannot be there at once under one address. */
const ONE_AT_A_TIME: Readonly<Record<string, string>> = {
  cgroup: 'a cgroup is where its name says, and the kernel renames none (EPERM)',
  namespace: 'a namespace is pinned and recorded under its name, and its members would stay in the old one',
  volume: 'a volume is one directory, and what is in it is what it is for',
};

export function checkLifecycles(checking: Checking): void {
  const told = new Set<string>();
  for (const [address, { lifecycle }] of checking.items.meta) {
    const owner = containerOf(address);
    const kind = address.slice(0, address.indexOf('/'));
    if (lifecycle === undefined || told.has(owner)) {
      continue;
    }
    told.add(owner);
    const reason = ONE_AT_A_TIME[kind];
    if (lifecycle.createBeforeDestroy && reason !== undefined) {
      const path = ['lifecycle', 'create_before_destroy'];
      const message = `a ${kind} cannot be made before the old one is gone: ${reason}`;
      reportAt(checking, 'key', 'TSB1003', address, path, message, 'no create_before_destroy here');
    }
    if (lifecycle.createBeforeDestroy && kind === 'container') {
      oneTerminal(checking, address, ['lifecycle', 'create_before_destroy'], 'no create_before_destroy');
    }
    lifecycle.ignoreChanges.forEach((rule, index) => {
      if (typeof rule === 'string') {
        ignored(checking, address, rule, index);
      } else if (kind !== 'cgroup' && kind !== 'container') {
        const path = ['lifecycle', 'ignore_changes', index];
        const message = `a ${kind} has no cgroup of its own for a manager's claims`;
        report(checking, 'TSB1003', address, path, message, 'names of attributes');
      }
    });
    lifecycle.replaceTriggeredBy.forEach((trigger, index) => triggered(checking, address, trigger, index));
  }
}

/** `update: { order: start-first }` is the same of replicas. */
export function checkOrders(checking: Checking): void {
  const told = new Set<string>();
  for (const [name, { update }] of checking.items.containers) {
    const owner = containerOf(name);
    if (update?.order === 'start-first' && !told.has(owner)) {
      told.add(owner);
      oneTerminal(checking, `container/${name}`, ['update', 'order'], 'stop-first');
    }
  }
}

function oneTerminal(checking: Checking, address: string, path: readonly string[], instead: string): void {
  const terminal = checking.items.containers.get(address.slice('container/'.length))?.terminal;
  if (terminal?.tty === true || terminal?.stdin === true) {
    const message = 'two generations of this container would want the same socket for tty or stdin';
    reportAt(checking, 'key', 'TSB1003', address, [...path], message, `${instead}, or neither tty nor stdin`);
  }
}

function ignored(checking: Checking, address: string, pattern: string, index: number): void {
  const names = ignorable(kindOf(address).attributes);
  if (names.some((name) => ignoredPart(pattern, name) !== undefined)) {
    return;
  }
  const path = ['lifecycle', 'ignore_changes', index];
  const near = suggest(pattern, names);
  const kind = address.slice(0, address.indexOf('/'));
  const message = `'${pattern}' is no attribute of a ${kind} that can be ignored`;
  const hint = near === undefined ? 'plans show the names of attributes' : `did you mean "${near}"?`;
  report(checking, 'TSB1004', address, path, message, undefined, hint);
}

function triggered(checking: Checking, address: string, trigger: string, index: number): void {
  const path = ['lifecycle', 'replace_triggered_by', index];
  const found = triggerOf(trigger, (a) => checking.items.paths.has(a));
  if (found === undefined) {
    const kind = trigger.slice(0, trigger.indexOf('/'));
    exists(checking, kind, trigger.slice(kind.length + 1), address, path, `${kind}s`);
    return;
  }
  if (found.address === address || found.address === containerOf(address)) {
    report(checking, 'TSB1005', address, path, `${found.address} would replace itself`, 'another resource');
    return;
  }
  const { attribute } = found;
  const names = attribute === undefined ? [] : [...kindOf(found.address).attributes.keys()];
  if (attribute !== undefined && !names.some((n) => n === attribute || n.startsWith(`${attribute}.`))) {
    const near = suggest(attribute, names);
    const hint = near === undefined ? undefined : `did you mean "${near}"?`;
    report(checking, 'TSB1004', address, path, `${found.address} has no attribute '${attribute}'`, undefined, hint);
  }
}
