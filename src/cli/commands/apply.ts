import type { Command } from '../main.ts';
import { numberOption } from '../args.ts';
import { loadStackFor } from '../session.ts';
import { runApply } from '../run-apply.ts';

export const command: Command = {
  options: ['file', 'var', 'target', 'json', 'auto-approve', 'parallelism', 'lock-timeout'],
  usage:
    'tsbox apply [-f FILE]… [--target ADDRESS]… [--auto-approve] [--parallelism N] [--lock-timeout SECONDS] [--json]',
  help: [
    'Shows the plan, asks, and makes the kernel match the stack: in place wherever the kernel allows.',
    '',
    '  --auto-approve          do not ask',
    '  --target ADDRESS        only this resource and what it needs',
    '  --parallelism N         changes in flight at once (default 8)',
    '  --lock-timeout SECONDS  wait for another apply of the stack (default 0)',
    '',
    'Exit codes: 0 done, 1 error, 4 applied in part, 6 locked, 130 interrupted.',
  ].join('\n'),
  async run(args) {
    const stack = await loadStackFor(args);
    return runApply(args, stack.name, stack, {
      destroy: false,
      parallelism: numberOption(args, 'parallelism', 8, 1, 256),
    });
  },
};
