/** What lives now, in the shape of Terraform's state. */
import type { CheckResult } from '../../planner/plan.ts';
import type { Observed } from '../../resources/kind.ts';
import { checksJson } from './checks.ts';
import type { Origins } from '../../resources/origins.ts';
import { resourceValues, STATE_FORMAT_VERSION, TERRAFORM_VERSION } from './document.ts';
import { moduleTree } from './modules.ts';
import { byTerraformAddress, namingOf } from './names.ts';
import { outputValues, type OutputState } from './outputs.ts';
import { liveValues, type Mask } from './values.ts';

export function stateDocument(source: {
  readonly stack: string;
  readonly observed: readonly Observed[];
  readonly outputs: readonly OutputState[];
  readonly version: string;
  readonly bootId: string;
  readonly installation: string;
  /** What tsbox tells of each resource besides. */
  readonly details: readonly unknown[];
  readonly mask: Mask;
  readonly origins: Origins | undefined;
  /** What the checks of the stack file come to. */
  readonly checks: readonly CheckResult[];
}): Record<string, unknown> {
  const naming = namingOf(source.origins);
  return {
    format_version: STATE_FORMAT_VERSION,
    terraform_version: TERRAFORM_VERSION,
    values: {
      outputs: outputValues(source.outputs, 'before'),
      root_module: moduleTree(
        source.observed
          .filter((o) => o.exists)
          .sort(byTerraformAddress(naming))
          .map((o) => resourceValues(o.address, liveValues(o), source.mask, naming)),
      ),
    },
    checks: checksJson(source.checks, source.mask, naming),
    tsbox: {
      version: source.version,
      stack: source.stack,
      boot_id: source.bootId,
      installation: source.installation,
      resources: source.details,
    },
  };
}
