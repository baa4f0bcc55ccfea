import { readFileSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Command } from '../main.ts';
import { EXIT } from '../exit.ts';
import { TsboxError } from '../../errors.ts';
import { err, out } from '../output.ts';

const USAGE = 'tsbox convert bundle DIR [--name STACK] [--json]';

export const command: Command = {
  options: ['name', 'json'],
  usage: USAGE,
  help: [
    "Writes the stack of one container that behaves as an OCI bundle's config.json says (runtime specification 1.0 to 1.3).",
    'What is not carried over, or is done otherwise, is told line by line on standard error and in comments of the stack.',
    'Nothing is changed; docs/oci.md has every field of the specification.',
  ].join('\n'),
  async run(args) {
    const [what, given] = args.positionals;
    if (what !== 'bundle' || given === undefined || args.positionals.length > 2) {
      throw new TsboxError('TSB2001', 'convert takes: bundle DIR', { hint: USAGE });
    }
    const { convertBundle, literal } = await import('../../stack/oci/convert.ts');
    const { stackText } = await import('../../stack/write.ts');
    const { deviceAt } = await import('../../kernel/reader.ts');
    const { directory, text } = readBundle(given);
    const name = args.values.name ?? nameFrom(basename(directory));
    let converted;
    try {
      converted = convertBundle(text, directory, name, deviceAt);
    } catch (error) {
      if (error instanceof SyntaxError) {
        throw new TsboxError('TSB1002', `${join(given, 'config.json')} is not JSON: ${error.message}`);
      }
      throw error;
    }
    const notes = converted.notes.map((n) => `${n.field}: ${n.text}`.replaceAll(/\s+/g, ' '));
    for (const note of args.flags.quiet === true ? [] : notes) {
      err(`not carried over: ${note}\n`);
    }
    if (args.flags.json === true) {
      out(`${JSON.stringify({ stack: converted.stack, notCarriedOver: converted.notes }, null, 2)}\n`);
      return EXIT.ok;
    }
    out(
      [
        `# From the OCI bundle ${directory}.`,
        ...(notes.length === 0 ? [] : ['# Not carried over:', ...notes.map((n) => `#   ${n}`)]),
        stackText({ ...converted.stack, containers: literal(converted.stack['containers']) }),
      ].join('\n'),
    );
    return EXIT.ok;
  },
};

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

/** A name of the language from the name of a directory. */
function nameFrom(text: string): string {
  const name = text
    .replace(/[^A-Za-z0-9_.-]+/g, '-')
    .replace(/\.{2,}/g, '.')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 63);
  return name === '' ? 'bundle' : name;
}
