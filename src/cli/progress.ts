/** Progress of an apply: a live list on a terminal, plain lines without one, a stream for machines. */
import type { ApplyEvent } from '../executor/index.ts';
import type { Plan, PlannedChange } from '../planner/plan.ts';
import type { Step } from '../resources/step.ts';
import { err } from './output.ts';
import { emit, isStreaming } from './stream.ts';

export interface Progress {
  event(event: ApplyEvent): void;
  end(): Promise<void>;
}

const DOING: Readonly<Record<PlannedChange['action'], string>> = {
  create: 'Creating',
  update: 'Changing in place',
  restart: 'Restarting',
  replace: 'Replacing',
  delete: 'Destroying',
  'no-op': 'Recording',
};

const DONE: Readonly<Record<PlannedChange['action'], string>> = {
  create: 'Creation complete',
  update: 'Changed in place',
  restart: 'Restarted',
  replace: 'Replaced',
  delete: 'Destruction complete',
  'no-op': 'Recorded',
};

/** @param quiet no text */
export async function startProgress(plan: Plan, quiet: boolean): Promise<Progress> {
  const all = [...(isStreaming() ? [await streamProgress(plan)] : []), ...(quiet ? [] : [await textProgress(plan)])];
  return {
    event: (event) => all.forEach((p) => p.event(event)),
    async end() {
      for (const progress of all) {
        await progress.end();
      }
    },
  };
}

async function textProgress(plan: Plan): Promise<Progress> {
  const changes = plan.changes.filter((c) => c.action !== 'no-op');
  const rows = process.stderr.rows ?? 0;
  if (process.stderr.isTTY && changes.length > 0 && (process.env['TERM'] ?? '') !== 'dumb') {
    const { liveProgress } = await import('./progress-live.ts');
    return liveProgress(changes, rows);
  }
  return plainProgress();
}

