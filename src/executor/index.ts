/** Executing a plan: the action graph, in parallel where independent, stopping cleanly, telling everything. */
import { TsboxError } from '../errors.ts';
import type { PlannedChange, Plan } from '../planner/plan.ts';
import type { Address } from '../resources/kind.ts';
import { STACK_XATTR } from '../resources/label.ts';
import { SUPERVISORS } from '../resources/scope.ts';
import type { Step } from '../resources/step.ts';
import { lastOf, stepCount, turnsOf, type Turn } from '../resources/step-order.ts';
import { describeStep } from '../resources/step-text.ts';
import { primaryDirectory, stackRunDir, type ExecutionContext } from './context.ts';
import { faultPoint } from './fault.ts';
import { releaseIds } from './ids.ts';
import { Journal } from './journal.ts';
import { runUnlessAbandoned, undo } from './undo.ts';
import { requireUnmoved } from './unmoved.ts';
import { protectionGaps } from '../resources/cgroup/protection.ts';
import { removeStackRoot } from './teardown.ts';
import { RolloutTurns } from './rollout-turns.ts';

export type ApplyEvent =
  /** first, last: the numbers of its steps in the plan. */
  | { readonly type: 'start'; readonly change: PlannedChange; readonly first: number; readonly last: number }
  | { readonly type: 'note'; readonly change: PlannedChange; readonly text: string }
  | { readonly type: 'step'; readonly change: PlannedChange; readonly step: Step; readonly number: number }
  | { readonly type: 'done'; readonly change: PlannedChange; readonly ms: number }
  | { readonly type: 'failed'; readonly change: PlannedChange; readonly ms: number; readonly error: TsboxError }
  | {
      readonly type: 'abandoned';
      readonly change: PlannedChange;
      readonly ms: number;
      readonly undone: readonly string[];
    }
  | { readonly type: 'skipped'; readonly change: PlannedChange; readonly because: Address };

export interface ApplyOptions {
  /** Changes in flight at once. */
  readonly parallelism: number;
  /** Set when no further change shall start. */
  readonly interrupted: () => boolean;
  /** Aborted when what runs shall be given up: what a creation has made so far is removed again. */
  readonly abandon?: AbortSignal;
  readonly onEvent: (event: ApplyEvent) => void;
}

/** How far a change came that did not come to its end. */
export interface Unfinished {
  readonly change: PlannedChange;
  /** The step it was at, its number in the plan (0: none), and what was done before and would have come after. */
  readonly step: string;
  readonly at: number;
  readonly done: readonly string[];
  readonly left: readonly string[];
}

export interface Failure extends Unfinished {
  readonly error: TsboxError;
  /** Why what was made until then could not be taken back, where it was to be. */
  readonly remains?: TsboxError | undefined;
}

export interface Abandoned extends Unfinished {
  /** What was taken back. */
  readonly undone: readonly string[];
  /** Why not all of it could be. */
  readonly error: TsboxError | undefined;
}

export interface ApplyResult {
  readonly done: readonly PlannedChange[];
  readonly failed: readonly Failure[];
  readonly abandoned: readonly Abandoned[];
  readonly notStarted: readonly PlannedChange[];
  /** Why the last traces of a stack of which nothing is left are still there. */
  readonly traces: TsboxError | undefined;
  /** How many steps the plan has. */
  readonly steps: number;
}

type Node = Turn<PlannedChange>;

