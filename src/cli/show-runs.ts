/** What a container's supervisor has kept of its checks and of its earlier runs. */
import { parseProbe, type ProbeResult } from '../kernel/health-text.ts';
import { parseHistory, type RunEnd } from '../kernel/history-text.ts';
import { parseRunState } from '../kernel/run-state.ts';
import type { KernelReader } from '../kernel/reader.ts';
import { HISTORY_XATTR, PROBE_XATTR, RUN_XATTR } from '../resources/label.ts';
import { signalName } from '../resources/signals.ts';
import { formatDuration } from '../resources/units.ts';
import { escapeControls } from '../report/values.ts';

export interface Runs {
  /** Starts by the supervisor since the container was last started by order. */
  readonly restarts: number;
  /** The last health check. */
  readonly probe: ProbeResult | undefined;
  /** Oldest first. */
  readonly history: readonly RunEnd[];
}

/** @param paths of the containers' cgroups from the root of the hierarchies */
export function readRuns(reader: KernelReader, paths: readonly string[]): Runs[] {
  const dirs = paths.map((path) => `${reader.layout.primary?.mount ?? ''}${path}`);
  const [runs = [], probes = [], histories = []] = [RUN_XATTR, PROBE_XATTR, HISTORY_XATTR].map((name) =>
    reader.getXattrs(dirs, name).map((text) => (typeof text === 'string' ? text : '')),
  );
  return dirs.map((_, i) => ({
    restarts: parseRunState(runs[i] ?? '')?.restarts ?? 0,
    probe: parseProbe(probes[i] ?? ''),
    history: parseHistory(histories[i] ?? ''),
  }));
}

/** How a run ended, in a few words. */
export function endText(end: RunEnd): string {
  const how =
    end.signal > 0
      ? `killed by SIG${signalName(end.signal)}`
      : end.exit < 0
        ? 'ended, nobody knows how'
        : `exited ${end.exit}`;
  const why = end.why === 'stop' ? ' when it was stopped' : end.why === 'unhealthy' ? ' because it was unhealthy' : '';
  const oom = end.oomKills > 0 ? `, out of memory (${end.oomKills} killed)` : '';
  return `${how}${why}${oom}, after ${formatDuration(end.ranMs)}`;
}

/** How a check went, in one line. */
export function checkText(probe: ProbeResult): string {
  const said = probe.line === '' ? '' : `: ${escapeControls(probe.line)}`;
  const code = probe.code === 0 ? '' : ` (${probe.code})`;
  return `${probe.ok ? 'passed' : 'failed'}${code} in ${formatDuration(probe.tookMs)}${said}`;
}

/** The same for programs. */
export function checkJson(probe: ProbeResult): unknown {
  const { atMs, tookMs, ok, code, line } = probe;
  return { at: new Date(atMs).toISOString(), took_ms: tookMs, ok, code, output: line };
}

export function runLines({ restarts, probe, history }: Runs): string[] {
  const lines: string[] = [];
  if (probe !== undefined) {
    lines.push(`  last check ${new Date(probe.atMs).toISOString()}, ${checkText(probe)}`);
  }
  if (history.length > 0) {
    const again = restarts === 0 ? '' : `; restarted ${restarts === 1 ? 'once' : `${restarts} times`}`;
    lines.push(`  earlier runs, the last first${again}:`);
    lines.push(...[...history].reverse().map((e) => `    ${new Date(e.endMs).toISOString()}  ${endText(e)}`));
  }
  return lines;
}

/** The same for programs. */
export function runsJson({ restarts, probe, history }: Runs): unknown {
  return {
    restarts,
    last_check: probe === undefined ? null : checkJson(probe),
    history: historyJson(history),
  };
}

export function historyJson(history: readonly RunEnd[]): unknown[] {
  return history.map((e) => ({
    end: new Date(e.endMs).toISOString(),
    ran_ms: e.ranMs,
    exit: e.exit < 0 ? null : e.exit,
    signal: e.signal === 0 ? null : e.signal,
    oom_kills: e.oomKills,
    why: e.why,
  }));
}
