/** The recorded runs as a plot: how many items of each severity over time, as an SVG that stands in the page. */
import { SEVERITIES } from '../../resources/drift-settings.ts';
import type { TimelinePoint } from './history.ts';
import { escapeMarkup, timeText } from './words.ts';

const [WIDTH, HEIGHT] = [1100, 190];
const [LEFT, RIGHT, TOP, BOTTOM] = [34, 26, 12, 26];
/** This run has no next one: it is drawn this wide. */
const NOW = 18;
/** More points than pixels are worth say nothing more. */
const MAX_POINTS = 500;

export interface Counts {
  readonly time: string;
  readonly security: number;
  readonly capacity: number;
  readonly cosmetic: number;
}

/** @param current this run, which ends the plot */
export function timelineSvg(recorded: readonly TimelinePoint[], current: Counts): string {
  const points = [...thinned(recorded.filter((p) => p.time < current.time)), current];
  const first = Date.parse(points[0]?.time ?? current.time);
  const last = Math.max(Date.parse(current.time), first + 1);
  const most = Math.max(1, ...points.map((p) => p.security + p.capacity + p.cosmetic));
  const x = (time: number): number => round(LEFT + ((time - first) / (last - first)) * (WIDTH - LEFT - RIGHT));
  const y = (count: number): number => round(HEIGHT - BOTTOM - (count / most) * (HEIGHT - TOP - BOTTOM));
  const parts: string[] = [];
  for (const value of ticks(most)) {
    parts.push(
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT + NOW}" y1="${y(value)}" y2="${y(value)}"/>`,
      `<text x="${LEFT - 8}" y="${y(value) + 4}" text-anchor="end">${value}</text>`,
    );
  }
  // A run's finding stands until the next run. The worst lies at the bottom.
  SEVERITIES.forEach((_, layer) => {
    const sum = (p: Counts, upTo: number): number => SEVERITIES.slice(0, upTo).reduce((n, s) => n + p[s], 0);
    const upper: string[] = [];
    const lower: string[] = [];
    points.forEach((p, i) => {
      const from = x(Date.parse(p.time));
      const next = points[i + 1];
      const to = next === undefined ? from + NOW : x(Date.parse(next.time));
      upper.push(`${from},${y(sum(p, layer + 1))}`, `${to},${y(sum(p, layer + 1))}`);
      lower.unshift(`${to},${y(sum(p, layer))}`, `${from},${y(sum(p, layer))}`);
    });
    parts.push(`<polygon class="area ${SEVERITIES[layer]}" points="${[...upper, ...lower].join(' ')}"/>`);
  });
  for (const p of points) {
    const at = x(Date.parse(p.time));
    const total = p.security + p.capacity + p.cosmetic;
    const label = `${timeText(p.time)}: ${SEVERITIES.map((s) => `${p[s]} ${s}`).join(', ')}`;
    parts.push(
      `<circle cx="${at}" cy="${y(total)}" r="3.5" fill="var(--panel)" stroke="var(--soft)" stroke-width="1.5"><title>${escapeMarkup(label)}</title></circle>`,
    );
  }
  parts.push(
    `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT + NOW}" y1="${y(0)}" y2="${y(0)}"/>`,
    ...dates(first, last).map(
      ({ at, label, anchor }) => `<text x="${x(at)}" y="${HEIGHT - 8}" text-anchor="${anchor}">${label}</text>`,
    ),
  );
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Drift over ${points.length} runs">${parts.join('')}</svg>`;
}

const round = (n: number): number => Math.round(n * 10) / 10;

function ticks(most: number): number[] {
  const step = Math.max(1, Math.ceil(most / 4));
  return Array.from({ length: Math.floor(most / step) }, (_, i) => (i + 1) * step);
}

/** Five dates along the axis; with the hour where the whole is short. */
function dates(first: number, last: number): Array<{ at: number; label: string; anchor: string }> {
  const short = last - first < 3 * 86_400_000;
  return [0, 1, 2, 3, 4].map((i) => {
    const at = first + ((last - first) * i) / 4;
    const iso = new Date(at).toISOString();
    const label = short ? `${iso.slice(5, 10)} ${iso.slice(11, 16)}` : iso.slice(0, 10);
    return { at, label, anchor: i === 0 ? 'start' : i === 4 ? 'end' : 'middle' };
  });
}

/** The latest of each of so many equal spans of runs. */
function thinned(points: readonly TimelinePoint[]): TimelinePoint[] {
  const step = Math.ceil(points.length / MAX_POINTS);
  return points.filter((_, i) => (points.length - 1 - i) % Math.max(1, step) === 0);
}
