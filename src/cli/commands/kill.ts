import type { Command } from '../main.ts';
import { EXIT } from '../exit.ts';
import { out } from '../output.ts';
import { onlyAddress, withTarget } from '../target.ts';

const USAGE = 'tsbox kill ADDRESS [--stack NAME] [--lock-timeout SECONDS]';

export const command: Command = {
  options: ['stack', 'lock-timeout'],
  usage: USAGE,
  help: [
    'Ends every process of a container, or of a cgroup and all below it, in one act that no fork outruns: cgroup.kill, and',
    'on v1 freezing first. Containers ended so are not started again by their restart policy; the next apply starts them.',
  ].join('\n'),
  async run(args) {
    return withTarget(args, 'kill', onlyAddress(args, USAGE), async (context, target) => {
      const { killSubtree } = await import('../../executor/control.ts');
      const ended = await killSubtree(context, target.entry.path);
      if (args.flags.quiet !== true) {
        const others = ended.filter((a) => a !== target.address);
        out(`${target.address}: killed${others.length === 0 ? '' : `, with ${others.join(', ')}`}\n`);
      }
      return EXIT.ok;
    });
  },
};
