import type { Command } from '../main.ts';
import { numberOption } from '../args.ts';
import { runApply } from '../run-apply.ts';
import { stackNameFor } from '../session.ts';

export const command: Command = {
  streams: true,
  options: [
    'file',
    'stack',
    'var',
    'var-file',
    'target',
    'exclude',
    'json',
    'json-into',
    'auto-approve',
    'parallelism',
    'lock-timeout',
    'volumes',
  ],
  words: 0,
  usage: 'tsbox destroy [-f FILE | --stack NAME] [--target ADDRESS]… [--exclude ADDRESS]… [--volumes] [--auto-approve]',
  help: 'Stops and removes everything the stack made: processes, cgroups, namespaces, mounts, files. Volumes and what is in them are kept unless --volumes is given. With --stack its file is not needed.',
  async run(args) {
    const { name, stack } = await stackNameFor(args);
    return runApply(args, name, stack, {
      destroy: true,
      volumes: args.flags.volumes === true,
      parallelism: numberOption(args, 'parallelism', 8, 1, 256),
    });
  },
};
