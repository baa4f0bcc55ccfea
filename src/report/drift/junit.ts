/** JUnit XML as CI systems read it: a suite per stack, a case per resource, a failure where it drifted. */
import { escapeControls } from '../values.ts';
import type { DriftItem, DriftReport } from './model.ts';
import { byAddress, escapeMarkup, ignoredText, pastText, sinceText, byText } from './words.ts';

export function driftJunit(reports: readonly DriftReport[]): string {
  const suites = reports.map(suite);
  const total = (key: 'tests' | 'failures'): number => suites.reduce((n, s) => n + s[key], 0);
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="tsbox drift" tests="${total('tests')}" failures="${total('failures')}" errors="0">
${suites.map((s) => s.xml).join('')}</testsuites>
`;
}

function suite(report: DriftReport): { tests: number; failures: number; xml: string } {
  const drifted = byAddress(report.items);
  const ignored = byAddress(report.ignored);
  const addresses = [...new Set([...report.resources, ...drifted.keys(), ...ignored.keys()])];
  const skipped = addresses.filter((a) => ignored.has(a) && !drifted.has(a));
  const cases = addresses.map((address) => {
    const items = drifted.get(address);
    const rules = ignored.get(address);
    const name = `classname="${escapeMarkup(report.stack)}" name="${escapeMarkup(address)}"`;
    if (items !== undefined) {
      const at = items.find((i) => i.at !== null)?.at;
      // The published schemas of JUnit's XML know no place of a case: it stands in the text.
      const place = at === undefined || at === null ? [] : [`declared at ${at.file}:${at.line}`];
      return `    <testcase ${name}>\n${failure(items, place)}    </testcase>\n`;
    }
    if (rules !== undefined) {
      const why = rules.map((i) => `${i.text}: ${ignoredText(i)}`).join('; ');
      return `    <testcase ${name}>\n      <skipped message="${escapeMarkup(escapeControls(why))}"/>\n    </testcase>\n`;
    }
    return `    <testcase ${name}/>\n`;
  });
  const time = report.time.replace(/\.\d+Z$/, '');
  return {
    tests: addresses.length,
    failures: drifted.size,
    xml: `  <testsuite name="${escapeMarkup(report.stack)}" tests="${addresses.length}" failures="${drifted.size}" errors="0" skipped="${skipped.length}" timestamp="${time}">
${cases.join('')}  </testsuite>
`,
  };
}

function failure(items: readonly DriftItem[], place: readonly string[]): string {
  const worst = items[0]?.severity ?? 'capacity';
  const message = items.map((i) => escapeControls(i.text)).join('; ');
  const drifted = items.flatMap((i) => [
    `${i.class}: ${i.text}`,
    `  ${i.severity}: ${i.why}`,
    `  since ${sinceText(i.since)}`,
    `  by ${byText(i)}`,
    ...(pastText(i) === '' ? [] : [`  ${pastText(i)}`]),
    `  heal: ${i.heal.text}${i.heal.command === null ? '' : `: ${i.heal.command}`}`,
  ]);
  const body = [...place, ...drifted].map((l) => escapeMarkup(escapeControls(l))).join('\n');
  return `      <failure type="${worst}" message="${escapeMarkup(message)}">${body}</failure>\n`;
}
