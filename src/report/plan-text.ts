/** The plan as text: symbols, reasons, and the closing sentence that bots read. */
import { isEmpty, summarise, type Plan, type PlannedChange } from '../planner/plan.ts';
import { containerOf, parseReplica } from '../resources/container/replica-names.ts';
import { folded, foldOf, foldText, indexRanges, type Fold } from './alike.ts';
import type { Palette } from './palette.ts';
import type { AttributeDetail } from './plan-diff/attribute-text.ts';
import { changeLines, headLine, legendOf } from './plan-diff/change-text.ts';
import { lineOf, paintedLine, type Line } from './plan-diff/lines.ts';
import { escapeControls, NO_CHANGES } from './values.ts';

export interface RenderOptions {
  /** One line for each resource. */
  readonly compact?: boolean;
  /** Lines around what differs in long texts and lists. */
  readonly context?: number;
  /** Each step of the kernel by its number, below all. */
  readonly steps?: boolean;
  /** Takes secrets out of a text, before it is laid out. */
  readonly mask?: (text: string) => string;
}

/** Renders a whole plan. */
export async function renderPlan(plan: Plan, palette: Palette, options: RenderOptions = {}): Promise<string> {
  const shown = plan.changes.filter(isShown);
  const legend = options.compact === true || shown.length === 0 ? [] : [lineOf('dim', legendOf(shown))];
  const lines = [...(await planLines(plan, options)), ...legend, ...closingLines(plan)];
  const steps = options.steps === true ? (await import('./steps-text.ts')).stepLines(plan) : [];
  return `${[...lines.map((line) => paintedLine(line, palette)), ...steps].join('\n')}\n`;
}

function isShown({ action, ignored, movedFrom }: PlannedChange): boolean {
  return action !== 'no-op' || ignored !== undefined || movedFrom !== undefined;
}

/** The changes alone. */
export async function planLines(plan: Plan, options: RenderOptions): Promise<Line[]> {
  const shown = plan.changes.filter(isShown);
  if (options.compact === true) {
    return shown.map((c) => headLine(c, c.address));
  }
  if (shown.length === 0) {
    return [];
  }
  const { sequences } = await import('./plan-diff/sequences.ts');
  return linesOf(shown, { context: options.context ?? 3, mask: options.mask ?? ((text) => text), sequences });
}

/** What stands below the changes. */
export function closingLines(plan: Plan): Line[] {
  const lines = plan.unreadable.length === 0 ? [] : notRead(plan).map((text) => lineOf('plain', text));
  if (!plan.complete) {
    lines.push(lineOf('dim', 'Resource targeting is in effect: the plan leaves out part of the stack.'));
  }
  if (isEmpty(plan)) {
    return [...lines, lineOf('plain', NO_CHANGES)];
  }
  if (plan.refreshOnly === true) {
    lines.push(lineOf('plain', 'Only records change: live values are accepted, and the kernel stays as it is.'));
  }
  return [...lines, lineOf('bold', summaryLine(plan)), lineOf('plain', detailLine(plan))];
}

/** Terraform's own sentence. */
export function summaryLine(plan: Plan): string {
  const s = summarise(plan);
  const imports = s.import === undefined ? '' : `${s.import} to import, `;
  return `Plan: ${imports}${s.add} to add, ${s.change} to change, ${s.destroy} to destroy${s.forget === 0 ? '' : `, ${s.forget} to forget`}.`;
}

/** What that sentence does not tell. */
export function detailLine(plan: Plan): string {
  const s = summarise(plan);
  const drift =
    s.drift === 0
      ? 'none'
      : `${s.drift} ${s.drift === 1 ? 'item' : 'items'} in ${s.driftResources} ${s.driftResources === 1 ? 'resource' : 'resources'}`;
  const hurts = s.disruptive === 0 ? '' : ` (! ${s.disruptive} disruptive)`;
  const blocked = plan.changes.filter((c) => c.blocked !== undefined).length;
  const refused = blocked === 0 ? '' : ` Blocked: ${blocked}.`;
  return `In place: ${s.inPlace}${hurts}. Restarted: ${s.restarted}. Replaced: ${s.replaced}. Drift: ${drift}.${refused}`;
}

function notRead(plan: Plan): string[] {
  const shown = plan.unreadable.slice(0, 20).map((u) => `  ? ${escapeControls(u)}`);
  const rest = plan.unreadable.length - shown.length;
  return [
    'Could not be read with these privileges, so not compared:',
    ...shown,
    ...(rest > 0 ? [`  ? and ${rest} more`] : []),
  ];
}

/** Changes of replicas that are alike, one after the other, as one. */
function linesOf(changes: readonly PlannedChange[], detail: AttributeDetail): Line[] {
  const lines: Line[] = [];
  for (let at = 0; at < changes.length;) {
    const change = changes[at] as PlannedChange;
    const fold = foldFrom(changes, at, detail);
    if (fold === undefined || fold.indexes.length === 1) {
      lines.push(...changeLines(change, detail));
      at++;
      continue;
    }
    const label = `${containerOf(change.address)}[${indexRanges(fold.indexes)}]`;
    const texts = foldText(fold).split('\n');
    const [head, ...rest] = changeLines({ ...change, facts: {} }, detail, label);
    lines.push(
      head as Line,
      ...rest.map(({ tone }, i) => {
        const [text = '', note] = (texts[i + 1] ?? '').split(NOTE);
        return lineOf(tone, text, note);
      }),
    );
    at += fold.indexes.length;
  }
  return lines;
}

/** Between text and note where both are compared: control characters are in neither. */
const NOTE = '\t';

/** What the changes from `at` on say together, as far as they are alike; undefined for what is no replica. */
function foldFrom(changes: readonly PlannedChange[], at: number, detail: AttributeDetail): Fold | undefined {
  let fold: Fold | undefined;
  const container = containerOf(changes[at]?.address ?? '');
  for (const change of changes.slice(at)) {
    const replica = parseReplica(change.address);
    if (replica?.container !== container) {
      break;
    }
    const lines = changeLines({ ...change, facts: {} }, detail, container);
    const text = lines.map((l) => `${l.text}${NOTE}${l.note}`).join('\n');
    const next = fold === undefined ? foldOf(replica.index, text) : folded(fold, replica.index, text);
    if (next === undefined) {
      break;
    }
    fold = next;
  }
  return fold;
}
