import type { Command } from '../main.ts';
import { TsboxError } from '../../errors.ts';
import { out } from '../output.ts';
import { someAddresses, withTargets } from '../target.ts';

/** `thaw`, and `unpause`, which is what Docker calls it. */
export function thawCommand(name: 'thaw' | 'unpause'): Command {
  const usage = `tsbox ${name} ADDRESS… [--stack NAME] [--lock-timeout SECONDS]`;
  return {
    options: ['stack', 'lock-timeout'],
    usage,
    help: [
      'Thaws containers or cgroups, and waits until they run. Exit code 1 when a frozen cgroup above keeps one from it.',
      'It is an order of the moment: plan shows it as drift where the stack says `freeze`.',
      ...(name === 'unpause' ? ['It is what `tsbox thaw` does, and ends a `tsbox pause`.'] : []),
    ].join('\n'),
    async run(args) {
      return withTargets(args, name, someAddresses(args, usage), async (context, target) => {
        const control = await import('../../executor/control.ts');
        const above = await control.thaw(context, target.entry.path);
        if (above !== undefined) {
          throw new TsboxError(
            'TSB3008',
            `thawed itself, but stays frozen: ${control.cgroupOf(context, above)} above it is frozen`,
          );
        }
        if (args.flags.quiet !== true) {
          out(`${target.address}: thawed\n`);
        }
      });
    },
  };
}

export const command = thawCommand('thaw');
