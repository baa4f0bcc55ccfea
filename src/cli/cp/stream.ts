/** `cp … -` and `cp - …`: the archive on our standard output and input. */
import { closeSync, writeSync } from 'node:fs';
import { TsboxError } from '../../errors.ts';
import { O_PATH, openWithin, type ContainerRoot } from '../../kernel/container-root.ts';
import { decompressed } from '../../kernel/decompress.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { TarFormatError } from '../../kernel/tar/header.ts';
import { TarParser } from '../../kernel/tar/parser.ts';
import { meansContents, mustOpen, openIn, spot, O_DIRECTORY } from './copy.ts';
import { archive } from './tar-out.ts';
import { TarIn } from './tar-in.ts';
import type { Copied, CopyRules } from './tree.ts';

/** Writes what is at the path to standard output. */
export function toStdout(kernel: Kernel, root: ContainerRoot, path: string, rules: CopyRules): Copied {
  if (process.stdout.isTTY) {
    throw new TsboxError('TSB2001', 'an archive is not written to a terminal', {
      hint: 'tsbox cp web:/etc - | tar -t',
    });
  }
  const open = openIn(root);
  const contents = meansContents(path);
  const from = contents
    ? { dir: mustOpen(open, path, O_DIRECTORY | O_PATH), name: Buffer.from('.') }
    : spot(open, path);
  try {
    return archive(from, contents, {
      write: writeAll,
      rules,
      pieces: (fd, size, most) => kernel.dataPieces(fd, size, most),
    });
  } finally {
    closeSync(from.dir);
  }
}

/** A pipe that is full may say so instead of blocking. */
function writeAll(bytes: Buffer): void {
  for (let done = 0; done < bytes.length;) {
    try {
      done += writeSync(1, bytes, done, bytes.length - done);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EAGAIN') {
        throw new TsboxError('TSB3001', `write to standard output: ${code ?? ''}`, { errnoCode: code, cause: error });
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

/** Unpacks standard input, packed or not, into a directory of the container. */
export async function fromStdin(kernel: Kernel, root: ContainerRoot, path: string, rules: CopyRules): Promise<Copied> {
  const target = mustOpen(openIn(root), path, O_DIRECTORY | O_PATH);
  const sink = new TarIn((below, flags) => openWithin(kernel, target, below, flags), rules);
  const parser = new TarParser(sink);
  try {
    for await (const chunk of decompressed(process.stdin)) {
      parser.push(chunk);
    }
    parser.finish();
    sink.finish();
    return sink.copied;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    throw error instanceof TarFormatError || code.startsWith('Z_')
      ? new TsboxError('TSB3010', `standard input: ${(error as Error).message}`, { cause: error })
      : error;
  } finally {
    sink.closeAll();
    closeSync(target);
  }
}
