/**
 * The report as a comment on a change: a table in sight, the rest folded. Too long for the comment, it leaves detail
 * out by whole parts, and says so; nothing is cut in the middle.
 */
import { coverageText, sumOf } from './coverage.ts';
import { COMMENT_LIMIT, escapeControls } from '../values.ts';
import type { DriftItem, DriftReport } from './model.ts';
import {
  applyHeals,
  healText,
  byAddress,
  CLASS_WORDS,
  ignoredText,
  pastText,
  plural,
  resourceCount,
  severityCounts,
  sinceText,
  summarySentence,
  byText,
} from './words.ts';

const MARKS = { security: '🔴', capacity: '🟡', cosmetic: '⚪' } as const;
/** Longer values are shown in the details only. */
const CELL = 120;

/** How much is said: everything; without details of the least items; the tables alone; the worst rows; the sums. */
interface Detail {
  readonly details: 'all' | 'security' | 'none';
  readonly ignored: boolean;
  /** Rows of the table of all stacks together. */
  readonly rows: number;
}

const LEVELS: readonly Detail[] = [
  { details: 'all', ignored: true, rows: Infinity },
  { details: 'security', ignored: true, rows: Infinity },
  { details: 'none', ignored: true, rows: Infinity },
  { details: 'none', ignored: false, rows: Infinity },
  ...[400, 200, 100, 50, 20, 5, 0].map((rows): Detail => ({ details: 'none', ignored: false, rows })),
];

export function driftMarkdown(reports: readonly DriftReport[], limit = COMMENT_LIMIT): string {
  for (const level of LEVELS) {
    const text = render(reports, level);
    if (text.length <= limit) {
      return text;
    }
  }
  // So many stacks that their headings alone are too much: the sums of all of them.
  const items = reports.flatMap((r) => r.items);
  const sums = `## Drift: ${plural(items.length, 'item')} in ${plural(reports.length, 'stack')}\n\n${severityCounts(items)}.\n`;
  return sums.length <= limit ? sums : '';
}

function render(reports: readonly DriftReport[], level: Detail): string {
  let rows = level.rows;
  const parts = reports.map((report) => {
    const text = stackPart(report, { ...level, rows });
    rows = Math.max(0, rows - report.items.length);
    return text;
  });
  const items = reports.flatMap((r) => r.items);
  const all = sumOf(reports.map((r) => r.coverage));
  const head =
    reports.length > 1
      ? [
          `## Drift in ${plural(reports.filter((r) => r.items.length > 0).length, 'stack')} of ${reports.length}`,
          '',
          items.length === 0 ? 'Nothing differs.' : `${plural(items.length, 'item')}: ${severityCounts(items)}.`,
          '',
          ...(all === null ? [] : [coverageText(all), '']),
        ]
      : [];
  return `${[...head, ...parts].join('\n')}\n<sub>${tail(reports)}</sub>\n`;
}

function tail(reports: readonly DriftReport[]): string {
  const first = reports[0];
  return first === undefined ? 'tsbox drift' : `tsbox drift, ${escapeText(first.time)}`;
}