function seconds(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(2)}s` : `${Math.round(ms / 1000)}s`;
}

/** The numbers that its steps have in the plan. */
function stepsText({ first, last }: Extract<ApplyEvent, { type: 'start' }>): string {
  return first < last ? ` (steps ${first} to ${last})` : first === last ? ` (step ${first})` : '';
}

function plainProgress(): Progress {
  const running = new Map<PlannedChange, { began: number; step: number }>();
  const heartbeat = setInterval(() => {
    for (const [{ address, action }, { began, step }] of running) {
      const ms = performance.now() - began;
      if (ms >= HEARTBEAT - 100) {
        err(`${address}: Still ${DOING[action].toLowerCase()}... [${seconds(ms)} elapsed, at step ${step}]\n`);
      }
    }
  }, HEARTBEAT);
  heartbeat.unref();
  return {
    event(event) {
      if (event.change.action === 'no-op') {
        return;
      }
      const { address, action } = event.change;
      const at = running.get(event.change)?.step;
      if (event.type === 'start') {
        running.set(event.change, { began: performance.now(), step: event.first });
      } else if (event.type === 'step') {
        running.set(event.change, { began: performance.now(), ...running.get(event.change), step: event.number });
      } else if (event.type === 'done' || event.type === 'failed' || event.type === 'abandoned') {
        running.delete(event.change);
      }
      switch (event.type) {
        case 'start':
          err(`${address}: ${DOING[action]}...${stepsText(event)}\n`);
          break;
        case 'done':
          err(`${address}: ${DONE[action]} after ${seconds(event.ms)}\n`);
          break;
        case 'abandoned':
          err(`${address}: given up at step ${at ?? ''} after ${seconds(event.ms)}\n`);
          break;
        case 'failed':
          err(`${address}: FAILED at step ${at ?? ''} after ${seconds(event.ms)}\n`);
          break;
        case 'skipped':
          err(`${address}: not started, because ${event.because} failed\n`);
          break;
        case 'note':
          err(`${address}: ${event.text}\n`);
          break;
        case 'step':
          break;
      }
    },
    end: async () => clearInterval(heartbeat),
  };
}

/** How often a change that takes long says that it goes on, ms. */
const HEARTBEAT = 10_000;

/** Steps with which the new one begins, where something is replaced: before them the old one was being removed. */
const MAKING: ReadonlySet<Step['op']> = new Set(['cgroup-make', 'namespace-make', 'volume-make', 'start']);

/** Steps with which the old one goes, where the new one is made before. */
const REMOVING: ReadonlySet<Step['op']> = new Set(['stop', 'cgroup-remove', 'namespace-remove', 'volume-remove']);

/** Whether a step is the first of what comes second in a replacement. */
function isSecondPass({ createFirst }: PlannedChange, pass: PlannedChange['action'], { op }: Step): boolean {
  return createFirst === true ? pass === 'create' && REMOVING.has(op) : pass === 'delete' && MAKING.has(op);
}

/** What of a change is under way: the operation of its step, and its number in the plan. */
interface Pass {
  readonly began: number;
  readonly action: PlannedChange['action'];
  readonly step?: Step['op'];
  readonly number?: number;
}

/** What a machine is told: a replacement as a deletion and a creation, and that something goes on every ten seconds. */
async function streamProgress(plan: Plan): Promise<Progress> {
  const { hookJson } = await import('../report/plan-json.ts');
  const { namingOf } = await import('../report/terraform/names.ts');
  const naming = namingOf(plan.origins);
  const { diagnosticLine } = await import('./diagnostic-lines.ts');
  const passes = new Map<PlannedChange, Pass>();
  const elapsed = (change: PlannedChange): number => (performance.now() - (passes.get(change)?.began ?? 0)) / 1000;
  const begin = (change: PlannedChange, action: PlannedChange['action']): void => {
    passes.set(change, { began: performance.now(), action });
    emit(`${hookJson('apply_start', change, action, 0, naming)}\n`);
  };
  const heartbeat = setInterval(() => {
    for (const [change, { action, step, number }] of passes) {
      if (elapsed(change) * 1000 >= HEARTBEAT - 100) {
        emit(`${hookJson('apply_progress', change, action, elapsed(change), naming, { step, number })}\n`);
      }
    }
  }, HEARTBEAT);
  heartbeat.unref();
  return {
    event(event) {
      const { change } = event;
      const pass = passes.get(change);
      const action = pass?.action ?? change.action;
      switch (event.type) {
        case 'start':
          begin(
            change,
            change.action !== 'replace' ? change.action : change.createFirst === true ? 'create' : 'delete',
          );
          break;
        case 'step':
          if (change.action === 'replace' && isSecondPass(change, action, event.step)) {
            emit(`${hookJson('apply_complete', change, action, elapsed(change), naming)}\n`);
            begin(change, action === 'create' ? 'delete' : 'create');
          }
          passes.set(change, {
            began: performance.now(),
            action,
            ...passes.get(change),
            step: event.step.op,
            number: event.number,
          });
          break;
        case 'done':
          emit(`${hookJson('apply_complete', change, action, elapsed(change), naming)}\n`);
          passes.delete(change);
          break;
        case 'failed': {
          emit(
            `${hookJson('apply_errored', change, action, elapsed(change), naming, { step: pass?.step, number: pass?.number })}\n`,
          );
          emit(`${diagnosticLine(event.error)}\n`);
          passes.delete(change);
          break;
        }
        case 'abandoned':
          emit(`${hookJson('apply_errored', change, action, elapsed(change), naming, { undone: event.undone })}\n`);
          passes.delete(change);
          break;
        case 'skipped':
          emit(`${hookJson('apply_skipped', change, change.action, 0, naming, { because: event.because })}\n`);
          break;
        case 'note':
          emit(`${hookJson('apply_progress', change, action, elapsed(change), naming, { note: event.text })}\n`);
          break;
      }
    },
    end: async () => clearInterval(heartbeat),
  };
}
