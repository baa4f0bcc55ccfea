import type { Command } from '../main.ts';
import { secondsOption } from '../args.ts';
import { out } from '../output.ts';
import { containersOf } from '../stack-containers.ts';
import { withTargets } from '../target.ts';

export const command: Command = {
  options: ['file', 'stack', 'var', 'timeout', 'lock-timeout'],
  usage: 'tsbox restart [CONTAINER…] [--stack NAME | -f FILE] [--timeout SECONDS] [--lock-timeout SECONDS]',
  help: [
    'Stops the process of each container by its stop signal and grace, and lets its supervisor start it again: the same',
    'cgroup and limits, a new process, whatever the restart policy says. The stack file is not needed. Without names:',
    'all of the stack. Those that others depend on come first; the others are not touched for it.',
    'A container that is not running is started by `tsbox start`.',
  ].join('\n'),
  async run(args) {
    const { restartNow, startOrder } = await import('../../executor/lifecycle.ts');
    const grace = args.values.timeout === undefined ? undefined : secondsOption(args, 'timeout', 0, 0, 86_400) * 1000;
    return withTargets(
      args,
      'restart',
      await containersOf(args),
      async (context, target) => {
        const { pid } = await restartNow(context, target.entry.path, grace);
        if (args.flags.quiet !== true) {
          out(`${target.address}: restarted (pid ${pid})\n`);
        }
      },
      { only: 'container', order: startOrder },
    );
  },
};
