/** What a plan leaves out because it is protected or a condition refuses it: one error each, and the exit code. */
import { TsboxError } from '../errors.ts';
import { heldBack, refusals, refusalText, type Plan } from '../planner/plan.ts';
import { EXIT } from './exit.ts';
import { tellError } from './stream.ts';

/** Tells the causes, not what follows from them; returns the exit code, ok when nothing is refused. */
export async function printRefused(plan: Plan): Promise<number> {
  for (const refusal of refusals(plan)) {
    const { at, sourceLine, address } = refusal;
    await tellError(new TsboxError('TSB3012', refusalText(refusal), { at, sourceLine, address }));
  }
  for (const { address, at, blocked: why } of heldBack(plan)) {
    const { hint, sourceLine } = why;
    await tellError(new TsboxError('TSB3012', why.message, { at: why.at ?? at, sourceLine, address, hint }));
  }
  const isHeld = plan.changes.some((c) => c.blocked !== undefined);
  return isHeld || refusals(plan).length > 0 ? EXIT.refused : EXIT.ok;
}
