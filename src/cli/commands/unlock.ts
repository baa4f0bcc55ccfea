import type { Command } from '../main.ts';
import { numberOption } from '../args.ts';
import { EXIT } from '../exit.ts';
import { out } from '../output.ts';
import { requirePrivileges, stackNameFor } from '../session.ts';

const SIGTERM = 15;
const SIGKILL = 9;

/** How long the lock takes to be let go of by a process that has ended, ms. */
const SETTLE = 2000;

export const command: Command = {
  options: ['file', 'stack', 'var', 'json', 'kill', 'timeout'],
  words: 0,
  usage: 'tsbox unlock [-f FILE | --stack NAME] [--kill [-t SECONDS]] [--json]',
  help: [
    'Shows who holds the lock of a stack. The kernel drops the lock with the process that has it, so none can be left',
    'behind: while there is one, somebody is at work, and there is nothing to unlock.',
  ].join('\n'),
  async run(args) {
    const { name } = await stackNameFor(args);
    const { openKernel } = await import('../../kernel/kernel.ts');
    const { holderText, lockDirectory, lockHolder } = await import('../../resources/lock-holder.ts');
    const kernel = openKernel(process.env);
    const directory = lockDirectory(kernel, name);
    const holder = lockHolder(kernel, directory);
    if (args.flags.json === true) {
      const json = holder && { ...holder, since: holder.since?.toISOString() ?? null };
      out(`${JSON.stringify({ stack: name, holder: json ?? null }, null, 2)}\n`);
    } else {
      out(`Stack ${name} is ${holder === undefined ? 'not locked' : `locked by ${holderText(holder)}`}.\n`);
    }
    if (holder === undefined || args.flags.kill !== true) {
      return holder === undefined ? EXIT.ok : EXIT.locked;
    }
    requirePrivileges(kernel, 'unlock --kill');
    const fd = kernel.openProcess(holder.pid, holder.startTime);
    if (fd !== undefined) {
      try {
        kernel.signal(fd, SIGTERM);
        if (!(await kernel.waitProcess(fd, numberOption(args, 'timeout', 30, 0, 86_400) * 1000))) {
          kernel.signal(fd, SIGKILL);
          await kernel.waitProcess(fd, SETTLE);
        }
      } finally {
        kernel.close(fd);
      }
    }
    const after = lockHolder(kernel, directory);
    if (args.flags.json !== true) {
      out(after === undefined ? 'It has ended.\n' : `Now it is locked by ${holderText(after)}.\n`);
    }
    return after === undefined ? EXIT.ok : EXIT.locked;
  },
};
