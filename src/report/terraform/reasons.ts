/** Terraform's words for why something is replaced or removed. */
import { isRelease, type Plan, type PlannedChange } from '../../planner/plan.ts';
import { parseReplica } from '../../resources/container/replica-names.ts';
import { originFinder } from '../../resources/origins.ts';

/** undefined where it has none. */
export function reasonOf(
  change: PlannedChange,
  destroy: boolean,
  { declared, origins }: Pick<Plan, 'declared' | 'origins'>,
): string | undefined {
  if (change.actionReason !== undefined) {
    return change.actionReason;
  }
  if (change.action === 'delete') {
    return destroy || isRelease(change) ? undefined : removalReason(change.address, declared, origins);
  }
  if (change.action !== 'replace') {
    return undefined;
  }
  return change.attributes.some((a) => a.mode === 'replace') ? 'replace_because_cannot_update' : 'replace_by_triggers';
}

/** What of it is still in the file: other replicas, other keys, other resources of its module. */
function removalReason(address: string, declared: Plan['declared'], origins: Plan['origins']): string {
  const replica = parseReplica(address);
  if (replica !== undefined && declared.some((a) => a.startsWith(`${replica.container}[`))) {
    return 'delete_because_count_index';
  }
  const find = originFinder(origins);
  const { modules, key } = find(replica?.container ?? address);
  const around = JSON.stringify(modules);
  if (modules.length > 0 && !declared.some((a) => JSON.stringify(find(a).modules) === around)) {
    return 'delete_because_no_module';
  }
  return key === undefined ? 'delete_because_no_resource_config' : 'delete_because_each_key';
}
