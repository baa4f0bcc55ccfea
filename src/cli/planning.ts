/** What plan and apply are asked alike. */
import type { PlanOptions } from '../planner/index.ts';
import type { RenderOptions } from '../report/plan-text.ts';
import { TsboxError } from '../errors.ts';
import { numberOption, type Arguments, type OptionName } from './args.ts';
import { masked } from './output.ts';

export const PLANNING: readonly OptionName[] = [
  'file',
  'var',
  'var-file',
  'target',
  'exclude',
  'replace',
  'refresh-only',
];

/** @throws TsboxError TSB2001 for options that contradict each other */
export function planOptions(args: Arguments, destroy: boolean): PlanOptions {
  const refreshOnly = args.flags['refresh-only'] === true;
  const replace = args.lists.replace ?? [];
  if (refreshOnly && (destroy || replace.length > 0)) {
    throw new TsboxError(
      'TSB2001',
      '--refresh-only changes records only: it goes with neither --destroy nor --replace',
    );
  }
  return { targets: args.targets, destroy, exclude: args.lists.exclude ?? [], replace, refreshOnly };
}

export function renderOptions(args: Arguments): RenderOptions {
  return {
    compact: args.flags.compact === true,
    context: numberOption(args, 'diff-context', 3, 0, 1000),
    steps: args.flags.steps === true,
    mask: masked,
  };
}
