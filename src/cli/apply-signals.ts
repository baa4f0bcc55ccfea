/** Signals while an apply runs. */
import { EXIT } from './exit.ts';
import { err } from './output.ts';

export interface Signals {
  readonly interrupted: boolean;
  /** Aborted by the second signal. */
  readonly abandon: AbortSignal;
  stop(): void;
}

/**
 * The first SIGINT or SIGTERM lets the running changes finish, the second gives them up and takes back what is being
 * made, the third ends at once.
 * @param running addresses of what is under way
 */
export function watchSignals(running: () => readonly string[]): Signals {
  const abandon = new AbortController();
  let count = 0;
  const onSignal = (): void => {
    count++;
    const now = running();
    const what = now.length === 0 ? 'nothing is running' : now.slice(0, 8).join(', ') + (now.length > 8 ? ', …' : '');
    if (count === 1) {
      err(`\nInterrupt received: finishing what is running (${what}), starting nothing more.\n`);
      err(
        'Once more gives it up: what is being created is removed again, what is being changed stays as far as it is.\n',
      );
    } else if (count === 2) {
      err(`\nSecond interrupt: giving up ${what}. Once more ends at once and leaves it to the next apply.\n`);
      abandon.abort();
    } else {
      err(`\nEnded at once; unfinished: ${what}. tsbox plan shows what is left, tsbox apply goes on from there.\n`);
      process.exit(EXIT.interrupted);
    }
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    get interrupted() {
      return count > 0;
    },
    abandon: abandon.signal,
    stop: () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}
