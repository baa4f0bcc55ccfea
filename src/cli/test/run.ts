/** Running the tests of a file, one after the other in one scratch. */
import { errorsOf, TsboxError } from '../../errors.ts';
import { openReader, type KernelReader } from '../../kernel/reader.ts';
import type { Planned } from '../../planner/index.ts';
import { PLAIN } from '../../report/palette.ts';
import type { RunResult, Status } from '../../report/test/model.ts';
import type { TestFile, TestRun } from '../../stack/tests/load.ts';
import type { Stack } from '../../stack/types.ts';
import type { Arguments } from '../args.ts';
import { masked } from '../output.ts';
import { openRecording } from '../recorded-kernel.ts';
import { loadStackFor, requirePrivileges } from '../session.ts';
import { applyStack } from './apply.ts';
import { applyFailures, missed, planFailures, unexpected, type RunFailure } from './failures.ts';
import { brokenAssertions, runFacts } from './facts.ts';
import type { Interrupt } from './interrupt.ts';
import { makeScratch, type Scratch } from './scratch.ts';
import type { TestFormat } from './tell.ts';

export interface Running {
  readonly args: Arguments;
  readonly format: TestFormat;
  readonly interrupt: Interrupt;
  /** Whether this one is to run. */
  readonly wanted: (file: TestFile, run: TestRun) => boolean;
}

/** Never throws for what is wrong with a stack: the results say it. After a run that could not be made the others are skipped. */
export async function runFile(file: TestFile, scratch: Scratch, running: Running): Promise<readonly RunResult[]> {
  const results: RunResult[] = [];
  let isBroken = false;
  for (const run of file.runs) {
    if (isBroken || running.interrupt.received || !running.wanted(file, run)) {
      results.push({ name: run.name, status: 'skip', ms: 0, problems: [] });
      continue;
    }
    const result = await runOne(run, scratch, running);
    isBroken = result.status === 'error';
    results.push(result);
  }
  return results;
}

async function runOne(run: TestRun, scratch: Scratch, running: Running): Promise<RunResult> {
  const began = performance.now();
  const ended = (status: Status, problems: readonly TsboxError[], plan?: RunResult['plan']): RunResult => ({
    name: run.name,
    status,
    ms: performance.now() - began,
    problems,
    plan,
  });
  let course: Course;
  try {
    course = await (run.command === 'plan' ? planned(run, scratch, running) : applied(run, scratch, running));
  } catch (error) {
    const errors = errorsOf(error);
    const failures = errors.map((e) => ({ names: [e.code, ...named(e)], matters: true, error: e }));
    const unforeseen = unexpected(failures, run.expected);
    const problems = [...unforeseen, ...missed(failures, run.expected)];
    // What cannot be planned at all has nothing that could be asserted.
    return ended(unforeseen.length > 0 ? 'error' : problems.length > 0 ? 'fail' : 'pass', problems);
  }
  const plan = await shownPlan(course, running);
  if (running.interrupt.received) {
    return ended('error', [new TsboxError('TSB3005', `run ${JSON.stringify(run.name)} was interrupted`)], plan);
  }
  const problems = [...unexpected(course.failures, run.expected), ...missed(course.failures, run.expected)];
  const broken = await brokenAssertions(run.assertions, runFacts(course.stack, course.planned, course.after));
  const failed = problems.length > 0 || broken.length > 0;
  const status = broken.some((b) => b.status === 'error') ? 'error' : failed ? 'fail' : 'pass';
  return ended(status, [...problems, ...broken.map((b) => b.error)], plan);
}

interface Course {
  readonly stack: Stack;
  readonly bootId: string;
  readonly planned: Planned;
  readonly after: Planned;
  readonly failures: readonly RunFailure[];
}

function stackOf({ stack, variables }: TestRun, { args }: Running): Promise<Stack> {
  return loadStackFor({
    ...args,
    files: stack,
    variables: { ...args.variables, ...variables },
    flags: { ...args.flags, quiet: true },
  });
}

async function planned(run: TestRun, scratch: Scratch, running: Running): Promise<Course> {
  const { makePlan } = await import('../../planner/index.ts');
  const stack = await stackOf(run, running);
  const reader: KernelReader = run.kernel === undefined ? openReader(scratch.env) : openRecording(run.kernel, stack);
  const plan = await makePlan(reader, stack.name, stack, { targets: [], destroy: false });
  const failures = planFailures(plan.plan);
  return { stack: plan.stack ?? stack, bootId: reader.bootId, planned: plan, after: plan, failures };
}

async function applied(run: TestRun, scratch: Scratch, running: Running): Promise<Course> {
  const { openKernel } = await import('../../kernel/kernel.ts');
  const stack = await stackOf(run, running);
  const kernel = openKernel(scratch.env);
  requirePrivileges(kernel, 'a run that applies');
  if (scratch.stacks.size === 0) {
    makeScratch(scratch);
  }
  // The latest last: removal goes the other way.
  scratch.stacks.delete(stack.name);
  scratch.stacks.add(stack.name);
  const course = await applyStack(kernel, stack, running.interrupt);
  return { ...course, stack: course.planned.stack ?? stack, bootId: kernel.bootId, failures: applyFailures(course) };
}

/** With --verbose: text for people, a document for the event stream. */
async function shownPlan(
  { planned: of, stack, bootId }: Course,
  { args, format }: Running,
): Promise<RunResult['plan']> {
  if (args.flags.verbose !== true) {
    return undefined;
  }
  if (format === 'json') {
    const { documented } = await import('../documented.ts');
    const { planDocument } = await import('../../report/terraform/document.ts');
    return planDocument(documented(of, stack, { destroy: false, bootId })) as Readonly<Record<string, unknown>>;
  }
  const { renderPlan } = await import('../../report/plan-text.ts');
  return renderPlan(of.plan, PLAIN, { mask: masked });
}

/** What an error is about. */
function named({ info: { address } }: TsboxError): string[] {
  return address === undefined ? [] : [address];
}
