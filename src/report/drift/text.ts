/** The report for a terminal. */
import type { Palette } from '../palette.ts';
import { escapeControls } from '../values.ts';
import { coverageText, sumOf } from './coverage.ts';
import type { DriftItem, DriftReport } from './model.ts';
import {
  applyHeals,
  byAddress,
  healText,
  ignoredText,
  pastText,
  sinceText,
  summarySentence,
  whomText,
} from './words.ts';

export function driftText(reports: readonly DriftReport[], palette: Palette): string {
  const all = reports.length > 1 ? sumOf(reports.map((r) => r.coverage)) : null;
  const texts = reports.map((r) => stackText(r, palette, reports.length > 1));
  return [...texts, ...(all === null ? [] : [`All stacks. ${coverageText(all)}\n`])].join('\n');
}

function stackText(report: DriftReport, palette: Palette, named: boolean): string {
  const lines: string[] = named ? [palette.bold(`Stack ${report.stack}`)] : [];
  for (const [address, items] of byAddress(report.items)) {
    const heal = items[0]?.heal;
    lines.push(palette.bold(address) + palette.dim(`   # heal: ${heal?.text ?? ''}`));
    for (const item of items) {
      lines.push(...itemLines(item, palette));
    }
  }
  for (const item of report.ignored) {
    lines.push(
      palette.dim(`ignored: ${item.address}  ${escapeControls(item.text)}   # ${escapeControls(ignoredText(item))}`),
    );
  }
  if (report.items.length === 0) {
    const as = report.against === 'file' ? 'is as it was applied' : 'is as its labels say it was applied';
    const ignored = report.ignored.length === 0 ? '' : ` Ignored: ${report.ignored.length}.`;
    lines.push(`No drift. Stack ${report.stack} ${as}.${ignored}`);
  } else {
    lines.push(summarySentence(report));
    if (applyHeals(report)) {
      lines.push(
        report.heal === null ? 'Healing takes the stack file: tsbox apply -f FILE' : `Heal with: ${report.heal}`,
      );
    }
  }
  if (report.coverage !== null) {
    lines.push(coverageText(report.coverage));
  }
  return `${lines.join('\n')}\n`;
}

function itemLines(item: DriftItem, palette: Palette): string[] {
  const paint =
    item.severity === 'security' ? palette.remove : item.severity === 'capacity' ? palette.change : palette.dim;
  const past = pastText(item);
  const details = [
    `${item.severity}: ${item.why}`,
    `since ${sinceText(item.since)}`,
    ...(item.whom === null ? [] : [`by ${whomText(item.whom)}`]),
    ...(item.manager === null ? [] : [`owned by ${item.manager}`]),
    ...(past === '' ? [] : [past]),
    ...(healText(item) === item.heal.text ? [] : [`heal: ${item.heal.command}`]),
  ];
  return [
    paint(`  ${item.class.padEnd(11)}  ${escapeControls(item.text)}`),
    ...details.map((d) => palette.dim(`${' '.repeat(15)}${escapeControls(d)}`)),
  ];
}
