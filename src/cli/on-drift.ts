/** `--on-drift`: whether an apply undoes what was changed outside, or leaves the decision to people. */
import { TsboxError } from '../errors.ts';
import { summarise, type Plan } from '../planner/plan.ts';
import { choiceOption, type Arguments } from './args.ts';

/** @throws TsboxError TSB2001 for what is neither of the two */
export function failsOnDrift(args: Arguments): boolean {
  return choiceOption(args, 'on-drift', ['heal', 'fail'], 'heal') === 'fail';
}

/** Why nothing is done; undefined for a plan that undoes nothing of others, or accepts it. */
export function driftRefusal(plan: Plan): TsboxError | undefined {
  const { drift, driftResources } = summarise(plan);
  if (plan.refreshOnly === true) {
    return undefined;
  }
  if (drift === 0) {
    return conflictRefusal(plan);
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

/** What the file changes and another program has claimed is not in sync either, though nothing was changed outside yet. */
function conflictRefusal(plan: Plan): TsboxError | undefined {
  const [first] = plan.changes.flatMap((c) =>
    c.attributes.flatMap((a) =>
      a.claimed === undefined ? [] : [`${a.name} of ${c.address} is owned by ${a.manager ?? ''}`],
    ),
  );
  return first === undefined
    ? undefined
    : new TsboxError('TSB3012', `${first}: --on-drift fail takes nothing back`, {
        hint: 'leave it to its owner with ignore_changes: [{ manager: NAME }], or take it back with --on-drift heal',
      });
}
