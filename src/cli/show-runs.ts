/** What a container's supervisor has kept of its checks and of its earlier runs. */
import { parseProbe, type ProbeResult } from '../kernel/health-text.ts';
import { parseHistory, type RunEnd } from '../kernel/history-text.ts';
import type { KernelReader } from '../kernel/reader.ts';
import { HISTORY_XATTR, PROBE_XATTR } from '../resources/label.ts';
import { signalName } from '../resources/signals.ts';
import { formatDuration } from '../resources/units.ts';
import { escapeControls } from '../report/values.ts';

export interface Runs {
  /** The last health check. */
  readonly probe: ProbeResult | undefined;
  /** Oldest first. */
  readonly history: readonly RunEnd[];
}

/** @param path of the container's cgroup from the root of the hierarchies */
export function readRuns(reader: KernelReader, path: string): Runs {
  const dir = `${reader.layout.primary?.mount ?? ''}${path}`;
  const read = (name: string): string => {
    const text = reader.getXattrs([dir], name)[0];
    return typeof text === 'string' ? text : '';
  };
  return { probe: parseProbe(read(PROBE_XATTR)), history: parseHistory(read(HISTORY_XATTR)) };
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

export function runLines({ probe, history }: Runs): string[] {
  const lines: string[] = [];
  if (probe !== undefined) {
    const said = probe.line === '' ? '' : `: ${escapeControls(probe.line)}`;
    const code = probe.code === 0 ? '' : ` (${probe.code})`;
    lines.push(
      `  last check ${new Date(probe.atMs).toISOString()}, ${probe.ok ? 'passed' : 'failed'}${code} in ${formatDuration(probe.tookMs)}${said}`,
    );
  }
  if (history.length > 0) {
    lines.push('  earlier runs, the last first:');
    lines.push(...[...history].reverse().map((e) => `    ${new Date(e.endMs).toISOString()}  ${endText(e)}`));
  }
  return lines;
}

/** The same for programs. */
export function runsJson({ probe, history }: Runs): unknown {
  return {
    last_check:
      probe === undefined
        ? null
        : {
            at: new Date(probe.atMs).toISOString(),
            took_ms: probe.tookMs,
            ok: probe.ok,
            code: probe.code,
            output: probe.line,
          },
    history: history.map((e) => ({
      end: new Date(e.endMs).toISOString(),
      ran_ms: e.ranMs,
      exit: e.exit < 0 ? null : e.exit,
      signal: e.signal === 0 ? null : e.signal,
      oom_kills: e.oomKills,
      why: e.why,
    })),
  };
}
