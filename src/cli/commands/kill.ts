import type { Command } from '../main.ts';
import { out } from '../output.ts';
import { sendSignal, signalNumber } from '../send-signal.ts';
import { someAddresses, withTargets } from '../target.ts';

const USAGE = 'tsbox kill ADDRESS… [--signal SIGNAL] [--stack NAME] [--lock-timeout SECONDS]';

export const command: Command = {
  options: ['stack', 'signal', 'lock-timeout'],
  usage: USAGE,
  help: [
    'Ends every process of a container, or of a cgroup and all below it, in one act that no fork outruns: cgroup.kill, and',
    'on v1 freezing first. Containers ended so are not started again by their restart policy; the next apply starts',
    'them, but for those with restart: unless-stopped, which `tsbox start` starts.',
  ].join('\n'),
  async run(args) {
    const addresses = someAddresses(args, USAGE);
    const quiet = args.flags.quiet === true;
    if (args.values.signal !== undefined) {
      const signal = await signalNumber(args.values.signal);
      return withTargets(args, 'kill', addresses, (context, target) =>
        sendSignal(context, target, signal, { all: false, quiet }),
      );
    }
    return withTargets(args, 'kill', addresses, async (context, target) => {
      const { killSubtree } = await import('../../executor/control.ts');
      const ended = await killSubtree(context, target.entry.path);
      if (!quiet) {
        const others = ended.filter((a) => a !== target.address);
        out(`${target.address}: killed${others.length === 0 ? '' : `, with ${others.join(', ')}`}\n`);
      }
    });
  },
};
