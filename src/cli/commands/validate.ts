import type { Command } from '../main.ts';
import { EXIT } from '../exit.ts';
import { out } from '../output.ts';
import { loadStackFor } from '../session.ts';

export const command: Command = {
  options: ['file', 'var', 'var-file', 'json'],
  usage: 'tsbox validate [-f FILE]… [--var NAME=VALUE]… [--json]',
  help: 'Checks stack files without looking at the kernel; needs no privileges. Prints every error with its place.',
  async run(args) {
    const stack = await loadStackFor(args);
    const counts = {
      cgroups: stack.cgroups.size,
      namespaces: stack.namespaces.size,
      containers: stack.containers.size,
    };
    if (args.flags.json === true) {
      out(
        `${JSON.stringify({ valid: true, name: stack.name, ...counts, warnings: stack.warnings.map((w) => w.message) })}\n`,
      );
    } else if (args.flags.quiet !== true) {
      const parts = Object.entries(counts).map(([what, n]) => `${n} ${n === 1 ? what.slice(0, -1) : what}`);
      out(`Stack ${stack.name} is valid: ${parts.join(', ')}.\n`);
    }
    return EXIT.ok;
  },
};
