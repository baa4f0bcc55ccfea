/** Since when, and by whom: what files, processes and records of the supervisor say of each drifted item. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { KernelReader } from '../../kernel/reader.ts';
import { readText } from '../../kernel/private-files.ts';
import type { Plan } from '../../planner/plan.ts';
import type { Finding } from '../../report/drift/items.ts';
import type { Evidence, Since, Whom } from '../../report/drift/model.ts';
import { lastWriters, WRITERS_FILE } from '../../report/drift/writers.ts';
import { knobAccess } from '../../resources/cgroup/access.ts';
import { KNOB_BY_NAME } from '../../resources/cgroup/registry.ts';
import { readStats, startedAt } from '../../resources/processes.ts';
import { directoryIn, type StackScope } from '../../resources/scope.ts';

const iso = (ms: number): string => new Date(ms).toISOString();

export interface Gathered {
  readonly evidence: ReadonlyMap<string, Evidence>;
  /** The latest record on an object of the stack. */
  readonly lastApply: string | null;
}

/** @param began when this run began, ms: a time of a file from then on is our own doing */
export function gatherEvidence(
  reader: KernelReader,
  plan: Plan,
  scope: StackScope,
  findings: readonly Finding[],
  began: number,
): Gathered {
  const times = [...scope.byAddress.values()].flatMap((e) => (e.label?.at === undefined ? [] : [e.label.at]));
  const lastApply = times.length === 0 ? null : iso(Math.max(...times));
  // Most often nothing has drifted, and nobody asks who wrote.
  const written = findings.length === 0 ? '' : readText(join(reader.settings.runDir, WRITERS_FILE));
  const writers = lastWriters(written ?? '');
  const facts = new Map(plan.changes.map((c) => [c.address, c.facts]));
  const evidence = new Map<string, Evidence>();
  for (const finding of findings) {
    const entry = scope.byAddress.get(finding.address);
    const after = entry?.label?.at;
    const leaf = facts.get(finding.address)?.['leaf'];
    const files = leaf === undefined ? [] : filesOf(reader, plan.stack, leaf, finding);
    const since =
      stoppedSince(finding, entry?.run) ??
      processSince(reader, finding, after) ??
      writtenSince(finding, files, after ?? 0, began) ??
      volumeSince(finding, facts.get(finding.address)?.['path'], began) ??
      (after === undefined ? undefined : { from: iso(after), to: null, exact: false, source: 'the last apply of it' });
    evidence.set(finding.id, { since, whom: whomOf(files, writers, after ?? 0) });
  }
  return { evidence, lastApply };
}

/** Files whose content the drifted value is. */
function filesOf(reader: KernelReader, stack: string, leaf: string, finding: Finding): string[] {
  const root = reader.settings.cgroupRoot;
  if (finding.class === 'unmanaged') {
    return finding.attribute !== 'process'
      ? []
      : reader.layout.hierarchies.map((h) => `${directoryIn(h.mount, root, stack, leaf)}/cgroup.procs`);
  }
  const knob = KNOB_BY_NAME.get(finding.attribute);
  const access = knob === undefined ? undefined : knobAccess(reader, knob);
  if (access === undefined) {
    return [];
  }
  const { files } = access.files;
  const keys = typeof finding.live === 'object' && finding.live !== null ? Object.keys(finding.live) : [];
  const names = typeof files === 'function' ? files(keys) : files;
  return names.map((name) => `${directoryIn(access.hierarchy.mount, root, stack, leaf)}/${name}`);
}

function stoppedSince(finding: Finding, run: { state: string; sinceMs: number } | undefined): Since | undefined {
  const ended = run !== undefined && ['exited', 'failed', 'stopped', 'backoff'].includes(run.state);
  return finding.class === 'stopped' && ended
    ? { from: iso(run.sinceMs), to: iso(run.sinceMs), exact: true, source: 'the record of its supervisor' }
    : undefined;
}

/** A process came at its start or later; its start may be before the cgroup was ours. */
function processSince(reader: KernelReader, finding: Finding, after: number | undefined): Since | undefined {
  const pid = finding.class === 'unmanaged' ? /^process (\d+) /.exec(finding.text)?.[1] : undefined;
  if (pid === undefined) {
    return undefined;
  }
  const stat = readStats(reader, [Number(pid)])[0];
  const start = stat === undefined ? undefined : startedAt(reader, stat.startTime);
  return start !== undefined && start > (after ?? 0)
    ? { from: iso(start), to: null, exact: false, source: `the start of process ${pid}` }
    : undefined;
}

/**
 * The kernel keeps a time for a file of cgroupfs when somebody opens it with O_TRUNC, as shells do. Without that its
 * time is when it was looked at first, which says nothing: only times after the last apply and before this run count.
 */
function writtenSince(finding: Finding, files: readonly string[], after: number, began: number): Since | undefined {
  if (finding.class === 'unmanaged') {
    return undefined;
  }
  const times = files.flatMap((file): Array<{ file: string; ms: number }> => {
    const stat = statSync(file, { throwIfNoEntry: false });
    return stat === undefined ? [] : [{ file, ms: stat.mtimeMs }];
  });
  const last = times.filter((t) => t.ms > after && t.ms < began).sort((a, b) => b.ms - a.ms)[0];
  return last === undefined
    ? undefined
    : { from: iso(last.ms), to: iso(last.ms), exact: false, source: `mtime of ${last.file}` };
}

function volumeSince(finding: Finding, path: string | undefined, began: number): Since | undefined {
  if (!finding.address.startsWith('volume/') || !['owner', 'mode'].includes(finding.attribute) || path === undefined) {
    return undefined;
  }
  const ms = statSync(path, { throwIfNoEntry: false })?.ctimeMs;
  return ms === undefined || ms >= began
    ? undefined
    : { from: iso(ms), to: iso(ms), exact: false, source: `ctime of ${path}` };
}

function whomOf(files: readonly string[], writers: ReturnType<typeof lastWriters>, after: number): Whom | undefined {
  const last = files
    .flatMap((f) => writers.get(f) ?? [])
    .filter((w) => Date.parse(w.time) > after)
    .sort((a, b) => Date.parse(b.time) - Date.parse(a.time))[0];
  if (last === undefined) {
    return undefined;
  }
  const { time, pid, comm, exe, cgroup, gone } = last;
  return { time, pid, comm, exe, cgroup, gone, source: 'watch' };
}
