import type { Command } from '../main.ts';
import { TsboxError } from '../../errors.ts';
import { sendSignal, signalNumber } from '../send-signal.ts';
import { withTargets } from '../target.ts';

const USAGE = 'tsbox signal ADDRESS… SIGNAL [--all] [--stack NAME]';

export const command: Command = {
  options: ['stack', 'all', 'lock-timeout'],
  usage: USAGE,
  help: [
    "Sends a signal (TERM, SIGHUP, RTMIN+3, 15) to a container's main process, or with --all to each of its processes.",
    'For a cgroup: to every process in it and below. What is frozen takes it when thawed, SIGKILL on v2 excepted.',
  ].join('\n'),
  async run(args) {
    const addresses = args.positionals.slice(0, -1);
    if (addresses.length === 0) {
      throw new TsboxError('TSB2001', 'an address and a signal are expected', { hint: USAGE });
    }
    const signal = await signalNumber(args.positionals.at(-1));
    const options = { all: args.flags.all === true, quiet: args.flags.quiet === true };
    return withTargets(args, 'signal', addresses, (context, target) => sendSignal(context, target, signal, options));
  },
};
