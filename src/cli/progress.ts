/** Progress of an apply: a live list on a terminal, plain lines without one, a stream for machines. */
import type { ApplyEvent } from '../executor/index.ts';
import type { Plan, PlannedChange } from '../planner/plan.ts';
import { err, out } from './output.ts';

export interface Progress {
  event(event: ApplyEvent): void;
  end(): Promise<void>;
}

export interface ProgressOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly noColor: boolean;
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

export async function startProgress(plan: Plan, options: ProgressOptions): Promise<Progress> {
  if (options.json) {
    return jsonProgress();
  }
  if (options.quiet) {
    return { event: () => undefined, end: async () => undefined };
  }
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

function plainProgress(): Progress {
  return {
    event(event) {
      if (event.change.action === 'no-op') {
        return;
      }
      const { address, action } = event.change;
      switch (event.type) {
        case 'start':
          err(`${address}: ${DOING[action]}...\n`);
          break;
        case 'done':
          err(`${address}: ${DONE[action]} after ${seconds(event.ms)}\n`);
          break;
        case 'failed':
          err(`${address}: FAILED after ${seconds(event.ms)}\n`);
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
    end: async () => undefined,
  };
}

async function jsonProgress(): Promise<Progress> {
  const { diagnosticJson, hookJson } = await import('../report/plan-json.ts');
  return {
    event(event) {
      switch (event.type) {
        case 'start':
          out(`${hookJson('apply_start', event.change, 0)}\n`);
          break;
        case 'done':
          out(`${hookJson('apply_complete', event.change, event.ms / 1000)}\n`);
          break;
        case 'failed':
          out(`${hookJson('apply_errored', event.change, event.ms / 1000)}\n`);
          out(`${diagnosticJson('error', event.error.message, event.error.info.hint ?? '', event.change.address)}\n`);
          break;
        case 'skipped':
          out(`${hookJson('apply_skipped', event.change, 0, { because: event.because })}\n`);
          break;
        case 'note':
          out(`${hookJson('apply_progress', event.change, 0, { note: event.text })}\n`);
          break;
        case 'step':
          break;
      }
    },
    end: async () => undefined,
  };
}
