/** How a container's run stands, as its supervisor keeps it in an xattr of the container's cgroup. */
import { parseFields } from './fields-text.ts';

/** The text of the run xattr, written by the supervisor at every change of state. */
export interface RunState {
  readonly state: 'starting' | 'running' | 'backoff' | 'stopping' | 'stopped' | 'exited' | 'failed';
  /** The container's process (host pid view), 0 when none. */
  readonly pid: number;
  /** Field 22 of /proc/PID/stat, '' when none. */
  readonly startTime: string;
  readonly supervisor: number;
  readonly supervisorStartTime: string;
  /** Exit code of the last run, -1 when it has not ended, ended by a signal or could not be started, -2 when unknown. */
  readonly exit: number;
  /** Signal that ended the last run, 0 for none. */
  readonly signal: number;
  readonly restarts: number;
  /** Wall clock of the last change of state, ms since the epoch. */
  readonly sinceMs: number;
  /** Of a container with health checks, while it runs and as it was when they ended it. */
  readonly health?: HealthState;
  /** Failed checks in a row. */
  readonly failing?: number;
}

export const HEALTH_STATES = ['starting', 'healthy', 'unhealthy'] as const;
export type HealthState = (typeof HEALTH_STATES)[number];

const RUN_STATES: readonly string[] = [
  'starting',
  'running',
  'backoff',
  'stopping',
  'stopped',
  'exited',
  'failed',
] satisfies ReadonlyArray<RunState['state']>;

/** The text of the run xattr; the supervisor writes the same. */
export function runStateText(s: RunState): string {
  return (
    `state=${s.state} pid=${s.pid} start=${s.startTime} supervisor=${s.supervisor} sstart=${s.supervisorStartTime}` +
    ` exit=${s.exit} signal=${s.signal} restarts=${s.restarts} since=${s.sinceMs}` +
    (s.health === undefined ? '' : ` health=${s.health} failing=${s.failing ?? 0}`)
  );
}

/** undefined for a text that is not a whole run state: it is then treated as absent. */
export function parseRunState(text: string): RunState | undefined {
  const f = parseFields(text);
  const { state } = f;
  const int = (key: string): number => (/^-?\d{1,15}$/.test(f[key] ?? '') ? Number(f[key]) : Number.NaN);
  const numbers = ['pid', 'supervisor', 'exit', 'signal', 'restarts', 'since'].map(int);
  const starts = [f['start'], f['sstart']];
  if (state === undefined || !RUN_STATES.includes(state) || numbers.some(Number.isNaN)) return undefined;
  if (!starts.every((start) => start !== undefined && /^\d*$/.test(start))) return undefined;
  const [pid = 0, supervisor = 0, exit = 0, signal = 0, restarts = 0, sinceMs = 0] = numbers;
  const [startTime = '', supervisorStartTime = ''] = starts;
  const health = HEALTH_STATES.find((h) => h === f['health']);
  return {
    state: state as RunState['state'],
    pid,
    startTime,
    supervisor,
    supervisorStartTime,
    exit,
    signal,
    restarts,
    sinceMs,
    ...(health === undefined ? {} : { health, failing: Number(f['failing'] ?? 0) || 0 }),
  };
}
