/** `--on-drift`: whether an apply undoes what was changed outside, or leaves the decision to people. */
import { TsboxError } from '../errors.ts';
import { summarise, type Plan } from '../planner/plan.ts';
import type { Arguments } from './args.ts';

/** @throws TsboxError TSB2001 for what is neither of the two */
export function failsOnDrift(args: Arguments): boolean {
  const given = args.values['on-drift'] ?? 'heal';
  if (given !== 'heal' && given !== 'fail') {
    throw new TsboxError('TSB2001', `--on-drift takes heal or fail, not '${given}'`);
  }
  return given === 'fail';
}

/** Why nothing is done; undefined for a plan that undoes nothing of others, or accepts it. */
export function driftRefusal(plan: Plan): TsboxError | undefined {
  const { drift, driftResources } = summarise(plan);
  if (drift === 0 || plan.refreshOnly === true) {
    return undefined;
  }
  const what = `${drift} ${drift === 1 ? 'thing' : 'things'} in ${driftResources} ${driftResources === 1 ? 'resource' : 'resources'}`;
  return new TsboxError(
    'TSB3012',
    `${what} changed outside since the last apply: --on-drift fail changes nothing then`,
    {
      hint: 'take it over into the file, accept it with --refresh-only, or undo it with --on-drift heal',
    },
  );
}
