/** Files that people keep: written whole or not at all. */
import { lstatSync, readlinkSync, realpathSync, statSync, writeFileSync, type Stats } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { TsboxError, whyOf } from '../errors.ts';
import { replaceFile } from '../kernel/replace-file.ts';
import type { Arguments } from './args.ts';
import { masked, out } from './output.ts';

/** A report goes where -o says, else to stdout; what never leaves the program is not left there either. */
export function outOrFile(args: Arguments, text: string): void {
  if (args.values.output === undefined) {
    out(text);
  } else {
    writeWhole(args.values.output, masked(text));
  }
}

/**
 * Puts text in a file's place at once. A link stays one: the file it leads to is replaced. Mode and owner of a file that
 * was there are kept, unless a mode is given. Terminals and pipes are written to.
 * @param mode of what only some may read, whatever was there
 * @throws TsboxError TSB1001
 */
export function writeWhole(path: string, text: string, mode?: number): void {
  try {
    const there = statSync(path, { throwIfNoEntry: false });
    if (there !== undefined && (there.isFIFO() || there.isCharacterDevice())) {
      writeFileSync(path, text, { flag: 'w' });
      return;
    }
    const target = resolved(path, 40);
    if (target.before?.isFile() === false) {
      throw new TsboxError('TSB1001', `cannot write '${path}': it is not a regular file`, { subject: path });
    }
    const as = mode === undefined ? target.before : undefined;
    replaceFile(target.path, text, { mode: mode ?? 0o666, as, durable: true });
  } catch (error) {
    if (error instanceof TsboxError) {
      throw error;
    }
    const code = whyOf(error);
    throw new TsboxError('TSB1001', `cannot write '${path}': ${code}`, {
      errnoCode: code,
      subject: path,
      cause: error,
    });
  }
}

/** The file at the end of links, whether it is there or not. @param links how many are followed */
function resolved(path: string, links: number): { readonly path: string; readonly before: Stats | undefined } {
  const directory = realpathSync(dirname(path));
  const place = join(directory, basename(path));
  const before = lstatSync(place, { throwIfNoEntry: false });
  if (before === undefined) {
    return { path: place, before };
  }
  refuseForeign(path, statSync(directory), before);
  if (!before.isSymbolicLink()) {
    return { path: place, before };
  }
  if (links === 0) {
    throw new TsboxError('TSB1001', `cannot write '${path}': ELOOP`, { errnoCode: 'ELOOP', subject: path });
  }
  return resolved(resolve(directory, readlinkSync(place)), links - 1);
}

/** As fs.protected_symlinks and fs.protected_regular have it: in /tmp, what somebody else put there is not taken. */
function refuseForeign(path: string, directory: Stats, found: Stats): void {
  const isShared = (directory.mode & 0o1002) === 0o1002;
  if (isShared && found.uid !== process.geteuid?.() && found.uid !== directory.uid) {
    throw new TsboxError('TSB1001', `cannot write '${path}': user ${found.uid} has put it there`, {
      subject: path,
      hint: 'everybody may make files in that directory: remove it, or write elsewhere',
    });
  }
}
