/** What a change does besides what it is for: said beforehand. */
import type { KernelReader } from '../kernel/reader.ts';
import { delegation } from '../resources/cgroup/delegation.ts';
import { PROTECTIONS } from '../resources/cgroup/protection.ts';
import { knobRisks } from '../resources/cgroup/risk.ts';
import type { Address, Declared } from '../resources/kind.ts';
import { describeProcesses } from '../resources/processes.ts';
import { EVACUATED } from '../resources/scope.ts';
import type { Draft } from './cascade.ts';

/**
 * A v2 cgroup with controllers for its children holds no processes (cgroup-v2.rst, "No Internal Process Constraint"):
 * those found in a root that was handed to us move into a leaf of their own, and the plan says so.
 */
export function evacuation(reader: KernelReader, needed: readonly string[]): string[] {
  const { inner } = delegation(reader, []);
  if (needed.length === 0 || inner.length === 0) {
    return [];
  }
  const root = reader.settings.cgroupRoot;
  const names = describeProcesses(reader, inner.slice(0, 10)).map((p) => p.text);
  const more = inner.length > names.length ? ` and ${inner.length - names.length} more` : '';
  return [
    `${names.join(', ')}${more} in ${root} will move to ${root}/${EVACUATED}: a cgroup that gives its children controllers (${needed.join(', ')}) holds no processes itself`,
  ];
}

export function asksForProtection(declared: Iterable<Declared>): boolean {
  return [...declared].some((d) => PROTECTIONS.some((name) => (d.desired[name] ?? '0') !== '0'));
}

/** Marks limits that are lowered below what is in use, so that nobody is surprised by what the kernel then does. */
export function addRisks(reader: KernelReader, stack: string, drafts: Map<Address, Draft>): void {
  const changing = [...drafts.values()].filter((d) => d.action === 'update' && d.attributes.length > 0);
  const risks = knobRisks(
    reader,
    stack,
    changing.map((d) => ({
      path: d.facts['leaf'] ?? d.address.slice(d.address.indexOf('/') + 1),
      changes: d.attributes,
    })),
  );
  changing.forEach((draft, i) => {
    const found = risks[i];
    if (found !== undefined && found.size > 0) {
      const attributes = draft.attributes.map((a) => {
        const risk = found.get(a.name);
        return risk === undefined ? a : { ...a, risk };
      });
      drafts.set(draft.address, { ...draft, attributes });
    }
  });
}

/** What a start takes besides, said where there is going to be one. */
export function addNotes(drafts: Map<Address, Draft>, declared: ReadonlyMap<Address, Declared>): void {
  for (const [address, draft] of drafts) {
    const notes = declared.get(address)?.notes ?? [];
    if (notes.length > 0 && ['create', 'replace', 'restart'].includes(draft.action)) {
      drafts.set(address, { ...draft, reasons: [...draft.reasons, ...notes] });
    }
  }
}
