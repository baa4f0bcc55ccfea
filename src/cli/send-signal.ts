/** Signals by order of a person: to a container's main process, or to everything in a target. */
import { TsboxError } from '../errors.ts';
import type { ExecutionContext } from '../executor/context.ts';
import { out } from './output.ts';
import type { Target } from './target.ts';

/** The number of a signal as people write it. */
export async function signalNumber(text: string | undefined): Promise<number> {
  const { parseSignal } = await import('../resources/signals.ts');
  try {
    return parseSignal(text);
  } catch (error) {
    throw new TsboxError('TSB2001', (error as Error).message, { hint: 'a name as TERM or SIGHUP, or 1 to 64' });
  }
}

/** Sends it, and says to how many. `all`: to every process of a container, too. */
export async function sendSignal(
  context: ExecutionContext,
  target: Target,
  signal: number,
  options: { readonly all: boolean; readonly quiet: boolean },
): Promise<void> {
  const { signalName } = await import('../resources/signals.ts');
  const { isFrozen, signalAll, signalProcess } = await import('../executor/control.ts');
  const run = target.entry.run;
  let count = 1;
  if (options.all || !target.address.startsWith('container/')) {
    count = signalAll(context, target.entry.path, signal);
  } else {
    try {
      signalProcess(context.kernel, run?.pid ?? 0, run?.startTime ?? '', signal);
    } catch (error) {
      if (error instanceof TsboxError && error.code === 'TSB2004') {
        throw new TsboxError('TSB2004', `${target.address}: ${error.message}`, { hint: 'tsbox ps shows its state' });
      }
      throw error;
    }
  }
  if (!options.quiet) {
    const frozen = isFrozen(context, target.entry.path) ? ' (frozen: it is taken when thawed)' : '';
    out(`${target.address}: SIG${signalName(signal)} to ${count} process${count === 1 ? '' : 'es'}${frozen}\n`);
  }
}
