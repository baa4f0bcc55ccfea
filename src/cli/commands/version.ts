import type { Command } from '../main.ts';
import { EXIT } from '../exit.ts';
import { out } from '../output.ts';
import { VERSION } from '../version.ts';

export const command: Command = {
  options: ['json'],
  words: 0,
  usage: 'tsbox version [--json]',
  help: 'Prints the version of tsbox, of Node and of the kernel.',
  async run(args) {
    if (args.flags.json === true) {
      out(
        `${JSON.stringify({ tsbox: VERSION, node: process.version, platform: `${process.platform}-${process.arch}` })}\n`,
      );
    } else {
      out(`tsbox ${VERSION} (node ${process.version}, ${process.platform}-${process.arch})\n`);
    }
    return EXIT.ok;
  },
};
