/** What --heal asks for, as drift and watch take it. */
import { TsboxError } from '../../errors.ts';
import type { HealChoice } from '../../planner/heal.ts';
import type { DriftItem } from '../../report/drift/model.ts';
import { SEVERITIES, type Severity } from '../../resources/drift-settings.ts';
import type { Arguments } from '../args.ts';

/** Severities to heal; undefined when nothing is asked for. */
export function severitiesToHeal(args: Arguments): readonly Severity[] | undefined {
  const list = args.values['heal-only'];
  if (args.flags.heal !== true && list === undefined) {
    return undefined;
  }
  const words: readonly string[] = list?.split(',').map((w) => w.trim()) ?? SEVERITIES;
  const unknown = words.find((w) => !(SEVERITIES as readonly string[]).includes(w));
  if (unknown !== undefined) {
    throw new TsboxError('TSB2001', `--heal takes ${SEVERITIES.join(', ')}, not '${unknown}'`);
  }
  return words as readonly Severity[];
}

/** Just these. */
export function choiceOf(items: readonly DriftItem[]): HealChoice {
  return (drift) =>
    items.some(
      (i) =>
        i.address === drift.address &&
        i.attribute === drift.attribute &&
        (i.class === 'missing') === (drift.class === 'missing') &&
        (i.class === 'unmanaged') === (drift.class === 'unmanaged'),
    );
}
