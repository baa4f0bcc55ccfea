/** Objects that get an address, another one, or none: import, moved, removed. */
import { addressFits } from '../resources/container/replica-names.ts';
import type { Address, Declared, Observed } from '../resources/kind.ts';
import { lifecycleRecord } from '../resources/lifecycle.ts';
import type { StackScope } from '../resources/scope.ts';
import type { Step } from '../resources/step.ts';
import type { Stack } from '../stack/types.ts';
import type { Draft } from './cascade.ts';

/** Volumes that are moved, by their new address: their directory is renamed, so they are seen where they will be. */
export function moveVolumes(stack: Stack | undefined, observed: Map<Address, Observed>): Map<Address, Observed> {
  const moved = new Map<Address, Observed>();
  for (const { from, to } of stack?.blocks.moved ?? []) {
    const [old, next] = [observed.get(from), observed.get(to)];
    if (to.startsWith('volume/') && old?.exists === true && next?.exists === false && old.applied !== null) {
      const path = next.facts['path'] ?? '';
      observed.delete(from);
      observed.set(to, {
        ...old,
        address: to,
        live: { ...old.live, path },
        applied: { ...old.applied, path },
        facts: { ...old.facts, path },
      });
      moved.set(to, old);
    }
  }
  return moved;
}

/** Says of drafts what becomes of their objects. */
export function addTransfers(
  drafts: Map<Address, Draft>,
  stack: Stack | undefined,
  scope: StackScope,
  volumes: ReadonlyMap<Address, Observed>,
): void {
  const update = (address: Address, change: (draft: Draft) => Draft): void => {
    const draft = drafts.get(address);
    if (draft !== undefined) {
      drafts.set(address, change(draft));
    }
  };
  for (const [to, from] of [...(scope.moves ?? []), ...[...volumes].map(([to, old]) => [to, old.address] as const)]) {
    update(to, (draft) => ({ ...draft, movedFrom: from, reasons: [...draft.reasons, `moved from ${from}`] }));
  }
  for (const address of [...(scope.rewritten ?? []), ...volumes.keys()]) {
    update(address, (draft) => (draft.action === 'no-op' ? { ...draft, refresh: true } : draft));
  }
  for (const { from, to } of stack?.blocks.moved ?? []) {
    if (to.startsWith('cgroup/') && drafts.get(from)?.action === 'delete' && drafts.get(to)?.action === 'create') {
      const why = 'the kernel renames no cgroup (EPERM), so it is made anew with what is in it';
      update(to, (draft) => ({ ...draft, reasons: [...draft.reasons, `moved from ${from}: ${why}`] }));
    }
  }
  const kept = (stack?.blocks.removed ?? []).filter((r) => r.destroy === false).map((r) => r.from);
  for (const from of kept) {
    for (const draft of [...drafts.values()]) {
      if (addressFits(draft.address, from) && draft.action === 'delete') {
        const reasons = ['removed: { destroy: false }: its labels go, it stays'];
        drafts.set(draft.address, { ...draft, forget: true, reasons });
      }
    }
  }
  for (const { to, id } of stack?.blocks.import ?? []) {
    update(to, (draft) => {
      if (to.startsWith('namespace/') && draft.action === 'create') {
        return { ...draft, action: 'update', missing: false, importing: { id } };
      }
      const isTaken = draft.attributes.some((a) => a.name === 'adopted' && a.before === 'no');
      return to.startsWith('cgroup/') && draft.action === 'update' && isTaken ? { ...draft, importing: { id } } : draft;
    });
  }
}

/** What gives an object its new address, before anything else is done with it. */
export function moveSteps(
  draft: Draft,
  observed: ReadonlyMap<Address, Observed>,
  volumes: ReadonlyMap<Address, Observed>,
): Step[] {
  const { address, movedFrom } = draft;
  if (movedFrom === undefined) {
    return [];
  }
  const live = observed.get(address)?.facts;
  const target = live?.['path'] ?? '';
  const path = volumes.get(address)?.facts['path'] ?? live?.['leaf'] ?? '';
  return [{ op: 'move', from: movedFrom, to: address, path, target }];
}

/** Takes the labels off; what was taken over from others goes back as it is now. */
export function forgetSteps({ address, facts }: Draft): Step[] {
  const path = address.startsWith('volume/') ? (facts['path'] ?? '') : (facts['leaf'] ?? '');
  return path.startsWith('/') && address.startsWith('cgroup/')
    ? [{ op: 'cgroup-release', path }]
    : [{ op: 'forget', address, path }];
}

/** Makes an existing namespace the declared one. @param isProtected as its record says, where it has one */
export function importSteps(draft: Draft, declared: Declared, isProtected?: boolean): Step[] {
  const id = draft.importing?.id ?? '';
  const name = draft.address.slice('namespace/'.length);
  const type = String(declared.desired['type']);
  const text = (key: string): string | null => {
    const value = declared.desired[key];
    return typeof value === 'string' ? value : null;
  };
  const from = id.startsWith('pid:') ? `/proc/${id.slice(4)}/ns/${type}` : id;
  const [hostname, domainname] = [text('hostname'), text('domainname')];
  const sysctls = declared.desired['sysctls'];
  const target = { kind: 'namespace', name } as const;
  return [
    {
      op: 'namespace-import',
      name,
      type: type as never,
      from,
      applied: declared.desired,
      ...lifecycleRecord(declared.lifecycle, isProtected),
    },
    ...(hostname === null && domainname === null ? [] : [{ op: 'uts', target, hostname, domainname } as const]),
    ...(typeof sysctls === 'object' && !Array.isArray(sysctls) && Object.keys(sysctls).length > 0
      ? [{ op: 'sysctls', target, values: sysctls as Readonly<Record<string, string>>, reset: [] } as const]
      : []),
  ];
}