/** Runs every change of the plan. Never throws for a change that fails: it is in the result, with what it held up. */
export async function applyPlan(context: ExecutionContext, plan: Plan, options: ApplyOptions): Promise<ApplyResult> {
  context.kernel.makeRunDir(stackRunDir(context));
  context.cache.mayHaveOrphans = typeof context.kernel.stats([primaryDirectory(context, SUPERVISORS)])[0] === 'object';
  context.cache.note = (container, text) => {
    const change = plan.changes.find((c) => c.address === `container/${container}`);
    if (change !== undefined) {
      options.onEvent({ type: 'note', change, text });
    }
  };
  const journal = new Journal(context);
  journal.write({ event: 'apply' });
  const nodes = turnsOf(plan.changes);
  const pending = new Map(nodes.map((n) => [n.key, n]));
  const finished = new Set<string>();
  const broken = new Map<string, Address>();
  const done = new Set<PlannedChange>();
  const failed: Failure[] = [];
  const abandoned: Abandoned[] = [];
  const running = new Map<string, Promise<void>>();
  const rollouts = new RolloutTurns();

  const settle = (): void => {
    let moved = true;
    while (moved) {
      moved = false;
      for (const node of pending.values()) {
        const culprit = node.waitsFor.map((k) => broken.get(k)).find((a) => a !== undefined) ?? rollouts.culprit(node);
        if (culprit !== undefined) {
          pending.delete(node.key);
          broken.set(node.key, culprit);
          options.onEvent({ type: 'skipped', change: node.change, because: culprit });
          moved = true;
        }
      }
    }
  };
  const next = (): Node | undefined =>
    [...pending.values()].find(
      (n) => n.waitsFor.every((k) => finished.has(k)) && (n.late || rollouts.mayStart(n.change)),
    );

  for (;;) {
    settle();
    while (running.size < options.parallelism && !options.interrupted()) {
      const node = next();
      if (node === undefined) {
        break;
      }
      pending.delete(node.key);
      rollouts.started(node);
      const task = runNode(context, node, journal, options).then((outcome) => {
        running.delete(node.key);
        rollouts.ended(node, outcome !== undefined);
        if (outcome === undefined) {
          finished.add(node.key);
          done.add(node.change);
        } else {
          broken.set(node.key, node.change.address);
          done.delete(node.change);
          if ('undone' in outcome) {
            abandoned.push(outcome);
          } else {
            failed.push(outcome);
          }
        }
      });
      running.set(node.key, task);
    }
    if (running.size === 0) {
      break;
    }
    await Promise.race(running.values());
  }
  for (const change of [...done].filter((c) => rollouts.goesBack(c))) {
    done.delete(change);
    const { error } = await takeBack(context, change, change.steps, options);
    if (error !== undefined) {
      failed.push({ change, step: 'take the new one back', at: 0, done: [], left: [], error });
    }
  }
  const failedChanges = new Set([...failed, ...abandoned].map((f) => f.change));
  const notStarted = [...new Set(nodes.map((n) => n.change))].filter((c) => !done.has(c) && !failedChanges.has(c));
  journal.write({ event: 'done' });
  journal.close();
  const isBlocked = plan.changes.some((c) => c.blocked !== undefined);
  const traces = await finish(context, plan, failedChanges.size === 0 && notStarted.length === 0 && !isBlocked);
  return {
    done: [...done].filter((c) => !failedChanges.has(c)),
    failed,
    abandoned,
    notStarted,
    traces,
    steps: stepCount(plan.changes),
  };
}

