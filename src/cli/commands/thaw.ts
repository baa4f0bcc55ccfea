import type { Command } from '../main.ts';
import { EXIT } from '../exit.ts';
import { err, out } from '../output.ts';
import { onlyAddress, withTarget } from '../target.ts';

const USAGE = 'tsbox thaw ADDRESS [--stack NAME] [--lock-timeout SECONDS]';

export const command: Command = {
  options: ['stack', 'lock-timeout'],
  usage: USAGE,
  help: [
    'Thaws a container or cgroup, and waits until it runs. Exit code 1 when a frozen cgroup above keeps it from running.',
    'It is an order of the moment: plan shows it as drift where the stack says `freeze`.',
  ].join('\n'),
  async run(args) {
    return withTarget(args, 'thaw', onlyAddress(args, USAGE), async (context, target) => {
      const control = await import('../../executor/control.ts');
      const above = await control.thaw(context, target.entry.path);
      if (above !== undefined) {
        err(
          `${target.address}: thawed itself, but stays frozen: ${control.cgroupOf(context, above)} above it is frozen\n`,
        );
        return EXIT.error;
      }
      if (args.flags.quiet !== true) {
        out(`${target.address}: thawed\n`);
      }
      return EXIT.ok;
    });
  },
};
