import type { Arguments } from '../args.ts';
import type { Command } from '../main.ts';
import type { validateJson } from '../../report/validate-json.ts';
import type { Stack } from '../../stack/types.ts';
import { errorsOf } from '../../errors.ts';
import { EXIT } from '../exit.ts';
import { out } from '../output.ts';
import { loadStackFor } from '../session.ts';

export const command: Command = {
  options: ['file', 'var', 'var-file', 'json'],
  words: 0,
  usage: 'tsbox validate [-f FILE]… [--var NAME=VALUE]… [--json]',
  help: 'Checks stack files, or the files of tests (*.test.yaml), without looking at the kernel; needs no privileges. Prints every error with its place.',
  async run(args) {
    if (args.files.some((f) => f.endsWith('.test.yaml'))) {
      return ofTests(args);
    }
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

/** Test files alone; the stacks in them are read by the runs, each with its own variables. */
async function ofTests(args: Arguments): Promise<number> {
  const { loadTestFiles } = await import('../test/find.ts');
  if (args.flags.json === true) {
    return documentOf(() => {
      loadTestFiles(args.files);
      return Promise.resolve([[], undefined]);
    });
  }
  for (const { name, runs } of loadTestFiles(args.files)) {
    out(
      args.flags.quiet === true
        ? ''
        : `Test file ${name} is valid: ${runs.length} run${runs.length === 1 ? '' : 's'}.\n`,
    );
  }
  return EXIT.ok;
}

/** Every error and warning is in the document, and nothing on standard error. */
function inJson(args: Arguments): Promise<number> {
  return documentOf(async () => {
    const stack = await loadStackFor({ ...args, flags: { ...args.flags, quiet: true } });
    return [stack.warnings, { name: stack.name, ...countsOf(stack) }];
  });
}

/** @param load the warnings, and what is valid of a stack; throws what is wrong */
async function documentOf(
  load: () => Promise<readonly [Stack['warnings'], Parameters<typeof validateJson>[2]]>,
): Promise<number> {
  const { validateJson } = await import('../../report/validate-json.ts');
  try {
    out(validateJson([], ...(await load())));
    return EXIT.ok;
  } catch (error) {
    out(validateJson(errorsOf(error), [], undefined));
    return EXIT.error;
  }
}
