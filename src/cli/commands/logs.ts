import type { Command } from '../main.ts';
import { numberOption } from '../args.ts';
import { EXIT } from '../exit.ts';
import { TsboxError } from '../../errors.ts';
import { out } from '../output.ts';
import { requirePrivileges } from '../session.ts';

export const command: Command = {
  options: ['stack', 'tail', 'timestamps', 'follow'],
  usage: 'tsbox logs CONTAINER… [--stack NAME] [--tail N] [--timestamps] [--follow]',
  help: 'Shows what containers wrote to standard output and error, rotated files first. --follow goes on until the container ends.',
  async run(args) {
    if (args.positionals.length === 0) {
      throw new TsboxError('TSB2001', 'logs needs the name of a container', {
        hint: 'tsbox logs web; tsbox ps lists them',
      });
    }
    const { openReader } = await import('../../kernel/reader.ts');
    const { findContainer } = await import('../containers.ts');
    const { leafName } = await import('../../resources/container/replica-names.ts');
    const { readLog, followLog } = await import('../log-file.ts');
    const reader = openReader(process.env);
    requirePrivileges(reader, 'logs');
    const tail = numberOption(args, 'tail', -1, 0, 10_000_000);
    const several = args.positionals.length > 1;
    const targets = args.positionals.map((wanted) => findContainer(reader, wanted, args.stack));
    const follows: Promise<void>[] = [];
    for (const c of targets) {
      const path = `${reader.settings.runDir}/${c.stack}/logs/${leafName(c.name)}.log`;
      const prefix = several ? `${c.name} | ` : '';
      const print = (line: string): void =>
        out(`${prefix}${args.flags.timestamps === true ? line : line.replace(/^\S+ \S+ \S+ ?/, '')}\n`);
      const { lines, position } = readLog(path);
      (tail === -1 ? lines : tail === 0 ? [] : lines.slice(-tail)).forEach(print);
      if (args.flags.follow === true) {
        follows.push(
          followLog(
            path,
            position,
            print,
            () => findContainer(reader, `container/${c.stack}:${c.name}`, undefined).supervised,
          ),
        );
      }
    }
    await Promise.all(follows);
    return EXIT.ok;
  },
};
