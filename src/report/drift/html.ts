/**
 * The report as one file for a browser: a tree and a table, filter, plot of the recorded runs, light, dark and print.
 * It asks the network for nothing, and everything that is not ours is escaped.
 */
import { coverageText, percentText, sumOf } from './coverage.ts';
import { SEVERITIES, type Severity } from '../../resources/drift-settings.ts';
import { escapeControls } from '../values.ts';
import { SCRIPT } from './html-script.ts';
import { STYLE } from './html-style.ts';
import { bySeverity, type DriftItem, type DriftReport } from './model.ts';
import { timelineSvg } from './timeline.ts';
import {
  applyHeals,
  healText,
  byAddress,
  CLASS_WORDS,
  escapeMarkup,
  ignoredText,
  pastText,
  plural,
  resourceCount,
  sinceText,
  timeText,
  byText,
} from './words.ts';

const e = (text: string): string => escapeMarkup(escapeControls(text));

export function driftHtml(reports: readonly DriftReport[], version: string): string {
  const items = reports.flatMap((r) => r.items);
  const title = reports.length === 1 ? `Drift of ${reports[0]?.stack ?? ''}` : `Drift of ${reports.length} stacks`;
  const time = reports[0]?.time ?? '';
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>${e(title)}</title>
<style>${STYLE}</style>
</head>
<body data-view="tree">
<main>
<header>
<div><h1>${e(title)}</h1><p class="soft">${e(timeText(time))} · tsbox ${e(version)}</p></div>
<button class="theme" id="theme" type="button" title="Light or dark">◐ Theme</button>
</header>
${tiles(reports, items)}
${items.length === 0 ? '' : toolbar(items)}
${reports.map((r) => section(r, reports.length > 1)).join('\n')}
<p class="empty" id="nothing" hidden>Nothing fits the filter.</p>
<footer>Read from the kernel and from the records on its objects by <code>tsbox drift</code>.</footer>
</main>
${items.length === 0 ? '' : `<script>${SCRIPT}</script>`}
</body>
</html>
`;
}

function tiles(reports: readonly DriftReport[], items: readonly DriftItem[]): string {
  const counts = bySeverity(items);
  const checked = reports.reduce((n, r) => n + r.resources.length, 0);
  const ignored = reports.reduce((n, r) => n + r.ignored.length, 0);
  const coverage = sumOf(reports.map((r) => r.coverage));
  const tile = (count: number | string, label: string, cls = ''): string =>
    `<div class="tile ${cls}"><b>${count}</b>${label}</div>`;
  const fine = items.length === 0;
  return `<div class="tiles">
${SEVERITIES.map((s) => tile(counts[s], s, `${s} ${counts[s] > 0 ? 'some' : ''}`)).join('\n')}
${tile(checked, `${checked === 1 ? 'resource' : 'resources'} checked`, fine ? 'fine' : '')}
${tile(ignored, 'ignored')}${coverage === null ? '' : `\n${tile(percentText(coverage), 'covered')}`}
</div>
${fine ? '<p class="note fine-note">No drift: everything is as it was applied.</p>' : ''}`;
}

function toolbar(items: readonly DriftItem[]): string {
  const counts = bySeverity(items);
  const chip = (s: Severity): string =>
    `<label class="chip ${s}"><input type="checkbox" value="${s}" checked><span class="dot"></span>${s}</label>`;
  return `<div class="bar">
<input type="search" id="filter" placeholder="Filter: address, attribute, value … ( / )" aria-label="Filter">
${SEVERITIES.filter((s) => counts[s] > 0)
  .map(chip)
  .join('\n')}
<span class="group"><button type="button" data-show="tree" aria-pressed="true">Tree</button><button type="button" data-show="table" aria-pressed="false">Table</button></span>
<span class="group"><button type="button" id="expand">Expand all</button><button type="button" id="collapse">Collapse all</button></span>
</div>`;
}

function section(report: DriftReport, named: boolean): string {
  const { items } = report;
  const title = named ? `Stack ${report.stack}` : 'What differs';
  const about = [
    items.length === 0 ? 'no drift' : `${plural(items.length, 'item')} in ${plural(resourceCount(items), 'resource')}`,
    report.against === 'file' ? report.files.join(', ') : 'compared with the records on its objects',
    ...(report.coverage === null ? [] : [coverageText(report.coverage).replace(/\.$/, '')]),
    ...(report.lastApply === null ? [] : [`last apply ${timeText(report.lastApply)}`]),
  ].join(' · ');
  const notes = [...report.warnings, ...report.unreadable.map((u) => `could not be read: ${u}`)];
  return `<section>
<h2>${e(title)} <small>${e(about)}</small></h2>
${notes.map((n) => `<p class="note">${e(n)}</p>`).join('\n')}
${heal(report)}
${plot(report)}
<div class="tree-view">${tree(report)}</div>
${items.length === 0 ? '' : table(items)}
${ignored(report)}
</section>`;
}

/** Resources in the order of severity; a cgroup below another one that differs too stands below it. */
function tree(report: DriftReport): string {
  const groups = byAddress(report.items);
  const done = new Set<string>();
  const render = (address: string, depth: number): string => {
    done.add(address);
    const own = groups.get(address) ?? [];
    const below = [...groups.keys()].filter((a) => a.startsWith(`${address}/`) && !done.has(a));
    const inner = below.map((a) => (done.has(a) ? '' : render(a, depth + 1))).join('');
    const branch = inner === '' ? '' : `<div class="branch">${inner}</div>`;
    return resource(address, own) + branch;
  };
  // A parent comes before what is below it, whatever is worse.
  const tops = [...groups.keys()].filter((a) => ![...groups.keys()].some((other) => a.startsWith(`${other}/`)));
  const rest = report.resources.filter((a) => !groups.has(a));
  const list =
    rest.length === 0
      ? ''
      : `<details class="rest"><summary>${plural(rest.length, 'resource')} without drift</summary><ul>${rest.map((a) => `<li><code>${e(a)}</code></li>`).join('')}</ul></details>`;
  return tops.map((a) => render(a, 0)).join('') + list;
}

function worst(items: readonly DriftItem[]): Severity {
  return SEVERITIES.find((s) => items.some((i) => i.severity === s)) ?? 'cosmetic';
}

function resource(address: string, items: readonly DriftItem[]): string {
  const counts = bySeverity(items);
  const badges = SEVERITIES.filter((s) => counts[s] > 0).map(
    (s) => `<span class="count ${s}">${counts[s]} ${s}</span>`,
  );
  return `<details class="resource ${worst(items)}" open>
<summary><span class="dot"></span><code class="name">${e(address)}</code><span>${badges.join('')}</span><span class="heal">heal: ${e(items[0]?.heal.text ?? '')}</span></summary>
${items.map(item).join('\n')}
</details>`;
}

function searchable(i: DriftItem): string {
  const words = [i.stack, i.address, i.class, CLASS_WORDS[i.class], i.attribute, i.text, i.why, byText(i)];
  return `data-severity="${i.severity}" data-text="${e(words.join(' '))}"`;
}

function heading(i: DriftItem): string {
  return i.class === 'changed'
    ? i.attribute
    : i.class === 'unmanaged'
      ? `${CLASS_WORDS.unmanaged}: ${i.attribute}`
      : CLASS_WORDS[i.class];
}

const UNKNOWN = /^(unknown|not known)$/;

function item(i: DriftItem): string {
  const past = pastText(i);
  const facts: Array<[string, string]> = [
    ['since', sinceText(i.since)],
    ['by', byText(i)],
    ...(past === '' ? [] : [['history', past] as [string, string]]),
    ...(i.at === null ? [] : [['declared', `${i.at.file}:${i.at.line}`] as [string, string]]),
  ];
  const box = (cls: string, label: string, text: string): string =>
    `<div><span class="label">${label}</span><pre class="value ${cls}">${e(text)}</pre></div>`;
  const values =
    i.was === null
      ? `<div class="change one">${box('is', 'found', i.is ?? '')}</div>`
      : `<div class="change">${box('was', 'applied', i.was)}<span class="arrow soft" aria-hidden="true">→</span>${box('is', 'live', i.is ?? '')}</div>`;
  return `<div class="item ${i.severity}" ${searchable(i)}>
<h3><span class="badge">${i.severity}</span><code>${e(heading(i))}</code><span class="why">${e(i.why)}</span></h3>
${values}
<dl>${facts.map(([k, v]) => `<dt>${k}</dt><dd${UNKNOWN.test(v) ? ' class="soft"' : ''}>${e(v)}</dd>`).join('')}</dl>
</div>`;
}

function table(items: readonly DriftItem[]): string {
  const rows = items.map(
    (i) => `<tr class="${i.severity}" ${searchable(i)}>
<td><span class="badge">${i.severity}</span></td><td><code>${e(i.address)}</code></td><td>${e(heading(i))}</td>
<td><code>${e(i.was ?? '')}</code></td><td><code>${e(i.is ?? '')}</code></td><td>${e(sinceText(i.since))}</td><td>${e(byText(i))}</td><td>${e(healText(i))}</td></tr>`,
  );
  return `<div class="table-view"><div class="scroll"><table>
<thead><tr>${['severity', 'resource', 'what', 'was', 'is', 'since', 'by', 'heal'].map((h) => `<th scope="col">${h}</th>`).join('')}</tr></thead>
<tbody>${rows.join('\n')}</tbody>
</table></div></div>`;
}

function heal(report: DriftReport): string {
  if (!applyHeals(report)) {
    return '';
  }
  return report.heal === null
    ? '<p class="soft">Healing takes the stack file: <code>tsbox apply -f FILE</code></p>'
    : `<div class="command"><span class="soft">Heal with</span><code>${e(report.heal)}</code><button type="button" class="copy" data-copy="${escapeMarkup(report.heal)}">Copy</button></div>`;
}

function ignored(report: DriftReport): string {
  if (report.ignored.length === 0) {
    return '';
  }
  const lines = report.ignored.map(
    (i) =>
      `<tr><td><code>${e(i.address)}</code></td><td><code>${e(i.text)}</code></td><td>${e(ignoredText(i))}</td></tr>`,
  );
  return `<details class="rest"><summary>${plural(report.ignored.length, 'ignored item')}</summary><div class="scroll"><table><tbody>${lines.join('')}</tbody></table></div></details>`;
}

function plot(report: DriftReport): string {
  if (report.timeline.length === 0) {
    return '';
  }
  const legend = SEVERITIES.map((s) => `<span class="${s}"><span class="dot"></span>${s}</span>`);
  const runs = `items over ${plural(report.timeline.length, 'recorded run')} and this one`;
  return `<div class="plot"><div class="legend">${legend.join('')}<span class="runs">${runs}</span></div>${timelineSvg(report.timeline, { time: report.time, ...bySeverity(report.items) })}</div>`;
}
