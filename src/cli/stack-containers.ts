/** The containers a command is about: those named, or all of a stack. */
import { TsboxError } from '../errors.ts';
import { containerOf } from '../resources/container/replica-names.ts';
import { readScope } from '../resources/scope.ts';
import type { Stack } from '../stack/types.ts';
import type { Arguments } from './args.ts';
import { stackNameFor } from './session.ts';

/** Names as given; without any, every container of the stack that --stack or the file names. */
export async function containersOf(args: Arguments): Promise<readonly string[]> {
  if (args.positionals.length > 0) {
    return args.positionals;
  }
  const { name } = await stackNameFor(args);
  const { openReader } = await import('../kernel/reader.ts');
  const addresses = [...readScope(openReader(process.env), name).byAddress.keys()];
  const containers = addresses.filter((a) => a.startsWith('container/'));
  if (containers.length === 0) {
    throw new TsboxError('TSB2003', `stack ${name} has no containers`, { hint: 'apply it first' });
  }
  return containers.map((a) => a.replace('/', `/${name}:`));
}

/** Addresses of declared containers by the names of the command line: NAME, container/NAME or STACK:NAME. */
export function stackAddresses(stack: Stack, wanted: readonly string[]): string[] {
  return wanted.map((text) => {
    const name = text.replace(/^container\//, '').replace(new RegExp(`^${stack.name}:`), '');
    const known = [...stack.containers.keys()];
    if (!known.some((k) => k === name || containerOf(k) === name)) {
      throw new TsboxError('TSB2003', `stack ${stack.name} declares no container '${text}'`, {
        hint: `it declares: ${known.slice(0, 8).join(', ')}`,
      });
    }
    return `container/${name}`;
  });
}
