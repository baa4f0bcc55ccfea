/** Programs of the machine that tsbox makes use of: skopeo, zstd, xz. */
import { spawn } from 'node:child_process';
import { pipeline } from 'node:stream/promises';
import { errnoOf, TsboxError } from '../errors.ts';

/** What a program wrote to stderr, as far as anybody reads. */
const STDERR_LIMIT = 16_384;

/**
 * Runs a program to its end.
 * @returns its standard error
 * @throws TsboxError TSB3009 with what it said when it is missing or fails
 */
export async function runProgram(name: string, args: readonly string[], hint: string): Promise<string> {
  const child = spawn(name, [...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (data: Buffer) => (said = (said + data.toString()).slice(-STDERR_LIMIT)));
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', (cause) => reject(missing(name, hint, cause)));
    child.on('close', (status, signal) => resolve(status ?? (signal === null ? 1 : 128)));
  });
  if (code !== 0) {
    const lines = said.trim().split('\n');
    throw new TsboxError('TSB3009', `${name} failed (exit ${code}): ${lines.at(-1) ?? ''}`, { hint });
  }
  return said;
}

/** Pipes bytes through a program (a decompressor). */
export async function* throughProgram(
  name: string,
  args: readonly string[],
  source: AsyncIterable<Buffer>,
  hint: string,
): AsyncGenerator<Buffer> {
  const child = spawn(name, [...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.on('data', (data: Buffer) => (said = (said + data.toString()).slice(-STDERR_LIMIT)));
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', (cause) => reject(missing(name, hint, cause)));
    child.on('close', (status) => resolve(status ?? 1));
  });
  ended.catch(() => undefined);
  const fed = pipeline(source, child.stdin);
  fed.catch(() => undefined);
  try {
    for await (const chunk of child.stdout) {
      yield chunk as Buffer;
    }
    const code = await ended;
    if (code !== 0) {
      throw new TsboxError('TSB3010', `${name} cannot read it: ${said.trim().split('\n').at(-1) ?? ''}`);
    }
    await fed;
  } finally {
    child.kill('SIGKILL');
  }
}

function missing(name: string, hint: string, cause: Error): TsboxError {
  const absent = errnoOf(cause) === 'ENOENT';
  return new TsboxError('TSB3009', absent ? `${name} is not on this machine` : `${name}: ${cause.message}`, {
    hint,
    cause,
  });
}
