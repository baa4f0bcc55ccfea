/** Reading the kernel while the stack files are parsed. */
import { TsboxError } from '../errors.ts';
import type { KernelReader } from '../kernel/reader.ts';
import type { StackScope } from '../resources/scope.ts';
import type { Arguments } from './args.ts';

export interface Early {
  readonly reader: KernelReader;
  readonly scope: StackScope;
}

/** What a plan of these files is likely to rest on, from the beginning of the command on; undefined without a guess. */
export async function readEarly(args: Arguments): Promise<Early | undefined> {
  const { likelyName } = await import('../stack/likely-name.ts');
  const name = likelyName(args.files);
  if (name === undefined) {
    return undefined;
  }
  const { openReader } = await import('../kernel/reader.ts');
  const { readScope } = await import('../resources/scope.ts');
  const { readContainersAhead } = await import('../resources/container/ahead.ts');
  try {
    const reader = openReader(process.env);
    const scope = readScope(reader, name);
    readContainersAhead(reader, scope);
    return { reader, scope };
  } catch (error) {
    // What is wrong with the machine is told after what is wrong with the files.
    if (error instanceof TsboxError) {
      return undefined;
    }
    throw error;
  }
}
