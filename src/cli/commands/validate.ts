import type { Arguments } from '../args.ts';
import type { Command } from '../main.ts';
import type { Stack } from '../../stack/types.ts';
import { TsboxError, TsboxErrors } from '../../errors.ts';
import { EXIT } from '../exit.ts';
import { out } from '../output.ts';
import { loadStackFor } from '../session.ts';

export const command: Command = {
  options: ['file', 'var', 'var-file', 'json'],
  usage: 'tsbox validate [-f FILE]… [--var NAME=VALUE]… [--json]',
  help: 'Checks stack files without looking at the kernel; needs no privileges. Prints every error with its place.',
  async run(args) {
    if (args.flags.json === true) {
      return inJson(args);
    }
    const stack = await loadStackFor(args);
    if (args.flags.quiet !== true) {
      const parts = Object.entries(countsOf(stack)).map(([what, n]) => `${n} ${n === 1 ? what.slice(0, -1) : what}`);
      out(`Stack ${stack.name} is valid: ${parts.join(', ')}.\n`);
    }
    return EXIT.ok;
  },
};

function countsOf(stack: Stack): { cgroups: number; namespaces: number; containers: number } {
  return {
    cgroups: stack.cgroups.size,
    namespaces: stack.namespaces.size,
    containers: stack.containers.size,
  };
}

/** Every error and warning is in the document, and nothing on standard error. */
async function inJson(args: Arguments): Promise<number> {
  const { validateJson } = await import('../../report/validate-json.ts');
  try {
    const stack = await loadStackFor({ ...args, flags: { ...args.flags, quiet: true } });
    out(validateJson([], stack.warnings, { name: stack.name, ...countsOf(stack) }));
    return EXIT.ok;
  } catch (error) {
    const errors = error instanceof TsboxErrors ? error.errors : error instanceof TsboxError ? [error] : undefined;
    if (errors === undefined) {
      throw error;
    }
    out(validateJson(errors, [], undefined));
    return EXIT.error;
  }
}
