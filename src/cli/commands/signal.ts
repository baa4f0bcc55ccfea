import type { Command } from '../main.ts';
import { TsboxError } from '../../errors.ts';
import { EXIT } from '../exit.ts';
import { out } from '../output.ts';
import { onlyAddress, withTarget } from '../target.ts';

const USAGE = 'tsbox signal ADDRESS SIGNAL [--all] [--stack NAME]';

export const command: Command = {
  options: ['stack', 'all', 'lock-timeout'],
  usage: USAGE,
  help: [
    "Sends a signal (TERM, SIGHUP, RTMIN+3, 15) to a container's main process, or with --all to each of its processes.",
    'For a cgroup: to every process in it and below. What is frozen takes it when thawed, SIGKILL on v2 excepted.',
  ].join('\n'),
  async run(args) {
    const address = onlyAddress(args, USAGE, 1);
    const { parseSignal, signalName } = await import('../../resources/signals.ts');
    let signal: number;
    try {
      signal = parseSignal(args.positionals[1]);
    } catch (error) {
      throw new TsboxError('TSB2001', (error as Error).message, { hint: 'a name as TERM or SIGHUP, or 1 to 64' });
    }
    return withTarget(args, 'signal', address, async (context, target) => {
      const { isFrozen, signalAll, signalProcess } = await import('../../executor/control.ts');
      const run = target.entry.run;
      const everyone = args.flags.all === true || !target.address.startsWith('container/');
      let count = 1;
      if (everyone) {
        count = signalAll(context, target.entry.path, signal);
      } else {
        try {
          signalProcess(context.kernel, run?.pid ?? 0, run?.startTime ?? '', signal);
        } catch (error) {
          if (error instanceof TsboxError && error.code === 'TSB2004') {
            throw new TsboxError('TSB2004', `${target.address}: ${error.message}`, {
              hint: 'tsbox ps shows its state',
            });
          }
          throw error;
        }
      }
      if (args.flags.quiet !== true) {
        const frozen = isFrozen(context, target.entry.path) ? ' (frozen: it is taken when thawed)' : '';
        out(`${target.address}: SIG${signalName(signal)} to ${count} process${count === 1 ? '' : 'es'}${frozen}\n`);
      }
      return EXIT.ok;
    });
  },
};
