import type { Command } from '../main.ts';
import { TsboxError } from '../../errors.ts';
import { EXIT } from '../exit.ts';
import { out } from '../output.ts';

export const command: Command = {
  options: [],
  usage: 'tsbox completion bash|zsh|fish',
  help: [
    'Prints the script that completes tsbox in a shell: commands, options and their values, and names of containers and',
    'other resources. They come from the stack files of the command line (tsbox.yaml without any) and from what exists.',
    'bash: eval "$(tsbox completion bash)"; zsh, after compinit: source <(tsbox completion zsh);',
    'fish: tsbox completion fish | source.',
  ].join('\n'),
  async run(args) {
    const { SCRIPTS } = await import('../completion/scripts.ts');
    const [shell = ''] = args.positionals;
    const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
    if (script === undefined || args.positionals.length !== 1) {
      throw new TsboxError('TSB2001', 'completion needs the name of a shell', { expected: 'bash, zsh or fish' });
    }
    out(script);
    return EXIT.ok;
  },
};
