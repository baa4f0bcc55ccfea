/** The screen of tsbox top: which rows in which order, and the lines of the terminal. No input or output of its own. */
import { COLUMNS, nameText, type StatsRow } from './stats-text.ts';

export const SORTS = ['tree', 'cpu', 'memory', 'io', 'pids', 'oom', 'name'] as const;
export type Sort = (typeof SORTS)[number];

export interface TopState {
  readonly sort: Sort;
  readonly filter: string;
  /** The filter is being typed. */
  readonly editing: boolean;
  readonly paused: boolean;
  readonly help: boolean;
  /** First row shown. */
  readonly scroll: number;
  readonly quit: boolean;
}

export const START: TopState = {
  sort: 'tree',
  filter: '',
  editing: false,
  paused: false,
  help: false,
  scroll: 0,
  quit: false,
};

const SORT_KEYS: Readonly<Record<string, Sort>> = {
  t: 'tree',
  c: 'cpu',
  m: 'memory',
  i: 'io',
  p: 'pids',
  o: 'oom',
  n: 'name',
};

const HELP = [
  't  tree    c  by processor    m  by memory    i  by disk traffic',
  'p  by processes    o  by out-of-memory kills    n  by name',
  '/  filter by name (Enter keeps it, Esc drops it)',
  'up down page-up page-down j k  scroll',
  'space  pause    ?  this help    q  quit',
] as const;

/** What a terminal sends for one press of a key each. */
export function keysOf(data: string): string[] {
  return data.match(/\x1b\[[0-9;]*[A-Za-z~]|\x1bO[A-Z]|[\s\S]/gu) ?? [];
}

const SCROLLS: Readonly<Record<string, (page: number) => number>> = {
  '\x1b[A': () => -1,
  '\x1bOA': () => -1,
  k: () => -1,
  '\x1b[B': () => 1,
  '\x1bOB': () => 1,
  j: () => 1,
  '\x1b[5~': (page) => -page,
  '\x1b[6~': (page) => page,
};

/** The state after one key. @param page rows on the screen; @param rows rows there are */
export function press(state: TopState, key: string, page: number, rows: number): TopState {
  if (key === '\x03') {
    return { ...state, quit: true };
  }
  if (state.editing) {
    return edit(state, key);
  }
  if (state.help) {
    return { ...state, help: false };
  }
  const scroll = SCROLLS[key];
  if (scroll !== undefined) {
    const last = Math.max(0, rows - page);
    return { ...state, scroll: Math.min(last, Math.max(0, state.scroll + scroll(page))) };
  }
  const sort = SORT_KEYS[key];
  if (sort !== undefined) {
    return { ...state, sort, scroll: 0 };
  }
  switch (key) {
    case 'q':
      return { ...state, quit: true };
    case ' ':
      return { ...state, paused: !state.paused };
    case '?':
    case 'h':
      return { ...state, help: true };
    case '/':
      return { ...state, editing: true, scroll: 0 };
    case '\x1b':
      return { ...state, filter: '', scroll: 0 };
    default:
      return state;
  }
}

function edit(state: TopState, key: string): TopState {
  if (key === '\r' || key === '\n') {
    return { ...state, editing: false };
  }
  if (key === '\x1b') {
    return { ...state, editing: false, filter: '' };
  }
  if (key === '\x7f' || key === '\b') {
    return { ...state, filter: [...state.filter].slice(0, -1).join('') };
  }
  return /^[\x20-\x7e]$/.test(key) ? { ...state, filter: state.filter + key } : state;
}

const value = (n: number | null): number => n ?? -1;

const BY: Readonly<Record<Exclude<Sort, 'tree'>, (a: StatsRow, b: StatsRow) => number>> = {
  cpu: (a, b) => value(b.rates.cpu) - value(a.rates.cpu),
  memory: (a, b) => value(b.stats.memory) - value(a.stats.memory),
  io: (a, b) => value(b.rates.read) + value(b.rates.written) - value(a.rates.read) - value(a.rates.written),
  pids: (a, b) => value(b.stats.pids) - value(a.stats.pids),
  oom: (a, b) => value(b.stats.oomKills) - value(a.stats.oomKills),
  name: (a, b) => nameText(a, false).localeCompare(nameText(b, false)),
};

/** The rows that the filter lets through, in the order asked for. */
export function shownRows(rows: readonly StatsRow[], state: Pick<TopState, 'sort' | 'filter'>): StatsRow[] {
  const needle = state.filter.toLowerCase();
  const fits = rows.filter((r) => `${r.stack}:${r.address ?? ''} ${r.cgroup}`.toLowerCase().includes(needle));
  return state.sort === 'tree' ? fits : fits.sort(BY[state.sort]);
}

/** Least width of the names before columns are left out from the right. */
const NAME_WIDTH = 20;
/** Lines above the rows. */
export const HEAD = 2;

const clip = (text: string, width: number): string => [...text].slice(0, width).join('');

/** The lines of the screen: never more than `height`, none wider than `width`. */
export function topLines(
  rows: readonly StatsRow[],
  state: TopState,
  width: number,
  height: number,
  time: string,
): string[] {
  const shown = shownRows(rows, state);
  const filter = state.editing ? `  filter: ${state.filter}_` : state.filter === '' ? '' : `  filter: ${state.filter}`;
  const head = `tsbox top  ${time}  ${shown.length} of ${rows.length} cgroups  sort: ${state.sort}${filter}${state.paused ? '  paused' : ''}  ? help`;
  if (state.help) {
    return [head, '', ...HELP].map((l) => clip(l, width)).slice(0, height);
  }
  const page = shown.slice(state.scroll, state.scroll + Math.max(0, height - HEAD));
  const tree = state.sort === 'tree';
  const cells = page.map((row) => COLUMNS.map((c) => c.text(row)));
  // Wide enough for what usually comes, so that columns do not jump about.
  const widths = COLUMNS.map((c, i) => Math.max(c.title.length, 5, ...cells.map((r) => (r[i] ?? '').length)));
  let count = COLUMNS.length;
  const taken = (n: number): number => widths.slice(0, n).reduce((sum, w) => sum + w + 2, 0);
  while (count > 0 && width - taken(count) < NAME_WIDTH) {
    count--;
  }
  const nameWidth = Math.max(0, width - taken(count));
  const line = (name: string, texts: readonly string[]): string => {
    const fitted = clip(name, nameWidth);
    const columns = texts.slice(0, count).map((t, i) => `  ${t.padStart(widths[i] ?? 0)}`);
    return clip(`${fitted}${' '.repeat(Math.max(0, nameWidth - [...fitted].length))}${columns.join('')}`, width);
  };
  const heading = line(
    'CGROUP',
    COLUMNS.map((c) => c.title),
  );
  return [clip(head, width), heading, ...page.map((row, i) => line(nameText(row, tree), cells[i] ?? []))].slice(
    0,
    height,
  );
}
