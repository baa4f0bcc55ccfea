/**
 * A plan as a comment on a change: a sentence, then the plan in a fence that forges colour by the sign in column 0.
 * Longer than a comment may be, it says less of each resource, then names fewer of them, and says so.
 */
import { isEmpty, type Plan } from '../planner/plan.ts';
import { plainLine, type Line, type Tone } from './plan-diff/lines.ts';
import { detailLine, planLines, summaryLine, type RenderOptions } from './plan-text.ts';
import { COMMENT_LIMIT, NO_CHANGES } from './values.ts';

/** Lines of a plan that are in sight; more are folded. */
const IN_SIGHT = 40;

const SIGN: Readonly<Record<Tone, string>> = {
  add: '+',
  remove: '-',
  change: '!',
  replace: '!',
  risk: '!',
  dim: ' ',
  bold: ' ',
  plain: ' ',
};

export async function planMarkdown(plan: Plan, options: RenderOptions, limit = COMMENT_LIMIT): Promise<string> {
  const mask = options.mask ?? ((text: string): string => text);
  const full = rendered(plan, await planLines(plan, options), '', mask);
  if (full.length <= limit) {
    return full;
  }
  const heads = await planLines(plan, { ...options, compact: true });
  for (let count = heads.length; count > 0; count = Math.floor(count / 2)) {
    const left = heads.length - count;
    const note = left === 0 ? 'Only the resources are named' : `${left} resources are left out`;
    const text = rendered(plan, heads.slice(0, count), `${note}: the plan is too long for a comment.`, mask);
    if (text.length <= limit) {
      return text;
    }
  }
  return `${sentence(plan)}\n`;
}

function sentence(plan: Plan): string {
  return isEmpty(plan) ? `**${NO_CHANGES}**` : `**${summaryLine(plan)}** ${detailLine(plan)}`;
}

function rendered(plan: Plan, lines: readonly Line[], note: string, mask: (text: string) => string): string {
  // The words of a reason may be those of a stack: masked here, before they are measured.
  const body = lines.map((line) => `${SIGN[line.tone]} ${mask(plainLine(line)).trimEnd()}`.trimEnd());
  const notes = [
    ...(note === '' ? [] : [note]),
    ...(plan.complete ? [] : ['Resource targeting is in effect: the plan leaves out part of the stack.']),
    ...(plan.unreadable.length === 0 ? [] : [`${plan.unreadable.length} things could not be read, so not compared.`]),
  ];
  const block = body.length === 0 ? [] : fence(body);
  const folded =
    body.length > IN_SIGHT ? ['<details><summary>The plan</summary>', '', ...block, '', '</details>'] : block;
  return [sentence(plan), ...notes.map((n) => `\n_${n}_`), '', ...folded].join('\n').trimEnd() + '\n';
}

/** A fence that no line within can close. */
function fence(lines: readonly string[]): string[] {
  const runs = lines.flatMap((line) => line.match(/`+/g) ?? []);
  const ticks = '`'.repeat(Math.max(2, ...runs.map((run) => run.length)) + 1);
  return [`${ticks}diff`, ...lines, ticks];
}
