/** The live list: one line per change, or one line for all where the terminal is too small for a list. */
import { Listr, type ListrTask, type ListrTaskWrapper, type DefaultRenderer, type SimpleRenderer } from 'listr2';
import type { ApplyEvent } from '../executor/index.ts';
import type { PlannedChange } from '../planner/plan.ts';
import { describeStep } from '../resources/step-text.ts';
import type { Progress } from './progress.ts';

type Wrapper = ListrTaskWrapper<unknown, typeof DefaultRenderer, typeof SimpleRenderer>;

interface Line {
  readonly finished: Promise<void>;
  readonly finish: () => void;
  readonly fail: (error: Error) => void;
  wrapper: Wrapper | undefined;
}

function line(): Line {
  let finish: () => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const finished = new Promise<void>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  // Where one line stands for all of them nothing waits for it.
  finished.catch(() => undefined);
  return { finished, finish, fail, wrapper: undefined };
}

const ROWS_KEPT = 4;

export function liveProgress(changes: readonly PlannedChange[], rows: number): Progress {
  const lines = new Map(changes.map((c) => [c.address, line()]));
  const asList = changes.length + ROWS_KEPT <= rows;
  const all = line();
  let done = 0;
  const tasks: ListrTask[] = asList
    ? changes.map((change) => ({
        title: change.address,
        task: (_: unknown, wrapper: Wrapper) => {
          const own = lines.get(change.address) ?? line();
          own.wrapper = wrapper;
          return own.finished;
        },
      }))
    : [
        {
          title: `0 of ${changes.length} changes`,
          task: (_: unknown, wrapper: Wrapper) => {
            all.wrapper = wrapper;
            return all.finished;
          },
        },
      ];
  const list = new Listr(tasks, { concurrent: true, exitOnError: false, collectErrors: false, renderer: 'default' });
  const running = list.run().catch(() => undefined);
  const count = (): void => {
    done++;
    if (all.wrapper !== undefined) {
      all.wrapper.title = `${done} of ${changes.length} changes`;
    }
  };
  return {
    event(event: ApplyEvent) {
      const own = lines.get(event.change.address);
      if (own === undefined) {
        return;
      }
      switch (event.type) {
        case 'step':
          if (own.wrapper !== undefined) {
            own.wrapper.title = `${event.change.address}  ${event.number} ${describeStep(event.step)}`;
          }
          break;
        case 'done':
          if (own.wrapper !== undefined) {
            own.wrapper.title = `${event.change.address}  ${(event.ms / 1000).toFixed(2)} s`;
          }
          own.finish();
          count();
          break;
        case 'failed':
          own.fail(new Error(`${event.change.address}  ${event.error.message}`));
          count();
          break;
        case 'abandoned':
          own.fail(new Error(`${event.change.address}  given up`));
          count();
          break;
        case 'skipped':
          own.wrapper?.skip(`${event.change.address}  not started, because ${event.because} failed`);
          own.finish();
          break;
        case 'note':
        case 'start':
          break;
      }
    },
    async end() {
      for (const own of lines.values()) {
        own.finish();
      }
      all.finish();
      await running;
    },
  };
}
