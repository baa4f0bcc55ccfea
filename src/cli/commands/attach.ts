import type { Command } from '../main.ts';
import { EXIT } from '../exit.ts';
import { TsboxError } from '../../errors.ts';
import { detachKeys } from '../detach-keys.ts';
import { err } from '../output.ts';
import { requirePrivileges } from '../session.ts';

export const command: Command = {
  options: ['stack', 'no-stdin', 'detach-keys'],
  usage: 'tsbox attach CONTAINER [--stack NAME] [--no-stdin] [--detach-keys KEYS]',
  help: [
    'Connects to what a container writes, to its terminal where it has one (tty: true), and to its standard input (stdin: true',
    'or tty: true), until it ends; then exits with its code. ctrl-p ctrl-q (--detach-keys) leaves a terminal and the',
    'container running. Without a terminal, signals are passed on to its process. Several may be attached; the log goes on.',
  ].join('\n'),
  async run(args) {
    const [wanted] = args.positionals;
    if (wanted === undefined || args.positionals.length !== 1) {
      throw new TsboxError('TSB2001', 'attach needs the name of a container', { hint: 'tsbox ps lists them' });
    }
    const { openKernel } = await import('../../kernel/kernel.ts');
    const { findContainer } = await import('../containers.ts');
    const { parseReport } = await import('../../kernel/init-report.ts');
    const { errnoName } = await import('../../kernel/native.ts');
    const keys = detachKeys(args.values['detach-keys']);
    const kernel = openKernel(process.env);
    requirePrivileges(kernel, 'attach');
    const found = findContainer(kernel, wanted, args.stack);
    if (!found.alive) {
      throw new TsboxError('TSB2004', `container/${found.name} is not running`, { hint: 'tsbox ps shows its state' });
    }
    if (!found.supervised) {
      throw new TsboxError('TSB2004', `container/${found.name} has no supervisor to attach to`, {
        hint: 'tsbox apply puts one back, and what it kept of the terminal with it',
      });
    }
    const result = await kernel.runInteractive({
      mode: 'attach',
      socket: `${kernel.settings.runDir}/${found.stack}/attach/${found.name}`,
      typing: args.flags['no-stdin'] !== true,
      detachKeys: keys,
    });
    const report = parseReport(result.report);
    if (!report.ok) {
      const errno = errnoName(report.errno);
      err(`error[TSB3002]: ${report.step} ${report.path}: ${errno}\n`);
      if (errno === 'ENOENT') {
        err(
          "   = hint: its socket was deleted; 'kill -HUP' to the supervisor, or any change in place, makes it again\n",
        );
      }
      return result.exit > 0 ? result.exit : EXIT.error;
    }
    return result.exit;
  },
};
