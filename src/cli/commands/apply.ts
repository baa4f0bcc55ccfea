import { TsboxError } from '../../errors.ts';
import type { Command } from '../main.ts';
import { numberOption } from '../args.ts';
import { PLANNING } from '../planning.ts';
import { loadStackFor } from '../session.ts';
import { runApply } from '../run-apply.ts';

export const command: Command = {
  streams: true,
  options: [
    ...PLANNING,
    'json',
    'json-into',
    'auto-approve',
    'allow-empty',
    'allow-subset',
    'on-drift',
    'parallelism',
    'lock-timeout',
    'compact',
    'diff-context',
    'steps',
  ],
  usage:
    'tsbox apply [-f FILE]… [--target ADDRESS]… [--exclude ADDRESS]… [--replace ADDRESS]… [--refresh-only] [--on-drift heal|fail] [--auto-approve] [--parallelism N] [--lock-timeout SECONDS] [--json]\ntsbox apply FILE [--allow-subset] [--var NAME=VALUE]… [--parallelism N] [--lock-timeout SECONDS] [--json]',
  help: [
    'Shows the plan, asks, and makes the kernel match the stack: in place wherever the kernel allows.',
    'With the FILE of plan -o it does what that plan says and asks nothing, or refuses when anything that it rests on has',
    'moved since. It carries its own copy of the stack files; sensitive variables must be given again.',
  ].join('\n'),
  async run(args) {
    const parallelism = numberOption(args, 'parallelism', 8, 1, 256);
    if (args.positionals.length > 0) {
      const { applySaved } = await import('../plan-file/apply.ts');
      return applySaved(args, parallelism);
    }
    if (args.flags['allow-subset'] === true) {
      throw new TsboxError('TSB2001', '--allow-subset is for a saved plan: tsbox apply FILE --allow-subset');
    }
    const stack = await loadStackFor(args);
    return runApply(args, stack.name, stack, { destroy: false, parallelism });
  },
};
