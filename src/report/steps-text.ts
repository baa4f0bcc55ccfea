/** What an apply does to the kernel, step by step, under the numbers that its progress, failures and journal name. */
import type { Plan } from '../planner/plan.ts';
import { lastOf, turnsOf } from '../resources/step-order.ts';
import { describeStep } from '../resources/step-text.ts';
import { escapeControls } from './values.ts';

/** One line a step; a resource whose steps need others first says after which. Nothing for a plan without steps. */
export function stepLines(plan: Plan): string[] {
  const turns = turnsOf(plan.changes);
  const last = new Map(turns.map((t) => [t.key, lastOf(t)]));
  const rows = turns.flatMap(({ change, steps, first, waitsFor }) => {
    const after = waitsFor.map((key) => last.get(key) ?? 0).sort((a, b) => a - b);
    return steps.map((step, i) => ({
      number: String(first + i),
      address: i === 0 ? change.address : '',
      text: escapeControls(describeStep(step)),
      note: i === 0 && after.length > 0 ? `   # after ${after.join(', ')}` : '',
    }));
  });
  const [digits, width] = [rows.length.toString().length, Math.max(0, ...rows.map((r) => r.address.length))];
  return rows.length === 0
    ? []
    : [
        'Steps, in the order of apply; those of different resources run side by side unless one is after the other:',
        ...rows.map((r) => `  ${r.number.padStart(digits)}  ${r.address.padEnd(width)}  ${r.text}${r.note}`),
      ];
}
