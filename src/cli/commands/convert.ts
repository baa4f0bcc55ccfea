import { readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Arguments } from '../args.ts';
import type { Command } from '../main.ts';
import { nameFrom } from '../cgroup-path.ts';
import { EXIT } from '../exit.ts';
import { TsboxError } from '../../errors.ts';
import { err } from '../output.ts';
import { outOrFile } from '../write-file.ts';

const USAGE =
  'tsbox convert bundle DIR [--name STACK] [-o FILE] [--json]\n' +
  'tsbox convert compose FILE [--name STACK] [--profile NAME]… [-o FILE] [--json]';

export const command: Command = {
  options: ['name', 'profile', 'output', 'json'],
  usage: USAGE,
  help: [
    "bundle writes the stack of one container that behaves as an OCI bundle's config.json says (runtime specification 1.0",
    'to 1.3); docs/oci.md has every field. compose writes the stack of a Compose file; docs/compose.md has every key.',
    'What is not carried over, or is done otherwise, is told line by line on standard error and in comments of the stack.',
    'Nothing is changed.',
  ].join('\n'),
  run(args) {
    const [what, given] = args.positionals;
    if (given === undefined || args.positionals.length > 2 || (what !== 'bundle' && what !== 'compose')) {
      throw new TsboxError('TSB2001', 'convert takes: bundle DIR, or compose FILE', { hint: USAGE });
    }
    return what === 'bundle' ? bundle(given, args) : compose(given, args);
  },
};

interface Result {
  readonly from: string;
  readonly stack: Readonly<Record<string, unknown>>;
  /** As it stands in JSON. */
  readonly left: readonly unknown[];
  /** One line each. */
  readonly notes: readonly string[];
  /** What of the stack is text that means itself, done. */
  readonly written: Readonly<Record<string, unknown>>;
}

async function print(result: Result, args: Arguments): Promise<number> {
  const { stackText } = await import('../../stack/write.ts');
  const notes = result.notes.map((n) => n.replaceAll(/\s+/g, ' '));
  for (const note of args.flags.quiet === true ? [] : notes) {
    err(`not carried over: ${note}\n`);
  }
  const text =
    args.flags.json === true
      ? `${JSON.stringify({ stack: result.stack, notCarriedOver: result.left }, null, 2)}\n`
      : [
          `# From ${result.from}.`,
          ...(notes.length === 0 ? [] : ['# Not carried over:', ...notes.map((n) => `#   ${n}`)]),
          stackText(result.written),
        ].join('\n');
  outOrFile(args, text);
  return EXIT.ok;
}

async function bundle(given: string, args: Arguments): Promise<number> {
  const { convertBundle, literal } = await import('../../stack/oci/convert.ts');
  const { deviceAt } = await import('../../kernel/host-facts.ts');
  const { directory, text } = readBundle(given);
  const name = args.values.name ?? nameFrom(basename(directory), 'bundle');
  let converted;
  try {
    converted = convertBundle(text, directory, name, deviceAt);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new TsboxError('TSB1002', `${join(given, 'config.json')} is not JSON: ${error.message}`);
    }
    throw error;
  }
  const { stack, notes } = converted;
  return print(
    {
      from: `the OCI bundle ${directory}`,
      stack,
      left: notes,
      notes: notes.map((n) => `${n.field}: ${n.text}`),
      written: { ...stack, containers: literal(stack['containers']) },
    },
    args,
  );
}

async function compose(given: string, args: Arguments): Promise<number> {
  const { convertCompose } = await import('../../stack/compose/convert.ts');
  const { decode, readBytes } = await import('../../stack/source.ts');
  const text = decode(readBytes(given, given), given);
  const directory = dirname(resolve(given));
  const { stack, notes } = convertCompose(given, text, {
    name: args.values.name ?? nameFrom(basename(directory), 'project'),
    profiles: args.lists.profile ?? [],
    read(path) {
      try {
        return { text: decode(readBytes(resolve(directory, path), path), path) };
      } catch (error) {
        return { why: (error as Error).message };
      }
    },
  });
  return print(
    {
      from: `the Compose file ${given}`,
      stack,
      left: notes,
      notes: notes.map((n) => `${given}:${n.line} ${n.key}: ${n.text}`),
      written: stack,
    },
    args,
  );
}

function readBundle(given: string): { directory: string; text: string } {
  try {
    const directory = realpathSync(given);
    return { directory, text: readFileSync(join(directory, 'config.json'), 'utf8') };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new TsboxError('TSB1001', `${join(given, 'config.json')}: ${code ?? (error as Error).message}`, {
      hint: 'an OCI bundle is a directory with a config.json and a root file system',
    });
  }
}
