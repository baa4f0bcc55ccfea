/** What most commands begin with: a stack, a reader or a kernel, a plan. */
import { TsboxError } from '../errors.ts';
import { CAP_SYS_ADMIN, hasCapability, type KernelReader } from '../kernel/reader.ts';
import type { Stack } from '../stack/types.ts';
import type { Arguments } from './args.ts';
import { err, hideSecrets } from './output.ts';

/**
 * Loads the stack files and prints their warnings.
 * @param texts files that are not read, by name
 */
export async function loadStackFor(args: Arguments, texts?: ReadonlyMap<string, string>): Promise<Stack> {
  const { loadStack, renderWarning } = await import('../stack/index.ts');
  const files = args.lists['var-file'] ?? [];
  const given = files.length === 0 ? {} : (await import('../stack/var-file.ts')).readVariableFiles(files);
  const stack = loadStack(args.files, {
    variables: { ...given, ...args.variables },
    env: process.env,
    ...(texts === undefined ? {} : { texts }),
  });
  if (stack.conditions.length > 0) {
    (await import('../stack/cel.ts')).compiled(stack.conditions);
  }
  const { secretTexts } = await import('../resources/files.ts');
  hideSecrets(stack, secretTexts(stack.secrets.values()));
  if (args.flags.quiet !== true) {
    for (const warning of stack.warnings) {
      err(`${renderWarning(warning)}\n`);
    }
  }
  return stack;
}

/** The stack's name, from --stack or its file. */
export async function stackNameFor(args: Arguments): Promise<{ name: string; stack: Stack | undefined }> {
  if (args.stack !== undefined) {
    const { NAME_PATTERN } = await import('../resources/units.ts');
    if (!NAME_PATTERN.test(args.stack)) {
      throw new TsboxError('TSB2001', `'${args.stack}' is not the name of a stack`);
    }
    return { name: args.stack, stack: undefined };
  }
  const stack = await loadStackFor(args);
  return { name: stack.name, stack };
}

/** Commands that act need the privileges to; they say so before anything is touched. */
export function requirePrivileges(reader: KernelReader, what: string): void {
  if (!hasCapability(reader, CAP_SYS_ADMIN)) {
    throw new TsboxError('TSB2002', `${what} needs CAP_SYS_ADMIN, which this process does not have`, {
      hint: 'run it as root; validate and plan work without',
    });
  }
}

export function printWarnings(warnings: readonly string[], args: Arguments): void {
  if (args.flags.quiet !== true) {
    for (const warning of warnings) {
      err(`warning: ${warning}\n`);
    }
  }
}