function stackPart(report: DriftReport, level: Detail): string {
  const { items, ignored } = report;
  const title =
    items.length === 0 ? 'no drift' : `${plural(items.length, 'item')} in ${plural(resourceCount(items), 'resource')}`;
  const lines = [
    `### ${items.length === 0 ? '✅' : worst(items)} \`${code(report.stack)}\`: ${title}`,
    '',
    escapeText(summarySentence(report)),
    '',
    ...(report.coverage === null ? [] : [coverageText(report.coverage), '']),
  ];
  const shown = items.slice(0, level.rows);
  if (shown.length > 0) {
    lines.push('| | resource | what | was | is | heal |', '|---|---|---|---|---|---|', ...shown.map(row), '');
  }
  if (shown.length < items.length) {
    lines.push(
      `${plural(items.length - shown.length, 'more item')} left out: the report is too long for a comment.`,
      '',
    );
  }
  const detailed =
    level.details === 'none' ? [] : items.filter((i) => level.details === 'all' || i.severity === 'security');
  for (const [address, own] of byAddress(detailed)) {
    lines.push(
      `<details><summary>${worst(own)} <code>${escapeText(address)}</code>: ${escapeText(severityCounts(own))}</summary>`,
      '',
      ...own.flatMap(detail),
      '</details>',
      '',
    );
  }
  if (level.details !== 'all' && items.length > 0) {
    lines.push('_Details are left out: the report is too long for a comment._', '');
  }
  if (ignored.length > 0 && level.ignored) {
    lines.push(
      `<details><summary>${plural(ignored.length, 'ignored item')}</summary>`,
      '',
      ...ignored.map((i) => `- \`${code(i.address)}\` ${escapeText(i.text)}: ${escapeText(ignoredText(i))}`),
      '',
      '</details>',
      '',
    );
  }
  const notes =
    level.rows === 0 ? [] : [...report.warnings, ...report.unreadable.map((u) => `could not be read: ${u}`)];
  if (notes.length > 0) {
    lines.push(...notes.slice(0, 20).map((w) => `> ⚠️ ${escapeText(w)}`), '');
  }
  if (applyHeals(report)) {
    lines.push(report.heal === null ? 'Healing takes the stack file.' : `Heal with:\n\n${fence(report.heal)}`, '');
  }
  return lines.join('\n');
}

function worst(items: readonly DriftItem[]): string {
  return items.some((i) => i.severity === 'security')
    ? MARKS.security
    : items.some((i) => i.severity === 'capacity')
      ? MARKS.capacity
      : MARKS.cosmetic;
}

function row(item: DriftItem): string {
  const what = item.class === 'changed' || item.class === 'unmanaged' ? item.attribute : CLASS_WORDS[item.class];
  const cells = [
    `${MARKS[item.severity]} ${item.severity}`,
    `\`${code(item.address)}\``,
    item.class === 'unmanaged' ? `${CLASS_WORDS.unmanaged}: ${escapeText(what)}` : escapeText(what),
    cell(item.was),
    cell(item.is),
    escapeText(item.heal.text),
  ];
  return `| ${cells.join(' | ')} |`;
}

function detail(item: DriftItem): string[] {
  const past = pastText(item);
  return [
    fence(item.text),
    '',
    `- ${MARKS[item.severity]} **${item.severity}**: ${escapeText(item.why)}`,
    `- since: ${escapeText(sinceText(item.since))}`,
    `- by: ${escapeText(byText(item))}`,
    ...(past === '' ? [] : [`- ${escapeText(past)}`]),
    `- heal: ${escapeText(healText(item))}`,
    ...(item.at === null ? [] : [`- declared at \`${code(`${item.at.file}:${item.at.line}`)}\``]),
    '',
  ];
}

function cell(text: string | null): string {
  return text === null || text === '' ? '' : text.length > CELL ? '_long, see below_' : `\`${code(text)}\``;
}

/** Text of a code span in a table. */
function code(text: string): string {
  return escapeControls(text).replaceAll('`', 'ʼ').replaceAll('|', '\\|');
}

/** A fenced block that its own text cannot close. */
function fence(text: string): string {
  const ticks = Math.max(2, ...[...text.matchAll(/`+/g)].map((m) => m[0].length)) + 1;
  const mark = '`'.repeat(ticks);
  return `${mark}\n${escapeControls(text)}\n${mark}`;
}

/** Text outside of code: nothing in it is markup, a mention or a link. */
function escapeText(text: string): string {
  return escapeControls(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/[\\`*_{}[\]#|~!]/g, '\\$&')
    .replaceAll('@', '&#64;')
    .replace(/:\/\//g, ':&#8203;//');
}
