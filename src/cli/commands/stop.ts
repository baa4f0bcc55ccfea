import type { Command } from '../main.ts';
import { secondsOption } from '../args.ts';
import { out } from '../output.ts';
import { containersOf } from '../stack-containers.ts';
import { withTargets } from '../target.ts';

export const command: Command = {
  options: ['file', 'stack', 'var', 'timeout', 'lock-timeout'],
  usage: 'tsbox stop [CONTAINER…] [--stack NAME | -f FILE] [--timeout SECONDS] [--lock-timeout SECONDS]',
  help: [
    'Stops containers: their stop signal, their grace, then the end of everything in their cgroups. Without names: all',
    'of the stack. Whoever depends on another is stopped before it; a name stands for all replicas of a container.',
    'They stay stopped whatever their restart policy says, until `tsbox start` or the next apply; plan shows it as drift.',
    'With restart: unless-stopped the next apply leaves them stopped, too, and plan only says that they are.',
  ].join('\n'),
  async run(args) {
    const { stopNow, stopOrder } = await import('../../executor/lifecycle.ts');
    const grace = args.values.timeout === undefined ? undefined : secondsOption(args, 'timeout', 0, 0, 86_400) * 1000;
    return withTargets(
      args,
      'stop',
      await containersOf(args),
      async (context, target) => {
        const stopped = await stopNow(context, target.entry.path, grace);
        if (args.flags.quiet !== true) {
          out(`${target.address}: ${stopped ? 'stopped' : 'was not running'}\n`);
        }
      },
      { only: 'container', order: stopOrder },
    );
  },
};
