import type { Command } from '../main.ts';
import { out } from '../output.ts';
import { someAddresses, withTargets } from '../target.ts';

/** `freeze`, and `pause`, which is what Docker calls it. */
export function freezeCommand(name: 'freeze' | 'pause'): Command {
  const usage = `tsbox ${name} ADDRESS… [--stack NAME] [--lock-timeout SECONDS]`;
  return {
    options: ['stack', 'lock-timeout'],
    usage,
    help: [
      'Freezes containers or cgroups with everything below them, and waits until the kernel says that all of it stands',
      'still. A name stands for all replicas of a container.',
      'It is an order of the moment: plan shows it as drift where the stack says `freeze`.',
      ...(name === 'pause' ? ['It is what `tsbox freeze` does; `tsbox unpause` ends it.'] : []),
    ].join('\n'),
    async run(args) {
      return withTargets(args, name, someAddresses(args, usage), async (context, target) => {
        const control = await import('../../executor/control.ts');
        await control.freeze(context, target.entry.path);
        if (args.flags.quiet !== true) {
          out(`${target.address}: frozen\n`);
        }
      });
    },
  };
}

export const command = freezeCommand('freeze');
