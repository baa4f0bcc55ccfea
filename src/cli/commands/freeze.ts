import type { Command } from '../main.ts';
import { EXIT } from '../exit.ts';
import { out } from '../output.ts';
import { onlyAddress, withTarget } from '../target.ts';

const USAGE = 'tsbox freeze ADDRESS [--stack NAME] [--lock-timeout SECONDS]';

export const command: Command = {
  options: ['stack', 'lock-timeout'],
  usage: USAGE,
  help: [
    'Freezes a container or cgroup with everything below it, and waits until the kernel says that all of it stands still.',
    'It is an order of the moment: plan shows it as drift where the stack says `freeze`.',
  ].join('\n'),
  async run(args) {
    return withTarget(args, 'freeze', onlyAddress(args, USAGE), async (context, target) => {
      const control = await import('../../executor/control.ts');
      await control.freeze(context, target.entry.path);
      if (args.flags.quiet !== true) {
        out(`${target.address}: frozen\n`);
      }
      return EXIT.ok;
    });
  },
};
