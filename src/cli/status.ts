/** How a container is and since when, as `ps` says it. */

export interface StatusFacts {
  /** From stateText: running, exited (1), backoff … */
  readonly state: string;
  readonly alive: boolean;
  readonly restarts: number;
  /** When the state began, ms since the epoch; undefined for what was never started. */
  readonly sinceMs: number | undefined;
  readonly health: string | null;
  readonly frozen: boolean;
}

/** 'running 3m (healthy)', 'exited (1) 2m ago', 'restarting (3) for 10s'. */
export function statusText(facts: StatusFacts, nowMs: number): string {
  const { state, alive, restarts, sinceMs, health, frozen } = facts;
  const age = sinceMs === undefined ? '' : ageText(nowMs - sinceMs);
  if (alive) {
    const notes = [...(health === null ? [] : [health]), ...(frozen ? ['frozen'] : [])];
    return [state, age, ...(notes.length === 0 ? [] : [`(${notes.join(', ')})`])].join(' ');
  }
  if (sinceMs === undefined) {
    return state;
  }
  return state === 'backoff' || state === 'starting'
    ? `restarting (${restarts + 1}) for ${age}`
    : `${state} ${age} ago`;
}

/** A length of time in its largest unit. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) {
    return `${seconds}s`;
  }
  if (seconds < 7200) {
    return `${Math.round(seconds / 60)}m`;
  }
  return seconds < 172_800 ? `${Math.round(seconds / 3600)}h` : `${Math.round(seconds / 86_400)}d`;
}
