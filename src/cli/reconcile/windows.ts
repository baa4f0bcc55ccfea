/** When a revision may be applied: times of a cron line, each open for a while. Where one denies, none allows. */
import { TsboxError } from '../../errors.ts';
import { parseDuration } from '../../resources/units.ts';

export interface Window {
  readonly kind: 'allow' | 'deny';
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  /** 0 is Sunday. */
  readonly weekdays: ReadonlySet<number>;
  /** crontab(5): with both restricted, which what begins with '*' is not, one of them is enough. */
  readonly eitherDay: boolean;
  readonly durationMs: number;
  readonly text: string;
}

const MINUTE = 60_000;
const LONGEST = 7 * 86_400_000;
const FORM = "'[allow|deny] MINUTE HOUR DAY MONTH WEEKDAY DURATION', such as 'allow 0 2 * * 1-5 4h'";

/** @throws TsboxError TSB2001 */
export function parseWindow(text: string): Window {
  const words = text.trim().split(/\s+/);
  const kind = words[0] === 'deny' ? 'deny' : 'allow';
  const fields = ['allow', 'deny'].includes(words[0] ?? '') ? words.slice(1) : words;
  const wrong = (why: string): TsboxError =>
    new TsboxError('TSB2001', `--window '${text}': ${why}`, { expected: FORM });
  if (fields.length !== 6) {
    throw wrong(`${fields.length} fields where 6 belong`);
  }
  const field = (i: number, least: number, most: number): Set<number> => {
    const set = parseField(fields[i] ?? '', least, most);
    if (set === undefined) {
      throw wrong(`'${fields[i]}' is not a list of numbers from ${least} to ${most}`);
    }
    return set;
  };
  let durationMs: number;
  try {
    durationMs = parseDuration(fields[5]);
  } catch (error) {
    throw wrong((error as Error).message);
  }
  if (durationMs < MINUTE || durationMs > LONGEST) {
    throw wrong(`it lasts from 1m to 7d, not ${fields[5]}`);
  }
  return {
    kind,
    minutes: field(0, 0, 59),
    hours: field(1, 0, 23),
    days: field(2, 1, 31),
    months: field(3, 1, 12),
    weekdays: new Set([...field(4, 0, 7)].map((d) => d % 7)),
    eitherDay: ![fields[2], fields[4]].some((f) => f?.startsWith('*')),
    durationMs,
    text: text.trim(),
  };
}

/** '*', '5', '1-5', '1,3', '0-30/10' and '*' with a step. */
function parseField(text: string, least: number, most: number): Set<number> | undefined {
  const found = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:\/(\d{1,2}))?$/.exec(part);
    const from = match?.[1] === undefined ? least : Number(match[1]);
    const single = match?.[1] !== undefined && match[2] === undefined && match[3] === undefined;
    const to = match?.[2] === undefined ? (single ? from : most) : Number(match[2]);
    const step = match?.[3] === undefined ? 1 : Number(match[3]);
    if (match === null || from < least || to > most || from > to || step === 0) {
      return undefined;
    }
    for (let n = from; n <= to; n += step) {
      found.add(n);
    }
  }
  return found;
}

/** Why nothing may be applied now, in local time; undefined when it may. */
export function closedBy(windows: readonly Window[], now: Date): string | undefined {
  const open = windows.filter((w) => isOpen(w, now));
  const deny = open.find((w) => w.kind === 'deny');
  if (deny !== undefined) {
    return `the window '${deny.text}' denies it`;
  }
  const allows = windows.filter((w) => w.kind === 'allow');
  return allows.length > 0 && !open.some((w) => w.kind === 'allow')
    ? `outside of ${allows.map((w) => `'${w.text}'`).join(', ')}`
    : undefined;
}

/** Whether it began within its duration before now. */
export function isOpen(window: Window, now: Date): boolean {
  const start = Math.floor(now.getTime() / MINUTE) * MINUTE;
  for (let at = start; now.getTime() - at < window.durationMs; at -= MINUTE) {
    if (begins(window, new Date(at))) {
      return true;
    }
  }
  return false;
}

function begins(w: Window, at: Date): boolean {
  if (!w.minutes.has(at.getMinutes()) || !w.hours.has(at.getHours()) || !w.months.has(at.getMonth() + 1)) {
    return false;
  }
  const [day, weekday] = [w.days.has(at.getDate()), w.weekdays.has(at.getDay())];
  return w.eitherDay ? day || weekday : day && weekday;
}
