/** Signals while tests run: what they made is removed all the same. */
import { EXIT } from '../exit.ts';
import { err } from '../output.ts';

export interface Interrupt {
  readonly received: boolean;
  /** Aborted by the second signal. */
  readonly abandon: AbortSignal;
  stop(): void;
}

/** @param left where things are that nobody removes when it ends at once */
export function watchInterrupts(left: () => string | undefined): Interrupt {
  const abandon = new AbortController();
  let count = 0;
  const onSignal = (): void => {
    count++;
    if (count === 1) {
      err('\nInterrupt received: finishing what is running, then removing what the tests made.\n');
    } else if (count === 2) {
      err('\nSecond interrupt: giving up what is running. Once more ends at once and leaves what the tests made.\n');
      abandon.abort();
    } else {
      const where = left();
      err(where === undefined ? '\nEnded at once.\n' : `\nEnded at once; what is left is found with ${where}.\n`);
      process.exit(EXIT.interrupted);
    }
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    get received() {
      return count > 0;
    },
    abandon: abandon.signal,
    stop: () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}
