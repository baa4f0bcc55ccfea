/** Reports of the stacks that a command line names, from the kernel. */
import { readRunLines } from '../../kernel/drift-history.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import { makePlan } from '../../planner/index.ts';
import type { Plan } from '../../planner/plan.ts';
import { recordedPlan } from '../../planner/recorded.ts';
import { coveredPlan } from '../../report/covered.ts';
import { parseRuns } from '../../report/drift/history.ts';
import { findItems } from '../../report/drift/items.ts';
import { driftReport, type DriftReport } from '../../report/drift/model.ts';
import { readScope } from '../../resources/scope.ts';
import type { Stack } from '../../stack/types.ts';
import { masked } from '../output.ts';
import { gatherEvidence } from './evidence.ts';
import { findOthers } from './others.ts';
import { coverageOf, readSubtree } from './subtree.ts';

/** A stack by its files, or by the records on its objects. */
export type Subject =
  | { readonly stack: Stack; readonly files: readonly string[]; readonly targets: readonly string[] }
  | { readonly name: string };

/** @param began when the run began, ms since the epoch */
export async function reportOf(reader: KernelReader, subject: Subject, began: number): Promise<DriftReport> {
  const declared = 'stack' in subject;
  const plan = declared
    ? (await makePlan(reader, subject.stack.name, subject.stack, { targets: subject.targets, destroy: false })).plan
    : await recordedPlan(reader, subject.name);
  const heal = declared ? `tsbox apply ${subject.files.map((f) => `-f ${quoted(f)}`).join(' ')}` : null;
  return reportOfPlan(reader, plan, {
    against: declared ? 'file' : 'record',
    files: declared ? subject.files : [],
    settings: declared ? subject.stack.drift : undefined,
    locate: declared ? (address, path) => subject.stack.locate(address, path) : undefined,
    heal,
    began,
  });
}

/** The same for a plan that was made already. */
function reportOfPlan(
  reader: KernelReader,
  plan: Plan,
  about: Pick<Parameters<typeof driftReport>[0], 'against' | 'files' | 'settings' | 'locate' | 'heal'> & {
    readonly began: number;
  },
): DriftReport {
  const scope = readScope(reader, plan.stack);
  const shown = coveredPlan(plan, masked);
  const subtree = readSubtree(reader, scope);
  const findings = [...findItems(shown, about.heal), ...findOthers(reader, plan, scope, subtree)];
  const { evidence, lastApply } = gatherEvidence(reader, plan, scope, findings, about.began);
  return driftReport({
    ...about,
    plan: shown,
    findings,
    evidence,
    lastApply,
    coverage: coverageOf(reader, plan, scope, subtree),
    history: parseRuns(readRunLines(reader.settings.stateDir, plan.stack)),
    now: Date.now(),
  });
}

/** As a shell takes it. */
function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
