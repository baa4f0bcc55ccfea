/** What every format of the report says in the same words. */
import type { DriftClass, DriftItem, DriftReport, Since, Whom } from './model.ts';
import { bySeverity } from './model.ts';
import { SEVERITIES } from '../../resources/drift-settings.ts';

export const CLASS_WORDS: Readonly<Record<DriftClass, string>> = {
  changed: 'value changed',
  missing: 'missing',
  stopped: 'stopped',
  supervision: 'supervision lost',
  unmanaged: 'not ours',
  foreign: 'of another owner',
};

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** '2026-11-26 12:03:11Z': to the second, as people compare it with logs. */
export function timeText(iso: string): string {
  return iso.replace('T', ' ').replace(/\.\d+Z$/, 'Z');
}

export function sinceText(since: Since | null): string {
  if (since === null) {
    return 'unknown';
  }
  const { from, to, exact, source } = since;
  if (exact && from !== null) {
    return `${timeText(from)} (${source})`;
  }
  if (from !== null && to !== null) {
    return from === to
      ? `about ${timeText(from)} (${source})`
      : `between ${timeText(from)} and ${timeText(to)} (${source})`;
  }
  return from !== null
    ? `after ${timeText(from)} (${source})`
    : to !== null
      ? `before ${timeText(to)} (${source})`
      : 'unknown';
}

/** What heals it, with the command where no apply does. */
export function healText({ heal }: Pick<DriftItem, 'heal'>): string {
  return heal.action === 'by-hand' && heal.command !== null ? `${heal.text}: ${heal.command}` : heal.text;
}

/** Whether an apply ends any of it: what tsbox did not make, or another stack did, it leaves alone. */
export function applyHeals({ items }: Pick<DriftReport, 'items'>): boolean {
  return items.some((i) => i.class !== 'foreign' && (i.heal.action !== 'by-hand' || i.heal.command === null));
}

/** Who wrote it, and who has claimed it. */
export function byText({ whom, manager }: Pick<DriftItem, 'whom' | 'manager'>): string {
  return manager === null ? whomText(whom) : `${whomText(whom)}; owned by ${manager}`;
}

export function whomText(whom: Whom | null): string {
  if (whom === null) {
    return 'not known';
  }
  const name = whom.comm === null ? '' : ` (${whom.comm})`;
  const exe = whom.exe === null ? '' : `, ${whom.exe}`;
  const cgroup = whom.cgroup === null ? '' : `, in ${whom.cgroup}`;
  return `process ${whom.pid}${name}${exe}${cgroup}${whom.gone ? ', which had ended already' : ''}, ${timeText(whom.time)}`;
}

function ordinal(n: number): string {
  const words = ['', 'first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth', 'ninth', 'tenth'];
  const ending =
    n % 10 === 1 && n % 100 !== 11
      ? 'st'
      : n % 10 === 2 && n % 100 !== 12
        ? 'nd'
        : n % 10 === 3 && n % 100 !== 13
          ? 'rd'
          : 'th';
  return words[n] ?? `${n}${ending}`;
}

/** 'third time this week; first seen …'; '' where no run was recorded that had it. */
export function pastText({ past }: DriftItem): string {
  if (past === null) {
    return '';
  }
  const often =
    past.timesThisWeek > 1
      ? `${ordinal(past.timesThisWeek)} time this week`
      : past.times > 1
        ? `${ordinal(past.times)} time`
        : '';
  const seen = `first seen ${timeText(past.firstSeen)}, last ${timeText(past.lastSeen)}, in ${plural(past.runs, 'recorded run')}`;
  return often === '' ? seen : `${often}; ${seen}`;
}

/** '1 security, 2 capacity'. */
export function severityCounts(items: readonly DriftItem[]): string {
  const counts = bySeverity(items);
  return SEVERITIES.filter((s) => counts[s] > 0)
    .map((s) => `${counts[s]} ${s}`)
    .join(', ');
}

export function resourceCount(items: readonly DriftItem[]): number {
  return new Set(items.map((i) => i.address)).size;
}

/** 'Drift: 3 items in 2 resources (1 security, 2 capacity). Ignored: 1.' */
export function summarySentence(report: Pick<DriftReport, 'items' | 'ignored'>): string {
  const { items, ignored } = report;
  const more = ignored.length === 0 ? '' : ` Ignored: ${ignored.length}.`;
  return items.length === 0
    ? `No drift.${more}`
    : `Drift: ${plural(items.length, 'item')} in ${plural(resourceCount(items), 'resource')} (${severityCounts(items)}).${more}`;
}

/** Items by address, in their order. */
export function byAddress<T extends DriftItem>(items: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(item.address);
    if (group === undefined) {
      groups.set(item.address, [item]);
    } else {
      group.push(item);
    }
  }
  return groups;
}

export function ignoredText(item: { readonly ignored: { reason: string; until: string | null } }): string {
  return `${item.ignored.reason}${item.ignored.until === null ? '' : ` (until ${item.ignored.until})`}`;
}

/** XML 1.0 allows no other characters below a blank; attributes are in double quotes. */
export function escapeMarkup(text: string): string {
  return text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
