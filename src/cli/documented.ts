/** What reports in Terraform's shape are made of: a plan with what was read, declared and given for it. */
import type { Planned } from '../planner/index.ts';
import type { Documented } from '../report/terraform/document.ts';
import type { Stack } from '../stack/types.ts';
import { outputStates } from './output-values.ts';
import { masked } from './output.ts';
import { VERSION } from './version.ts';

export function documented(
  planned: Planned,
  stack: Stack | undefined,
  { destroy, bootId }: { readonly destroy: boolean; readonly bootId: string },
): Documented {
  const removed = destroy || stack === undefined;
  return {
    plan: planned.plan,
    observed: planned.observed,
    declared: planned.declared,
    variables: stack?.variables ?? {},
    outputs: outputStates(stack, planned, removed),
    destroy: removed,
    version: VERSION,
    bootId,
    time: new Date().toISOString(),
    mask: masked,
  };
}
