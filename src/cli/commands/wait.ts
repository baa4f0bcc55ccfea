import type { Command } from '../main.ts';
import { secondsOption } from '../args.ts';
import { EXIT } from '../exit.ts';
import { err, out, printError } from '../output.ts';
import { requirePrivileges } from '../session.ts';
import { findAllTargets, fullAddress, someAddresses } from '../target.ts';

const USAGE = 'tsbox wait CONTAINER… [--stack NAME] [--timeout SECONDS] [--json]';

export const command: Command = {
  options: ['stack', 'timeout', 'json'],
  usage: USAGE,
  help: [
    'Waits until the process of each container ends, and prints its exit code, a line for each in the order given: 128',
    "and the signal for one that a signal ended, '?' where nobody knows. A container that is not running has ended",
    'already; one that its supervisor starts again has ended, too. Nothing is polled: the kernel tells.',
  ].join('\n'),
  async run(args) {
    const wanted = someAddresses(args, USAGE);
    const { openKernel } = await import('../../kernel/kernel.ts');
    const { executionContext } = await import('../../executor/context.ts');
    const { waitForEnd } = await import('../../executor/lifecycle.ts');
    const kernel = openKernel(process.env);
    requirePrivileges(kernel, 'wait');
    const timeout = args.values.timeout === undefined ? Infinity : secondsOption(args, 'timeout', 0, 0, 1e9) * 1000;
    let code: number = EXIT.ok;
    const waits = findAllTargets(kernel, wanted, args.stack, 'container').map((target) => ({
      target,
      end: waitForEnd(executionContext(kernel, target.stack, undefined), target.entry.path, timeout).catch(
        (error: unknown) => ({ error }),
      ),
    }));
    for (const { target, end } of waits) {
      const ended = await end;
      if (ended === undefined) {
        err(`${fullAddress(target)} still runs\n`);
        code = EXIT.error;
      } else if ('error' in ended) {
        await printError(ended.error);
        code = EXIT.error;
      } else if (args.flags.json === true) {
        const { code: exit, signal } = ended;
        out(`${JSON.stringify({ stack: target.stack, address: target.address, exit, signal: signal || null })}\n`);
      } else {
        out(`${ended.code ?? '?'}\n`);
      }
    }
    return code;
  },
};