/** Runs one node's steps; a failure ends the node and names the step. */
async function runNode(
  context: ExecutionContext,
  node: Node,
  journal: Journal,
  options: ApplyOptions,
): Promise<Failure | Abandoned | undefined> {
  const { change, steps } = node;
  const { abandon } = options;
  const began = performance.now();
  const elapsed = (): number => Math.round(performance.now() - began);
  if (!node.late) {
    options.onEvent({ type: 'start', change, first: node.first, last: lastOf(node) });
  }
  journal.write({ event: 'begin', address: change.address, action: change.action, steps: [node.first, lastOf(node)] });
  let at = 0;
  const unfinished = (): Unfinished => ({
    change,
    step: at < steps.length ? describeStep(steps[at] as Step) : '',
    at: node.first + at,
    done: steps.slice(0, at).map(describeStep),
    left: steps.slice(at + 1).map(describeStep),
  });
  try {
    for (const step of steps) {
      if (abandon?.aborted === true) {
        break;
      }
      options.onEvent({ type: 'step', change, step, number: node.first + at });
      faultPoint(change.address, step.op, 'before');
      await requireUnmoved(context, change, step);
      if (!(await runUnlessAbandoned(context, step, abandon))) {
        break;
      }
      faultPoint(change.address, step.op, 'after');
      at++;
    }
  } catch (cause) {
    const error = asError(cause, change);
    const step = node.first + at;
    journal.write({ event: 'failed', address: change.address, action: change.action, step, error: error.message });
    options.onEvent({ type: 'failed', change, ms: elapsed(), error });
    if (change.createFirst === true && change.rollout !== undefined && !node.late) {
      const { error: remains } = await takeBack(context, change, steps.slice(0, at), options);
      return { ...unfinished(), error, remains };
    }
    return { ...unfinished(), error };
  }
  if (at < steps.length) {
    const { undone, error } = await undo(context, change, steps.slice(0, at), (cause) => asError(cause, change));
    journal.write({ event: 'abandoned', address: change.address, action: change.action, step: node.first + at });
    options.onEvent({ type: 'abandoned', change, ms: elapsed(), undone });
    return { ...unfinished(), undone, error };
  }
  journal.write({ event: 'end', address: change.address, action: change.action });
  if (change.lateSteps.length === 0 || node.late) {
    options.onEvent({ type: 'done', change, ms: elapsed() });
  }
  return undefined;
}

/** A new replica goes, and the old one beside it goes on. */
async function takeBack(
  context: ExecutionContext,
  change: PlannedChange,
  done: readonly Step[],
  options: ApplyOptions,
): Promise<{ readonly error: TsboxError | undefined }> {
  const { undone, error } = await undo(context, change, done, (cause) => asError(cause, change));
  if (undone.length > 0 && error === undefined) {
    options.onEvent({
      type: 'note',
      change,
      text: 'the new one was taken back, the old one goes on',
    });
  }
  return { error };
}

/** Any failure as a TsboxError with its address, syscall and errno. */
function asError(cause: unknown, change: PlannedChange): TsboxError {
  if (cause instanceof TsboxError) {
    return new TsboxError(cause.code, cause.message, { at: change.at, ...cause.info, address: change.address });
  }
  const native = cause as NodeJS.ErrnoException;
  return new TsboxError('TSB3001', native.message, {
    at: change.at,
    address: change.address,
    syscall: native.syscall,
    errno: native.errno,
    errnoCode: native.code,
    subject: native.path,
    cause,
  });
}

/** Gives our own directories the protection of memory that is asked for below them: resources/cgroup/protection.ts. */
function handProtectionOn({ kernel, stackName }: ExecutionContext): void {
  const mount = kernel.layout.byController.get('memory')?.mount ?? '';
  kernel.write(protectionGaps(kernel, stackName).map((g) => ({ path: `${mount}${g.path}/${g.file}`, data: g.wanted })));
}

/** Records what the stack now consists of, or takes its last traces away. */
async function finish(context: ExecutionContext, plan: Plan, complete: boolean): Promise<TsboxError | undefined> {
  if (plan.refreshOnly !== true) {
    if (plan.declared.length === 0) {
      if (complete) {
        try {
          await removeStackRoot(context);
        } catch (error) {
          if (error instanceof TsboxError) {
            return error;
          }
          throw error;
        }
        handProtectionOn(context);
      }
      return undefined;
    }
    handProtectionOn(context);
    const staying = plan.changes.filter((c) => c.blocked !== undefined).map((c) => c.address);
    releaseIds(context.kernel, context.stackName, [...plan.declared, ...staying]);
  }
  if (complete && plan.complete) {
    context.kernel.setXattr(primaryDirectory(context, ''), STACK_XATTR, plan.declared.join('\n'));
  }
  return undefined;
}
