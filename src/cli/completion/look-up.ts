/** Names that completion looks up: in stack files, on the labels of cgroups, in tables that not every command loads. */
import { existsSync } from 'node:fs';
import type { KernelReader } from '../../kernel/reader.ts';
import type { Outline } from '../../stack/outline.ts';
import type { Line } from './line.ts';
import type { Looked } from './wanted.ts';

export interface Found {
  readonly values: readonly string[];
  /** Several may stand in one word, divided by commas. */
  readonly list: boolean;
}

/**
 * @param takesFile the command is about the stack of its files, and not only about what exists
 * @param start what is written of the word
 */
export async function lookUp(want: Looked, line: Line, takesFile: boolean, start: string): Promise<Found> {
  const one = (values: readonly string[]): Found => ({ values: [...new Set(values)], list: false });
  switch (want) {
    case 'capabilities':
      return { values: (await import('../../resources/container/capabilities.ts')).CAPABILITIES, list: true };
    case 'namespaces':
      return { values: (await import('../../kernel/init-spec.ts')).NAMESPACE_TYPES, list: true };
    case 'severities':
      return { values: (await import('../../resources/drift-settings.ts')).SEVERITIES, list: true };
    case 'signal':
      return one(Object.keys((await import('../../resources/signals.ts')).SIGNALS));
    case 'stack':
      return one(await liveStacks());
    case 'variable':
      return one((await outlines(line)).flatMap((o) => o.variables).map((name) => `${name}=`));
    case 'address':
      return one(await addresses(line, takesFile));
    case 'container':
    case 'containerPath': {
      const names = (await addresses(line, takesFile)).filter((a) => a.startsWith('container/'));
      const bare = start.startsWith('container/') ? names : names.map((a) => a.slice('container/'.length));
      return one(want === 'container' ? bare : bare.map((name) => `${name}:`));
    }
    default:
      return one([]);
  }
}

/** Of the files, where a command takes them; else of what exists, and of the files where nothing does. */
async function addresses(line: Line, takesFile: boolean): Promise<string[]> {
  const stack = line.given.get('stack')?.at(-1);
  const declared = async (): Promise<string[]> =>
    stack === undefined ? (await outlines(line)).flatMap((o) => o.addresses) : [];
  const first = takesFile ? await declared() : await liveAddresses(stack);
  return first.length > 0 ? first : takesFile ? liveAddresses(stack) : declared();
}

async function outlines(line: Line): Promise<Outline[]> {
  const files = line.given.get('file') ?? ['tsbox.yaml'];
  const present = files.filter((file) => existsSync(file));
  if (present.length === 0) {
    return [];
  }
  const { readOutline } = await import('../../stack/outline.ts');
  return present.flatMap((file) => {
    try {
      return [readOutline(file)];
    } catch {
      // What cannot be read offers nothing: a shell that completes is no place to say why.
      return [];
    }
  });
}

async function liveStacks(): Promise<string[]> {
  const { openReader } = await import('../../kernel/reader.ts');
  return namedStacks(openReader(process.env));
}

async function liveAddresses(wanted: string | undefined): Promise<string[]> {
  const { openReader } = await import('../../kernel/reader.ts');
  return addressesIn(openReader(process.env), wanted);
}

async function namedStacks(reader: KernelReader): Promise<string[]> {
  const { stackNames } = await import('../containers.ts');
  return stackNames(reader).filter((name) => !name.startsWith('_'));
}

/**
 * What the labels of one stack say, or of all: with the name of the stack where several have the same. A container with
 * replicas is there as a whole too.
 */
export async function addressesIn(reader: KernelReader, wanted: string | undefined): Promise<string[]> {
  const { readScope } = await import('../../resources/scope.ts');
  const { containerOf } = await import('../../resources/container/replica-names.ts');
  const { fullAddress } = await import('../target.ts');
  const found = (wanted === undefined ? await namedStacks(reader) : [wanted]).flatMap((stack) => {
    const own = [...readScope(reader, stack).byAddress.keys()];
    return [...new Set(own.flatMap((address) => [containerOf(address), address]))].map((address) => ({
      stack,
      address,
    }));
  });
  const times = new Map<string, number>();
  for (const { address } of found) {
    times.set(address, (times.get(address) ?? 0) + 1);
  }
  return found.map((target) => (times.get(target.address) === 1 ? target.address : fullAddress(target)));
}
