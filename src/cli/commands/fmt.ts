import type { Command } from '../main.ts';
import { EXIT } from '../exit.ts';
import { TsboxError } from '../../errors.ts';
import { err, out } from '../output.ts';
import { writeWhole } from '../write-file.ts';

export const command: Command = {
  options: ['check', 'diff'],
  usage: 'tsbox fmt [--check] [--diff] FILE…',
  help: [
    'Writes stack files in one style: indentation, quotes, sections in order. Comments, anchors and the order of what is in',
    'a section stay. A file that cannot be parsed, or would come to mean something else, is left as it is. A link stays a',
    'link; mode and owner are kept; the new text takes the place of the old one at once.',
  ].join('\n'),
  async run(args) {
    if (args.positionals.length === 0) {
      throw new TsboxError('TSB2001', 'fmt needs a FILE');
    }
    const { formatStack } = await import('../../stack/format.ts');
    const { decode, readBytes } = await import('../../stack/source.ts');
    const { lineDiff } = await import('../../report/line-diff.ts');
    const read = args.positionals.map((name) => {
      const text = decode(readBytes(name, name), name);
      return { name, text, formatted: formatStack(name, text) };
    });
    const changed = read.filter(({ text, formatted }) => text !== formatted);
    for (const { name, text, formatted } of changed) {
      out(args.flags.diff === true ? lineDiff(name, text, formatted) : `${name}\n`);
      if (args.flags.check !== true && args.flags.diff !== true) {
        writeWhole(name, formatted);
      }
    }
    if (args.flags.check === true && changed.length > 0 && args.flags.quiet !== true) {
      err(
        `${changed.length} of ${read.length} files are not in style: tsbox fmt ${changed.map((c) => c.name).join(' ')}\n`,
      );
    }
    return args.flags.check === true && changed.length > 0 ? EXIT.differences : EXIT.ok;
  },
};
