/** The name that stack files seem to give, seen without parsing them: something to begin with while they are parsed. */
import { TsboxError } from '../errors.ts';
import { NAME_PATTERN } from '../resources/units.ts';
import { readBytes } from './source.ts';

const NAME_LINE = /^name: +["']?([^\s"'#]+)/m;

/** A guess; undefined where there is nothing to be guessed from. */
export function likelyName(files: readonly string[]): string | undefined {
  for (const file of [...files].reverse()) {
    const name = NAME_LINE.exec(textOf(file))?.[1];
    if (name !== undefined) {
      return NAME_PATTERN.test(name) ? name : undefined;
    }
  }
  return undefined;
}

/** Names are ASCII, so the text need not be decoded. A file that cannot be read is told of by whoever parses it. */
function textOf(file: string): string {
  try {
    return readBytes(file, file).toString('latin1');
  } catch (error) {
    if (error instanceof TsboxError) {
      return '';
    }
    throw error;
  }
}
