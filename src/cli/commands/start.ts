import type { Command } from '../main.ts';
import { loadStackFor } from '../session.ts';
import { stackAddresses } from '../stack-containers.ts';

export const command: Command = {
  options: ['file', 'var', 'lock-timeout'],
  usage: 'tsbox start [CONTAINER…] [-f FILE]… [--lock-timeout SECONDS]',
  help: [
    'Starts containers that were stopped or have ended, and those that they depend on first. Without names: all of the',
    "stack. Their description is the stack file's; where a container differs from it in more than not running, nothing",
    'is started: that is for `tsbox apply`.',
  ].join('\n'),
  async run(args) {
    const stack = await loadStackFor(args);
    const { runStart } = await import('../run-start.ts');
    return runStart(args, stack, stackAddresses(stack, args.positionals));
  },
};
