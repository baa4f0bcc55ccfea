/** Preconditions, checks and policies as the checks of a Terraform document: one object each, an instance for each resource looked at. */
import type { CheckResult } from '../../planner/plan.ts';
import type { Naming } from './names.ts';
import type { Mask } from './values.ts';

const byName = (a: CheckResult, b: CheckResult): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

/** The worst counts: an object passes when all its instances do. */
function statusOf(results: readonly CheckResult[]): CheckResult['status'] {
  return (['error', 'fail', 'unknown'] as const).find((s) => results.some((r) => r.status === s)) ?? 'pass';
}

function addressOf({ kind, name, address }: CheckResult, naming: Naming): Record<string, unknown> {
  if (kind === 'precondition' && address !== undefined) {
    const own = naming(address);
    return { kind: 'resource', to_display: own.address, mode: 'managed', type: own.type, name: own.name };
  }
  return { kind: 'check', to_display: `${kind}.${name}`, name };
}

export function checksJson(results: readonly CheckResult[], mask: Mask, naming: Naming): Record<string, unknown>[] {
  const groups = new Map<string, CheckResult[]>();
  for (const result of [...results].sort(byName)) {
    const key = result.kind === 'precondition' ? `precondition ${result.address}` : `${result.kind} ${result.name}`;
    groups.set(key, [...(groups.get(key) ?? []), result]);
  }
  return [...groups.values()].map((group) => {
    const [first] = group;
    return {
      address: first === undefined ? {} : addressOf(first, naming),
      status: statusOf(group),
      instances: group.map((r) => ({
        address: { to_display: r.address === undefined ? `${r.kind}.${r.name}` : naming(r.address).address },
        status: r.status,
        ...(r.status === 'pass' ? {} : { problems: [{ message: mask(r.message) }] }),
      })),
    };
  });
}
